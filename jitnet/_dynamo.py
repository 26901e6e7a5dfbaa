"""jitnet._dynamo: what programs ask of PyTorch's tracer, said to jitnet's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .compiling import disable as disable
from .compiling import reset as reset

config = SimpleNamespace()  # may be set, and changes nothing


def allow_in_graph(function: Any) -> Any:
    """Return the function: all that can be traced is."""
    return function


def optimize(*options: Any, **named: Any) -> Any:
    """Return jitnet.compile."""
    from . import compile

    return compile
