"""Whose code is it: the user's, a library's, Python's, or jitnet's own?"""

from __future__ import annotations

import sysconfig
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from ..frames import is_ours, resolved

_HERE = Path(__file__).resolve().parents[1]
_LIBRARY = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib"))
# Packages may also lie elsewhere on Python's path: there, where NumPy does.
_SITE_FOLDERS = (*map(sysconfig.get_path, ("purelib", "platlib")), Path(np.__file__).parents[1])
_SITE = tuple(str(Path(folder).resolve()) for folder in _SITE_FOLDERS)
_NO_TENSORS = ("numpy", "llvmlite", "sympy", "mpmath")  # what these keep for themselves is theirs
_COMPUTES_NOTHING = tuple(f"{folder}/{name}" for folder in _SITE for name in _NO_TENSORS)
_USER_LIKE = tuple(str(_HERE / name) for name in ("nn", "optim"))


def file_of(code: CodeType, globals_: dict[str, Any]) -> str:
    """Return the file that code is from; for generated code, that of the module it belongs to."""
    if code.co_filename.startswith("<"):
        return str(globals_.get("__file__") or code.co_filename)
    return code.co_filename


@lru_cache(maxsize=None)
def is_followed(filename: str) -> bool:
    """Whether code of this file is watched: the user's, nn's and optim's, not Python's or ours."""
    path = resolved(filename)
    if path.startswith("<frozen") or path == "<__array_function__ internals>":
        return False
    if path.startswith(_USER_LIKE):
        return True
    if filename != "<string>" and is_ours(filename):
        return False
    if path.startswith(_SITE):
        return not path.startswith(_COMPUTES_NOTHING)
    return not path.startswith(_LIBRARY)


@lru_cache(maxsize=None)
def is_users(filename: str) -> bool:
    """Whether a file is the user's own: no library's."""
    path = resolved(filename)
    if path.startswith((*_LIBRARY, *_SITE, "<frozen")):
        return False
    return not is_ours(filename) and not path.startswith(_USER_LIKE)


def is_being_imported(globals_: dict[str, Any]) -> bool:
    """Tell whether these are the globals of a module whose import has not ended."""
    return getattr(globals_.get("__spec__"), "_initializing", False)
