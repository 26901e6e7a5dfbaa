"""The zip file around a checkpoint: entries that are stored as they are, one behind the other.

Everything about an entry is checked against the file before a byte of it is used: PyTorch never
compresses, so nothing can grow; no two entries share bytes; none reaches past the file's end.
"""

from __future__ import annotations

import mmap
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from jitnet.runtime.memory import aligned_empty

from .errors import CheckpointError

_LOCAL = struct.Struct("<4s22xHH")  # an entry's own header: its signature, lengths of name, extra
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1
_ALIGNMENT = 64  # of each entry's bytes in the file, so that they can be used where they lie
_BROKEN = (
    zipfile.BadZipFile, struct.error, NotImplementedError, OverflowError, EOFError, ValueError,
)  # fmt: skip


def is_archive(file: BinaryIO) -> bool:
    """Return whether a file begins as a zip file does, and leave its position."""
    start = file.tell()
    found = file.read(len(_SIGNATURE)) == _SIGNATURE
    file.seek(start)
    return found


@dataclass(frozen=True)
class _Entry:
    """Where an entry's bytes are."""

    start: int
    size: int
    checksum: int  # CRC-32; 0: the writer computed none


class Archive:
    """The entries of a checkpoint, by their name without the folder that all share."""

    def __init__(self, file: BinaryIO, name: str, mapped: bool) -> None:
        self.name = name
        self._file = file
        self._memory = (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if mapped else None
        )  # writes stay in this process
        self._entries = _entries(file, name)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def size(self, name: str) -> int:
        """Return the number of bytes of an entry."""
        if name not in self._entries:
            raise CheckpointError(f"{self.name} has no entry {name!r}, or is damaged")
        return self._entries[name].size

    def read(self, name: str) -> np.ndarray:
        """Return an entry's bytes: mapped from the file, or read and checked."""
        size = self.size(name)
        entry = self._entries[name]
        if self._memory is not None and size:
            return np.frombuffer(self._memory, np.uint8, size, entry.start)
        content = aligned_empty((size,), np.dtype(np.uint8))
        self._file.seek(entry.start)
        if self._file.readinto(content.data) != size:  # type: ignore[attr-defined]
            raise CheckpointError(f"{self.name} ends within {name!r}: it is cut off")
        if entry.checksum and zlib.crc32(content.data) != entry.checksum:
            raise CheckpointError(f"{self.name}: the bytes of {name!r} are damaged (CRC-32)")
        return content


def _entries(file: BinaryIO, name: str) -> dict[str, _Entry]:
    """Return the checked entries of a zip file."""
    try:
        infos = zipfile.ZipFile(file).infolist()
    except _BROKEN as error:
        raise CheckpointError(f"{name} is a damaged zip file: {error}") from error
    length = file.seek(0, 2)
    folder = infos[0].filename.partition("/")[0] + "/" if infos else ""
    found: dict[str, _Entry] = {}
    ends = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if not info.filename.startswith(folder) or info.filename[len(folder) :] in found:
            raise CheckpointError(f"{name} has an unexpected entry {info.filename!r}")
        entry = _entry(file, info, length, name)
        if info.header_offset < ends:
            raise CheckpointError(f"{name}: entry {info.filename!r} overlaps the one before")
        ends = entry.start + entry.size
        found[info.filename[len(folder) :]] = entry
    return found


def _entry(file: BinaryIO, info: zipfile.ZipInfo, length: int, name: str) -> _Entry:
    what = f"{name}: entry {info.filename!r}"
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise CheckpointError(f"{what} is compressed; torch.save never does that")
    if info.flag_bits & _ENCRYPTED:
        raise CheckpointError(f"{what} is encrypted")
    if not 0 <= info.header_offset <= length - _LOCAL.size:
        raise CheckpointError(f"{what} begins at byte {info.header_offset} of {length}")
    file.seek(info.header_offset)
    signature, name_length, extra_length = _LOCAL.unpack(file.read(_LOCAL.size))
    start = info.header_offset + _LOCAL.size + name_length + extra_length
    if signature != _SIGNATURE or start + info.file_size > length:
        raise CheckpointError(f"{what} reaches past the end of the file, or is damaged")
    return _Entry(start, info.file_size, info.CRC)


def write_archive(file: BinaryIO, entries: Mapping[str, Any]) -> None:
    """Write a checkpoint's zip file: name -> bytes, each at a multiple of 64 in the file."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            info = zipfile.ZipInfo(f"archive/{name}")
            info.extra = _padding(file.tell(), info, len(content))
            archive.writestr(info, content)


def _padding(position: int, info: zipfile.ZipInfo, size: int) -> bytes:
    """Return a field of an entry's header that puts what follows it at an aligned place."""
    large = 20 if size * 1.05 > zipfile.ZIP64_LIMIT else 0  # what zipfile adds for a large entry
    start = position + _LOCAL.size + len(info.filename.encode()) + 4 + large
    fill = -start % _ALIGNMENT
    return struct.pack("<2sH", b"FB", fill) + b"Z" * fill
