"""Errors that users see, each saying what was got, what was wanted and what to do."""


class ShapeError(RuntimeError, ValueError):
    """Shapes do not fit together."""


class DTypeError(RuntimeError, TypeError):
    """An op has no meaning for these dtypes."""


class CompileError(RuntimeError):
    """A function cannot be compiled as written."""
