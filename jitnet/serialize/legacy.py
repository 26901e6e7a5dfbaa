"""Checkpoints of PyTorch before 1.6: several pickles, and behind them the storages' bytes.

A storage is named, with its size, before its bytes are reached: so it is made empty and filled
later, and all storages together may not be larger than the file.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .elements import stored_dtype
from .errors import CheckpointError, shown
from .machine import read_pickles
from .storages import LARGEST, MapLocation, Storage, StorageKind, TypedStorage, placed
from .vocabulary import vocabulary

MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickle of a number that all begin with
_PROTOCOL = 1001


def read_legacy(blob: bytes, map_location: MapLocation) -> Any:
    """Return the object of such a file's bytes."""
    storages = _Storages(len(blob), map_location)
    plain = vocabulary(_refused)
    pickles = read_pickles(blob, [plain, plain, plain, vocabulary(storages.persistent), plain])
    (_, protocol, system, value, keys), end = pickles
    if type(protocol) is not int or protocol != _PROTOCOL or not isinstance(system, dict):
        raise CheckpointError(f"the file has the protocol {shown(protocol)}, not {_PROTOCOL}")
    if system.get("little_endian") is not (sys.byteorder == "little"):
        raise CheckpointError("the file was written on a machine of the other byte order")
    storages.fill(keys, blob, end)
    return value


def _refused(identity: Any) -> Any:
    raise CheckpointError("the file names a storage where there is none")


class _Storages:
    """The storages that a file names, filled when their bytes are reached."""

    def __init__(self, size: int, map_location: MapLocation) -> None:
        self._left = size
        self._map_location = map_location
        self._made: dict[str, tuple[Storage, np.ndarray, int]] = {}  # with bytes of an element

    def persistent(self, identity: Any) -> TypedStorage:
        """Return the storage that a pickle's persistent id names."""
        match identity:
            case (str(word), StorageKind(dtype), str(key), str(location), int(numel), None) if (
                word == "storage" and 0 <= numel < LARGEST
            ):
                pass
            case _:
                raise CheckpointError(f"a persistent id must name a storage, got {shown(identity)}")
        size = stored_dtype(dtype).size
        if key not in self._made:
            self._left -= size * numel
            if self._left < 0:
                raise CheckpointError(f"storage {key!r} of {numel} elements is not in the file")
            content = np.empty(size * numel, np.uint8)
            storage = placed(Storage(content, False), location, self._map_location)
            self._made[key] = storage, content, size
        storage, content, _ = self._made[key]
        if len(content) != size * numel:
            raise CheckpointError(f"storage {key!r} is named with different sizes")
        return TypedStorage(storage, dtype, numel)

    def fill(self, keys: Any, blob: bytes, start: int) -> None:
        """Read the bytes of the storages, which stand in the order of keys."""
        named = isinstance(keys, list) and all(type(key) is str for key in keys)
        if not named or sorted(keys) != sorted(self._made):
            raise CheckpointError("the file's storages are not those that its tensors name")
        for key in keys:
            _, content, size = self._made[key]
            end = start + 8 + len(content)
            numel = int.from_bytes(blob[start : start + 8], "little")
            if end > len(blob) or numel * size != len(content):
                raise CheckpointError(f"storage {key!r} is cut off, or has {numel} elements")
            content[:] = np.frombuffer(blob, np.uint8, len(content), start + 8)
            start = end
