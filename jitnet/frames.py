"""The user's source line: the first frame outside this package."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parent
_OURS = tuple(
    str(folder) + os.sep for folder in (_HERE, _CHECKOUT / "compiler", _CHECKOUT / "runtime")
)


@lru_cache(maxsize=None)
def resolved(filename: str) -> str:
    """Return a file's path without symbolic links; what is no file, such as "<string>", as it is.

    It asks the system about every folder on the way, so each file once.
    """
    return filename if filename.startswith("<") else os.path.realpath(filename)


@lru_cache(maxsize=None)
def is_ours(filename: str) -> bool:
    """Whether a code object's file belongs to jitnet itself, or to the interpreter."""
    return resolved(filename).startswith((*_OURS, "<frozen"))


@lru_cache(maxsize=4096)
def _place(filename: str, line: int) -> str:
    """Return "model.py:31"."""
    return f"{Path(filename).name}:{line}"


def user_line() -> str:
    """Return "file.py:31" of the innermost frame outside jitnet; "" where there is none."""
    frame = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not is_ours(filename):
            return _place(filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return ""
