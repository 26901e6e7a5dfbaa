"""What torch.compiler offers, for jitnet.compiler: is a trace active, and marks on functions.

The folder of the compiler bears that name and knows no tensors, so `jitnet/__init__.py` lends it
these functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from . import capture

F = TypeVar("F", bound=Callable[..., Any])


def is_compiling() -> bool:
    """Return whether this thread traces a function to compile it."""
    return capture.current() is not None


def is_dynamo_compiling() -> bool:
    """Return whether this thread traces a function to compile it."""
    return is_compiling()


def allow_in_graph(fn: F) -> F:
    """Return fn: every function may be part of a compiled one."""
    return fn


def reset() -> None:
    """Do nothing: compiled variants belong to their functions, and go with them."""


def cudagraph_mark_step_begin() -> None:
    """Do nothing: what a CUDA graph returns is copied out of it before it runs again."""


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Return fn, which refuses to be called inside a compiled function.

    PyTorch would leave the compiled function for it; here a compiled function is one program.
    """
    if fn is None:
        return lambda function: disable(function, recursive, reason=reason)

    def outside(*args: Any, **kwargs: Any) -> Any:
        capture.refuse(
            f"{getattr(fn, '__name__', fn)}(), which compiler.disable keeps out,",
            "call it outside the compiled function",
        )
        return fn(*args, **kwargs)

    return outside
