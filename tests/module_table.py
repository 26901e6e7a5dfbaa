"""PyTorch's module database in our terms: its samples, translated; where we differ, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import jitnet
from jitnet import nn

# Samples whose gradients are not compared, by module.
NO_GRADIENTS = {
    "CTCLoss": "PyTorch's are right only behind log_softmax, whose gradient they assume",
}

# Errors of PyTorch's that are none here.
NO_ERRORS = {
    "NLLLoss": "a weight of another dtype is promoted, where it meets no element",
}

# What one optimizer's state has and the other's has not.
OTHER_STATE = {
    "LBFGS": {"al", "prev_loss"},  # working memory of one step
    "SGD": {"started"},  # so that a compiled first step, which is not damped, is like the others
}


def ours(value: Any) -> Any:
    """Return our counterpart of a value of PyTorch: a tensor, a dtype, a layer, a container."""
    import torch

    match value:
        case torch.Tensor():
            return _tensor(value)
        case torch.dtype():
            return getattr(jitnet, str(value).removeprefix("torch."))
        case torch.nn.TransformerEncoderLayer():
            return _encoder_layer(value)
        case torch.nn.utils.rnn.PackedSequence():
            return nn.utils.rnn.PackedSequence(*(ours(part) for part in value))
        case tuple() | list():
            return type(value)(ours(part) for part in value)
        case dict():
            return {key: ours(part) for key, part in value.items()}
    named = getattr(torch.nn.functional, getattr(value, "__name__", ""), None)
    return value if named is None else getattr(nn.functional, value.__name__)


def _tensor(value: Any) -> Any:
    return jitnet.tensor(value.detach().numpy(), requires_grad=value.requires_grad)


def _encoder_layer(layer: Any) -> Any:
    return nn.TransformerEncoderLayer(
        layer.linear1.in_features,
        layer.self_attn.num_heads,
        layer.linear1.out_features,
        layer.dropout.p,
        ours(layer.activation),
        layer.norm1.eps,
        layer.self_attn.batch_first,
        layer.norm_first,
        layer.linear1.bias is not None,
    )


def fresh(value: Any) -> Any:
    """Return a sample of PyTorch's with leaves of its own, whose gradients start at None."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (tuple, list):
        return type(value)(fresh(part) for part in value)
    if isinstance(value, dict):
        return {key: fresh(part) for key, part in value.items()}
    return value


def tensors(value: Any) -> Iterator[Any]:
    """Yield the tensors in a result or an argument, in order; what is packed counts by its data."""
    if hasattr(value, "batch_sizes"):
        yield value.data
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors(part)
    elif hasattr(value, "detach"):
        yield value


def results_and_gradients(
    lib: Any, forward: Any, leaves: Any, args: Any, kwargs: Any, gradients: bool
) -> list[Any]:
    """Return what a call gives, then the gradients of arguments and other leaves, zeros for None.

    They are gradients of the results' sum with weights that do not cancel.
    """
    results = list(tensors(forward(*args, **kwargs)))
    parts = [_weighted(lib, result) for result in results if result.requires_grad]
    found = [result.detach() for result in results]
    if not gradients:
        return found
    if parts:
        sum(parts[1:], parts[0]).backward()
    for leaf in [*tensors([args, kwargs]), *leaves]:
        if leaf.requires_grad:
            found.append(lib.zeros_like(leaf.detach()) if leaf.grad is None else leaf.grad)
    return found


def _weighted(lib: Any, result: Any) -> Any:
    shape = tuple(result.shape)
    weights = np.cos(np.arange(int(np.prod(shape)), dtype=np.float64)).reshape(shape)
    return (result * lib.tensor(weights)).sum()
