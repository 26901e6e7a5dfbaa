"""Functions made of functions: their gradients, Jacobians and products with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .. import creation
from ..autograd.directional import directional, watched_outside
from ..errors import at_line
from ..grad_mode import enable_grad
from ..tape import run_backward
from ..tensor import Tensor
from ..tree import flatten, rebuild
from .mapping import vmap

Argnums = int | tuple[int, ...]

# How many of these functions are being computed, each inside the other: then gradients of
# gradients are wanted.
_depth = 0
_seeds: list[Tensor] = []  # what is watched by the present one and by those inside it


def _watched(leaf: Tensor) -> bool:
    """Whether somebody outside may ask for gradients of a tensor, or of all items' values."""
    return leaf.requires_grad or leaf._whole().requires_grad


class _Run:
    """One evaluation of func on arguments of which some are watched."""

    def __init__(self, func: Callable[..., Any], args: Sequence[Any], argnums: Argnums) -> None:
        global _depth, _seeds
        chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        places = [number % len(args) for number in chosen]
        flat = {place: flatten(args[place]) for place in places}
        self.single = isinstance(argnums, int)
        self.trees = [flat[place][1] for place in places]
        given = [leaf for place in places for leaf in flat[place][0]]
        self.keep = _depth > 0 or any(_watched(leaf) for leaf in given)
        with enable_grad():
            self.leaves = [
                (leaf.clone() if _watched(leaf) else leaf.detach()).requires_grad_()
                for leaf in given
            ]
            rest = iter(self.leaves)
            watched = dict(zip(places, (rebuild(tree, rest) for tree in self.trees), strict=True))
            before, _seeds = _seeds, list(self.leaves)
            _depth += 1
            try:
                self.result = func(*(watched.get(i, arg) for i, arg in enumerate(args)))
            finally:
                _depth -= 1
                own, _seeds = _seeds, before + _seeds
        tensors = [y for y in flatten(self.result)[0] if isinstance(y, Tensor)]
        self.keep = self.keep or watched_outside(tensors, own)

    def gradients(self, outputs: list[Tensor], given: list[Any], again: bool) -> list[Tensor]:
        """Return the leaves' gradients, zeros where outputs do not depend on them."""
        wanted = [(y, g) for y, g in zip(outputs, given, strict=True) if y.requires_grad]
        if not wanted:
            return [creation.zeros_like(leaf.detach()) for leaf in self.leaves]
        found = run_backward(
            [y for y, _ in wanted], [g for _, g in wanted], True, again, self.leaves, False
        )
        return [
            creation.zeros_like(leaf.detach()) if gradient is None else gradient
            for gradient, leaf in zip(found, self.leaves, strict=True)
        ]

    def rebuilt(self, gradients: list[Tensor]) -> Any:
        """Return gradients nested as the arguments are."""
        rest = iter(gradients)
        found = tuple(rebuild(tree, rest) for tree in self.trees)
        return found[0] if self.single else found

    def settled(self, value: Any) -> Any:
        """Return results without a history that nobody outside can ask for."""
        if self.keep:
            return value
        leaves, tree = flatten(value)
        plain = (leaf.detach() if isinstance(leaf, Tensor) else leaf for leaf in leaves)
        return rebuild(tree, plain)


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives (gradients, value) of func, whose result is one number.

    has_aux: func returns (number, anything); the value is then that pair.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        made = _Run(lambda *inner: func(*inner, **kwargs), args, argnums)
        loss = made.result[0] if has_aux else made.result
        if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.dim():
            got = loss._type if isinstance(loss, Tensor) else type(loss).__name__
            raise RuntimeError(
                at_line(f"grad wants a function that returns a tensor without dims, got {got}")
            )
        found = made.rebuilt(made.gradients([loss], [None], made.keep))
        return made.settled(found), made.settled(made.result)

    return run


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives func's gradients with respect to its arguments argnums.

    has_aux: func returns (number, anything), and the function gives (gradients, anything).
    """
    both = grad_and_value(func, argnums, has_aux)

    def run(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return run


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return func(*primals) and a function of cotangents that gives the primals' gradients."""
    made = _Run(func, primals, tuple(range(len(primals))))
    result = made.result[0] if has_aux else made.result
    outputs, _ = flatten(result)

    def pull(*cotangents: Any) -> Any:
        given, _ = flatten(cotangents[0] if len(cotangents) == 1 else cotangents)
        return made.settled(made.rebuilt(made.gradients(outputs, given, made.keep)))

    aux = (made.result[1],) if has_aux else ()
    return (made.settled(result), pull, *aux)


def jvp(
    func: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Any, Any]:
    """Return func(*primals) and its change along tangents: the gradient of a gradient."""
    made = _Run(func, primals, tuple(range(len(primals))))
    outputs, tree = flatten(made.result)
    along, _ = flatten(tuple(tangents))
    changes = [
        creation.zeros_like(y.detach()) if change is None else change
        for y, change in zip(
            outputs, directional(outputs, made.leaves, along, made.keep), strict=True
        )
    ]
    return made.settled(made.result), made.settled(rebuild(tree, iter(changes)))


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that gives func's Jacobians: [*result shape, *argument shape].

    The rows are computed together. has_aux: func returns (results, anything), and the function
    gives (Jacobians, anything). chunk_size: rows at a time.
    """

    def run(*args: Any) -> Any:
        made = _Run(func, args, argnums)
        result, aux = made.result if has_aux else (made.result, None)
        outputs, tree = flatten(result)
        found = rebuild(tree, iter([_rows(made, y, chunk_size) for y in outputs]))
        return (made.settled(found), made.settled(aux)) if has_aux else made.settled(found)

    return run


def _rows(made: _Run, output: Tensor, chunk_size: int | None) -> Any:
    """Return one output's Jacobians, nested as the arguments are."""
    count = output._type.numel
    ones = creation.eye(count, dtype=output.dtype, device=output.device).reshape(
        count, *output._type.shape
    )
    pull = vmap(lambda row: made.gradients([output], [row], made.keep), chunk_size=chunk_size)
    shapes = [(*output._type.shape, *leaf._type.shape) for leaf in made.leaves]
    if not count:
        zeros = partial(creation.zeros, dtype=output.dtype, device=output.device)
        return made.rebuilt([zeros(shape) for shape in shapes])
    rows = pull(ones)
    return made.rebuilt([row.reshape(shape) for row, shape in zip(rows, shapes, strict=True)])


jacfwd = jacrev


def hessian(func: Callable[..., Tensor], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives func's second derivatives."""
    return jacrev(jacrev(func, argnums), argnums)
