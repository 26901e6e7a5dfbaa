"""The `out=` argument: a function's result written into a tensor that exists."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ..errors import at_line
from ..tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])


def with_out(function: F) -> F:
    """Give a function the keyword `out`."""

    @wraps(function)
    def run(*args: Any, out: Tensor | None = None, **options: Any) -> Any:
        result = function(*args, **options)
        return result if out is None else _written(result, out)

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
