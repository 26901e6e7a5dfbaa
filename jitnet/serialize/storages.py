"""A file's storages, and tensors over them: every size, stride and offset checked beforehand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jitnet.device import CPU, Device
from jitnet.device import placed as device_there
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor
from jitnet.tensors.memory import Memory

from .archive import Archive
from .elements import stored_dtype
from .errors import CheckpointError, shown

_MAX_DIMS = 64  # NumPy's
LARGEST = 2**62
MapLocation = str | Device | dict[str, str] | Callable[[Any, str], Any] | None


@dataclass(eq=False)
class Storage:
    """The bytes that tensors lie in; what a function given as map_location gets and returns."""

    content: np.ndarray  # bytes
    swapped: bool  # written on a machine of the other byte order
    device: Device = CPU  # where tensors over it shall be
    memories: dict[DType, Memory] = field(default_factory=dict)

    def memory(self, dtype: DType) -> Memory:
        """Return the bytes as elements that tensors of a dtype share."""
        if dtype not in self.memories:
            self.memories[dtype] = Memory(self.elements(dtype), self.device)
        return self.memories[dtype]

    def elements(self, dtype: DType) -> np.ndarray:
        """Return the bytes as elements."""
        size = dtype.size
        usable = self.content[: len(self.content) // size * size]
        if self.swapped:
            number = size // 2 if dtype.is_complex else size
            usable = usable.reshape(-1, number)[:, ::-1].reshape(-1)
        if usable.ctypes.data % size:
            usable = usable.copy()
        return usable.view(dtype.numpy)


@dataclass(frozen=True)
class TypedStorage:
    """A storage as a tensor names it: with the type and number of its elements."""

    storage: Storage
    dtype: str  # "uint8" for one without a type
    numel: int


class Storages:
    """The storages of an archive, each read once."""

    def __init__(self, archive: Archive, map_location: MapLocation) -> None:
        self._archive = archive
        self._map_location = map_location
        self._read: dict[str, Storage] = {}
        order = bytes(archive.read("byteorder")) if "byteorder" in archive else b"little"
        if order not in (b"little", b"big"):
            raise CheckpointError(f"{archive.name} has the byte order {order[:20]!r}")
        self._swapped = order.decode() != sys.byteorder

    def persistent(self, identity: Any) -> TypedStorage:
        """Return the storage that a pickle's persistent id names."""
        match identity:
            case (str(word), StorageKind(dtype), str(key), str(location), int(numel)) if (
                word == "storage" and 0 <= numel < LARGEST
            ):
                pass
            case _:
                raise CheckpointError(f"a persistent id must name a storage, got {shown(identity)}")
        size = stored_dtype(dtype).size * numel
        if self._archive.size(f"data/{key}") != size:
            raise CheckpointError(
                f"storage {key!r} should have {numel} elements of {dtype}, {size} bytes, but has "
                f"{self._archive.size(f'data/{key}')} bytes"
            )
        if key not in self._read:
            made = Storage(self._archive.read(f"data/{key}"), self._swapped)
            self._read[key] = placed(made, location, self._map_location)
        return TypedStorage(self._read[key], dtype, numel)


@dataclass(frozen=True)
class StorageKind:
    """A class of storages, such as torch.FloatStorage, by its dtype."""

    dtype: str


def placed(storage: Storage, location: str, where: MapLocation) -> Storage:
    """Return the storage where map_location wants it."""
    if callable(where):
        moved = where(storage, location)
        if moved is not None and not isinstance(moved, Storage):
            raise TypeError(f"map_location must return the storage or None, got {moved!r}")
        if moved is not None:
            return moved
    elif isinstance(where, dict):
        location = where.get(location, location)
    elif where is not None:
        location = str(where)
    try:
        storage.device = device_there(location)
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(
            f"the file's tensors were on {location!r}: {error}; load(..., map_location='cpu') "
            "puts them on the CPU"
        ) from None
    return storage


def check_map_location(where: Any) -> MapLocation:
    """Return map_location; TypeError, or RuntimeError for a device that is not there."""
    if isinstance(where, str | Device):
        device_there(where)
    elif not (where is None or isinstance(where, dict) or callable(where)):
        raise TypeError(f"map_location wants a device, a dict or a function, got {where!r}")
    return where  # type: ignore[no-any-return]


def tensor_over(
    typed: TypedStorage, dtype_name: str, offset: Any, shape: Any, strides: Any
) -> Tensor:
    """Return a tensor over a storage; it shares memory with all others there."""
    dtype = stored_dtype(dtype_name)
    storage = typed.storage
    numel = len(storage.content) // dtype.size
    _check_layout(numel, offset, shape, strides)
    return storage.memory(dtype).tensor(offset, shape, strides)


def _check_layout(numel: int, offset: Any, shape: Any, strides: Any) -> None:
    """Raise unless every element of such a tensor lies in a storage of numel elements."""
    wanted = f"offset {shown(offset)}, shape {shown(shape)}, strides {shown(strides)}"
    if type(shape) is not tuple or type(strides) is not tuple or len(shape) != len(strides):
        raise CheckpointError(f"a tensor wants as many strides as sizes, got {wanted}")
    if len(shape) > _MAX_DIMS:
        raise CheckpointError(f"a tensor has at most {_MAX_DIMS} dims, got {len(shape)}")
    for number in (offset, *shape, *strides):
        if type(number) is not int or not 0 <= number < LARGEST:
            raise CheckpointError(f"a tensor wants whole numbers from 0, got {wanted}")
    count = int(np.prod(shape, dtype=object))
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    if count >= LARGEST or (last >= numel if count else offset > numel):
        raise CheckpointError(f"a tensor reaches past its storage of {numel} elements: {wanted}")
