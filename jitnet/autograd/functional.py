"""jitnet.autograd.functional: products with Jacobians and Hessians of functions, and these whole.

Functions take one tensor or several, and return one or a tuple. With create_graph, results can be
differentiated again; with strict, a result that does not depend on an input is an error, not zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import at_line
from ..functional import stack
from ..grad_mode import enable_grad
from ..tape import run_backward
from ..tensor import Tensor

Tensors = tuple[Tensor, ...]


class _Call:
    """A function that was called: its inputs as leaves, and its results."""

    def __init__(self, func: Callable[..., Any], inputs: Any, create: bool, strict: bool) -> None:
        self.create, self.strict = create, strict
        self.single = isinstance(inputs, Tensor)
        self.leaves = tuple(map(self._leaf, (inputs,) if self.single else inputs))
        with enable_grad():
            result = func(*self.leaves)
        self.single_result = isinstance(result, Tensor)
        self.results: Tensors = (result,) if self.single_result else tuple(result)

    def _leaf(self, value: Tensor) -> Tensor:
        if self.create and value.requires_grad:
            return value.view_as(value)  # type: ignore[no-any-return]
        return value.detach().requires_grad_()

    def gradients(self, of: Tensors, to: Tensors, weights: Any, create: bool) -> Tensors:
        """Return the gradients of weighted tensors; zeros where there is none, unless strict."""
        used = [(y, w) for y, w in zip(of, weights, strict=True) if y.requires_grad]
        if self.strict and len(used) < len(of):
            raise RuntimeError(at_line("a result does not depend on any input, with strict=True"))
        ys, ws = [y for y, _ in used], [w for _, w in used]
        found = run_backward(ys, ws, True, create, list(to), False) if ys else [None] * len(to)
        if self.strict and any(g is None for g in found):
            raise RuntimeError(
                at_line("the result does not depend on all inputs, with strict=True; leave it out")
            )
        return tuple(
            leaf.new_zeros(leaf.shape) if g is None else g
            for g, leaf in zip(found, to, strict=True)
        )

    def outputs(self) -> Any:
        """Return the results as the function gave them, with a history only for create_graph."""
        return _settled(self.results, self.single_result, self.create)

    def scalar(self, name: str) -> Tensor:
        """Return the one number that a function must give where second derivatives are wanted."""
        if len(self.results) != 1 or self.results[0].numel() != 1:
            raise RuntimeError(
                at_line(f"{name} wants a function of one number, got {len(self.results)} results")
            )
        return self.results[0].reshape(())


def _settled(values: Tensors, single: bool, create: bool) -> Any:
    kept = values if create else tuple(value.detach() for value in values)
    return kept[0] if single else kept


def _weights(v: Any, like: Tensors, what: str) -> tuple[Any, ...]:
    """Return v as a tuple of tensors like others; None will do where these hold one number."""
    if v is None:
        if any(each.numel() != 1 for each in like):
            raise RuntimeError(at_line(f"v can be left out only where {what} is a single number"))
        return tuple(each.detach().new_ones(each.shape) for each in like)
    given = (v,) if isinstance(v, Tensor) else tuple(v)
    if [each.shape for each in given] != [each.shape for each in like]:
        raise RuntimeError(
            at_line(
                f"v wants the shapes of {what}, {[list(each.shape) for each in like]}, got "
                f"{[list(each.shape) for each in given]}"
            )
        )
    return given


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func(*inputs) and the product of v with its Jacobian."""
    call = _Call(func, inputs, create_graph, strict)
    weights = _weights(v, call.results, "the result")
    found = call.gradients(call.results, call.leaves, weights, create_graph)
    return call.outputs(), _settled(found, call.single, create_graph)


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func(*inputs) and the product of its Jacobian with v: a gradient of a gradient."""
    call = _Call(func, inputs, create_graph, strict)
    along = _weights(v, call.leaves, "the input")
    duals = tuple(y.detach().new_zeros(y.shape).requires_grad_() for y in call.results)
    pulled = call.gradients(call.results, call.leaves, duals, True)
    call.strict = False  # of a linear function, the gradient depends on no dual
    found = call.gradients(pulled, duals, along, create_graph)
    return call.outputs(), _settled(found, call.single_result, create_graph)


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func(*inputs), one number, and the product of v with its Hessian."""
    call = _Call(func, inputs, create_graph, strict)
    weights = _weights(v, call.leaves, "the input")
    first = call.gradients((call.scalar("vhp"),), call.leaves, (None,), True)
    found = call.gradients(first, call.leaves, weights, create_graph)
    return call.outputs(), _settled(found, call.single, create_graph)


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func(*inputs), one number, and the product of its Hessian with v: that of vhp."""
    return vhp(func, inputs, v, create_graph, strict)  # second derivatives are symmetric


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the derivatives of every element of func(*inputs): [*output shape, *input shape].

    A tuple over inputs, and around it one over results, where these are tuples. vectorize and
    strategy say how PyTorch computes; here it is one way.
    """
    call = _Call(func, inputs, create_graph, strict)
    rows = tuple(_rows(call, y) for y in call.results)
    return rows[0] if call.single_result else rows


def _rows(call: _Call, y: Tensor) -> Any:
    """Return the derivatives of one result, for each input."""
    flat = y.reshape(-1)
    rows = [
        call.gradients((flat[i],), call.leaves, (None,), call.create) for i in range(flat.numel())
    ]
    found = tuple(
        stack([row[position] for row in rows]).reshape(*y.shape, *leaf.shape)
        if rows
        else leaf.new_zeros((*y.shape, *leaf.shape))
        for position, leaf in enumerate(call.leaves)
    )
    return found[0] if call.single else found


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the second derivatives of a function of one number: [*input shape, *input shape].

    Of several inputs, a tuple of tuples.
    """

    def first(*leaves: Tensor) -> Any:
        call = _Call(func, leaves[0] if isinstance(inputs, Tensor) else leaves, True, strict)
        found = call.gradients((call.scalar("hessian"),), call.leaves, (None,), True)
        return found[0] if call.single else found

    return jacobian(first, inputs, create_graph)
