"""The `out=` argument: a function's result written into a tensor that exists."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ..errors import at_line
from ..tensor import Tensor
from ..tree import flatten

F = TypeVar("F", bound=Callable[..., Any])
Pairs = list[tuple[Tensor, Tensor]]  # a result, and what it is written into


def with_out(function: F) -> F:
    """Give a function the keyword `out`: a tensor, or a tuple of as many as it returns."""
    return _into(function, exact=False)


def with_exact_out(function: F) -> F:
    """Give a function the keyword `out`, apart from its arguments, of the result's own dtype."""
    return _into(function, exact=True)


def _into(function: F, exact: bool) -> F:
    @wraps(function)
    def run(*args: Any, out: Any = None, **options: Any) -> Any:
        result = function(*args, **options)
        if out is None:
            return result
        pairs = [(result, out)] if isinstance(result, Tensor) else [*zip(result, out, strict=True)]
        if exact or any(made._type.shape != into._type.shape for made, into in pairs):
            _check_apart(function.__name__, (args, options), pairs)
        if exact:
            _check_dtypes(function.__name__, pairs)
        made = [_written(*pair) for pair in pairs]
        if isinstance(result, Tensor):
            return made[0]
        return result._make(made) if hasattr(result, "_make") else tuple(made)

    return run  # type: ignore[return-value]


def _check_apart(name: str, given: Any, pairs: Pairs) -> None:
    """Refuse to write into what was given: where it takes a new shape, views would go astray."""
    bases = {_base(leaf) for leaf in flatten(given)[0] if isinstance(leaf, Tensor)}
    if any(_base(into) in bases for _, into in pairs):
        raise RuntimeError(
            at_line(
                f"{name}: unsupported operation: some elements of the input tensor and the "
                "written-to tensor refer to a single memory location"
            )
        )


def _base(x: Tensor) -> int:
    return id(x if x._base is None else x._base)


def _check_dtypes(name: str, pairs: Pairs) -> None:
    for made, into in pairs:
        if made._type.dtype is not into._type.dtype:
            raise RuntimeError(
                at_line(
                    f"{name}: Expected out tensor to have dtype {made._type.dtype.name}, but got "
                    f"{into._type.dtype.name} instead"
                )
            )


def _written(result: Tensor, out: Tensor) -> Tensor:
    """Write a result into `out`, which takes the result's shape first, as in PyTorch."""
    from ..tensors.reshaping import resized_for
    from ..tensors.writing import check_cast, write

    if result.requires_grad:
        raise RuntimeError(
            at_line(
                "functions with out=... arguments don't support automatic differentiation, but one "
                "of the arguments requires grad"
            )
        )
    shape = out._type.shape
    if shape != result._type.shape:
        check_cast(out, result)
        if out._type.numel:
            warnings.warn(
                at_line(
                    "An output with one or more elements was resized since it had shape "
                    f"{list(shape)}, which does not match the required output shape "
                    f"{list(result._type.shape)}; give an `out` of that shape, or an empty one"
                ),
                stacklevel=3,
            )
        resized_for(out, result)
    return write(out, result)
