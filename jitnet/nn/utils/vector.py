"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import jitnet.functional as F
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Return the elements of all parameters, one after another."""
    return F.cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector's elements into the parameters; its length must be theirs."""
    params = list(parameters)
    wanted = sum(param.numel() for param in params)
    if vec.dim() != 1 or vec.numel() != wanted:
        raise ValueError(f"want a vector of {wanted} elements, got shape {tuple(vec.shape)}")
    start = 0
    with no_grad():
        for param in params:
            stop = start + param.numel()
            param.copy_(vec[start:stop].reshape(param.shape))
            start = stop
