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

    @wraps(function)
    def run(*args: Any, out: Any = None, **options: Any) -> Any:
        result = function(*args, **options)
        if out is None:
            return result
        if isinstance(result, Tensor):
            return _written(result, out)
        made = [_written(part, into) for part, into in zip(result, out, strict=True)]
        return result._make(made) if hasattr(result, "_make") else tuple(made)

    return run  # type: ignore[return-value]


def _written(result: Tensor, out: Tensor) -> Tensor:
    from ..writing import write

    if result.requires_grad:
        raise RuntimeError(
            at_line(
                "functions with out=... arguments don't support automatic differentiation, but one "
                "of the arguments requires grad"
            )
        )
    return write(out, result)
