"""The `out=` argument: a function's result written into a tensor that exists."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ..errors import at_line
from ..tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


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
        if exact:
            _check_apart(function.__name__, args, out)
            _check_dtypes(function.__name__, result, out)
        if isinstance(result, Tensor):
            return _written(result, out)
        made = [_written(part, into) for part, into in zip(result, out, strict=True)]
        return result._make(made) if hasattr(result, "_make") else tuple(made)

    return run  # type: ignore[return-value]


def _check_apart(name: str, args: tuple[Any, ...], out: Any) -> None:
    given = {_base(arg) for arg in args if isinstance(arg, Tensor)}
    if given & {_base(into) for into in ((out,) if isinstance(out, Tensor) else out)}:
        raise RuntimeError(
            at_line(
                f"{name}: unsupported operation: some elements of the input tensor and the "
                "written-to tensor refer to a single memory location"
            )
        )


def _base(x: Tensor) -> int:
    return id(x if x._base is None else x._base)


def _check_dtypes(name: str, result: Any, out: Any) -> None:
    pairs = [(result, out)] if isinstance(result, Tensor) else zip(result, out, strict=True)
    for made, into in pairs:
        if made._type.dtype is not into._type.dtype:
            raise RuntimeError(
                at_line(
                    f"{name}: Expected out tensor to have dtype {made._type.dtype.name}, but got "
                    f"{into._type.dtype.name} instead"
                )
            )


def _written(result: Tensor, out: Tensor) -> Tensor:
    from ..tensors.writing import write

    if result.requires_grad:
        raise RuntimeError(
            at_line(
                "functions with out=... arguments don't support automatic differentiation, but one "
                "of the arguments requires grad"
            )
        )
    return write(out, result)
