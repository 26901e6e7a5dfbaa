"""Functions of Python that native code calls in the middle of a program, on memory of its own.

The thread that called the program calls them; it has let go of the interpreter meanwhile, and takes
it back for the time of the call. Other threads of the program wait at the next barrier. What is
computed here must not run a program itself: programs take turns, and this one has not ended.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataclass import dataclass

FINE, FAILED = 0, 1


@dataclass(frozen=True)
class Place:
    """How an array lies in memory; strides in elements."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Memory:
    """Memory at an address, as NumPy asks for it (__array_interface__)."""

    def __init__(self, place: Place, writeable: bool) -> None:
        size = place.dtype.itemsize
        self._writeable = writeable
        self._dtype = place.dtype
        self.__array_interface__: dict[str, Any] = {
            "version": 3,
            "typestr": place.dtype.str,
            "shape": place.shape,
            "strides": tuple(size * step for step in place.strides),
        }

    def at(self, address: int) -> NDArray[Any]:
        """Return the array that lies at an address."""
        self.__array_interface__["data"] = (address, not self._writeable)
        found = np.asarray(self)
        # The description of a type that is not NumPy's own, such as bfloat16, says its size only.
        return found if found.dtype == self._dtype else found.view(self._dtype)


class _Last(threading.local):
    """What this thread's last failed call raised."""

    error: BaseException | None = None


_last = _Last()


def take_error() -> BaseException | None:
    """Return what this thread's last call of the host raised, once."""
    error, _last.error = _last.error, None
    return error


class HostFunction:
    """A function of arrays as native code calls it: with the address of each, and of the result.

    places: of the arguments, and of the result. The call returns FINE, or FAILED after an error,
    which `take_error` gives to the thread that called the program.
    """

    def __init__(self, function: Callable[..., NDArray[Any]], places: Sequence[Place]) -> None:
        self._function = function
        self._memory = [_Memory(place, place is places[-1]) for place in places]
        prototype = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * len(places))
        self._callback = prototype(self._run)  # lives as long as native code may call it

    @property
    def address(self) -> int:
        """Where native code finds it."""
        found = ctypes.cast(self._callback, ctypes.c_void_p).value
        assert found is not None
        return found

    def _run(self, *addresses: int | None) -> int:
        try:
            pairs = zip(self._memory, addresses, strict=True)
            *args, result = [memory.at(address or 0) for memory, address in pairs]
            value = self._function(*args)
            assert value.shape == result.shape, f"the host gave {value.shape}, not {result.shape}"
            np.copyto(result, value, casting="no")
        except BaseException as error:  # an interrupt, too, has to pass through native code
            _last.error = error
            return FAILED
        return FINE
