"""Whole Jacobians and vector-Jacobian products of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..functional import stack
from ..tape import run_backward
from ..tensor import Tensor


def _inputs(inputs: Any) -> tuple[list[Tensor], bool]:
    """Return fresh leaves for the inputs, and whether there was just one."""
    single = isinstance(inputs, Tensor)
    values = [inputs] if single else list(inputs)
    return [value.detach().requires_grad_() for value in values], single


def _gradients(y: Tensor, leaves: list[Tensor], v: Tensor | None, create: bool) -> list[Tensor]:
    found = run_backward([y], [v], True, create, leaves, accumulate=False)
    return [
        leaf.new_zeros(leaf.shape) if g is None else g
        for g, leaf in zip(found, leaves, strict=True)
    ]


def vjp(func: Callable[..., Tensor], inputs: Any, v: Tensor | None = None) -> tuple[Tensor, Any]:
    """Return func(*inputs) and the product of v with its Jacobian."""
    leaves, single = _inputs(inputs)
    y = func(*leaves)
    found = _gradients(y, leaves, v, False)
    return y.detach(), found[0] if single else tuple(found)


def jacobian(func: Callable[..., Tensor], inputs: Any) -> Any:
    """Return the derivatives of every element of func(*inputs): [*output shape, *input shape]."""
    leaves, single = _inputs(inputs)
    y = func(*leaves)
    flat = y.reshape(-1)
    rows = [_gradients(flat[i], leaves, None, False) for i in range(flat.numel())]
    found = tuple(
        stack([row[position] for row in rows]).reshape(*y.shape, *leaf.shape)
        for position, leaf in enumerate(leaves)
    )
    return found[0] if single else found
