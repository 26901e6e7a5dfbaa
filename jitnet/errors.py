"""The errors that users see, and how a message gets the line that caused it."""

from __future__ import annotations

from jitnet.compiler.ir.errors import CompileError, DTypeError, ShapeError

from .frames import user_line

__all__ = ["CompileError", "DTypeError", "ShapeError", "at_line"]


def at_line(message: str) -> str:
    """Return the message with the user's line at its end: "...; model.py:31"."""
    line = user_line()
    return f"{message}; {line}" if line else message
