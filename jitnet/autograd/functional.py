"""jitnet.autograd.functional: Jacobians, Hessians and vector-Jacobian products of functions."""

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


def jacobian(func: Callable[..., Tensor], inputs: Any, create_graph: bool = False) -> Any:
    """Return the derivatives of every element of func(*inputs): [*output shape, *input shape]."""
    leaves, single = _inputs(inputs)
    y = func(*leaves)
    flat = y.reshape(-1)
    rows = [_gradients(flat[i], leaves, None, create_graph) for i in range(flat.numel())]
    found = tuple(
        stack([row[position] for row in rows]).reshape(*y.shape, *leaf.shape)
        for position, leaf in enumerate(leaves)
    )
    return found[0] if single else found


def hessian(func: Callable[..., Tensor], inputs: Tensor) -> Tensor:
    """Return the second derivatives of a scalar function: [*input shape, *input shape]."""
    (leaf,), _ = _inputs(inputs)
    (first,) = _gradients(func(leaf), [leaf], None, True)
    rows = [_gradients(each, [leaf], None, False)[0] for each in first.reshape(-1).unbind()]
    return stack(rows).reshape(*leaf.shape, *leaf.shape)  # type: ignore[no-any-return]
