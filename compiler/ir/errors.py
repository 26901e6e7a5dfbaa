"""Errors that users see, each saying what was got, what was wanted and what to do."""

from jitnet.runtime.dtype import DTypeError as DTypeError


class ShapeError(RuntimeError, ValueError):
    """Shapes do not fit together."""


class HostError(RuntimeError):
    """Stands in a program's messages for what a host node raised; the message is its line."""


class LinAlgError(RuntimeError):
    """A matrix has no such inverse or decomposition: torch.linalg.LinAlgError."""


class DivisionError(ZeroDivisionError, RuntimeError):
    """Whole numbers were divided by zero: RuntimeError as in PyTorch, Python's own error too."""


class CompileError(RuntimeError):
    """A function cannot be compiled as written."""
