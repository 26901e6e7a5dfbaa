"""Whole modules in files: pickles of Python's, whose classes a reader has to allow.

A state_dict is data; a module is its class, too, and what a class does is code. So load() takes
only what it knows to be harmless (layers of jitnet.nn, tensors) and what add_safe_globals() names;
told weights_only=False, also modules of any class that the program itself has defined or imported.
A file never has something imported, nor anything else called.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from jitnet.nn.module import Module
from jitnet.nn.parameter import Parameter
from jitnet.nn.tables import Table
from jitnet.runtime.dtype import DType, from_numpy_dtype

from .errors import CheckpointError

ENTRY = "objects.pkl"  # in the archive

_DATA = {
    ("__builtin__", "set"),
    ("__builtin__", "frozenset"),
    ("__builtin__", "complex"),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
    ("collections", "Counter"),
    ("jitnet.serialize.objects", "_array"),
    ("jitnet.tensors.history", "_rebuilt"),
    ("jitnet.tensors.memory", "Memory"),
    ("jitnet.runtime.dtype", "dtype_named"),
    ("jitnet.tensors.size", "Size"),
}
_DAMAGED = (
    pickle.UnpicklingError, EOFError, TypeError, ValueError, LookupError, AttributeError,
    OverflowError, MemoryError, RecursionError,
)  # fmt: skip
_allowed: dict[tuple[str, str], Any] = {}


class HoldsModuleError(TypeError):
    """Says that a value is no data, but a module or holds one."""


def add_safe_globals(safe_globals: Sequence[Any]) -> None:
    """Let load() make these classes and call these functions where a file names them.

    An item may be a pair of it and of its full name, "package.module.Name".
    """
    for item in safe_globals:
        value, name = item if isinstance(item, tuple) else (item, None)
        module, _, own = (name or f"{value.__module__}.{value.__qualname__}").rpartition(".")
        _allowed[module, own] = value


def get_safe_globals() -> list[Any]:
    """Return what add_safe_globals() was given."""
    return list(_allowed.values())


def clear_safe_globals() -> None:
    """Forget what add_safe_globals() was given."""
    _allowed.clear()


@contextmanager
def safe_globals(safe_globals: Sequence[Any]) -> Iterator[None]:
    """Allow classes and functions inside a block."""
    before = dict(_allowed)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _allowed.clear()
        _allowed.update(before)


def write_objects(value: Any) -> bytes:
    """Return the pickle of modules and what goes with them; TypeError for what has none."""
    file = io.BytesIO()
    try:
        _Writer(file, 2).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(f"cannot save the module: {error}; save its state_dict()") from error
    return file.getvalue()


def read_objects(blob: bytes, weights_only: bool | None) -> Any:
    """Return what write_objects wrote; CheckpointError for what is not allowed, or damaged."""
    try:
        return _Careful(io.BytesIO(blob), any_module=weights_only is False).load()
    except CheckpointError:
        raise
    except _DAMAGED as error:
        raise CheckpointError(f"the file's modules are damaged: {error}") from error


class _Writer(pickle.Pickler):
    """Writes arrays as their dtype, shape and elements.

    NumPy's own pickles say how a dtype counts references, too, and NumPy believes what they say.
    """

    def reducer_override(self, value: Any) -> Any:
        """Return how an array is written; all else is written as Python does."""
        if type(value) is not np.ndarray:
            return NotImplemented
        return _array, (from_numpy_dtype(value.dtype), value.shape, value.tobytes())


def _array(dtype: DType, shape: tuple[int, ...], content: bytes) -> np.ndarray:
    """Return an array that a file describes."""
    if not isinstance(dtype, DType) or type(content) is not bytes:
        raise CheckpointError("an array wants a dtype and bytes")
    return np.frombuffer(content, dtype.numpy).reshape(shape).copy()


class _Careful(pickle.Unpickler):
    """Reads a pickle that names harmless things only.

    any_module: whether these are all subclasses of Module and Parameter that are there already.
    """

    def __init__(self, file: io.BytesIO, any_module: bool) -> None:
        super().__init__(file)
        self._any_module = any_module

    def find_class(self, module: str, name: str) -> Any:
        """Return what a file names."""
        if (module, name) in _allowed:
            return _allowed[module, name]
        if (module, name) in _DATA:
            return super().find_class(module, name)
        if self._any_module or module.startswith("jitnet.nn."):
            found = _defined(module, name)
            if isinstance(found, type) and issubclass(found, (Module, Parameter, Table)):
                return found
        raise CheckpointError(
            f"the file holds objects of {module}.{name}, which is code: allow it with "
            "jitnet.serialization.add_safe_globals; a module's own class is allowed by "
            "load(..., weights_only=False), too, once the program has imported it"
        )


def _defined(module: str, name: str) -> Any:
    """Return what a module that is imported already calls so, or None."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
