"""IDX files, in which MNIST comes: a magic number, the dims, then the values, big-endian."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

# The third byte of the magic number -> element type.
_TYPES = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the array of an IDX file, plain or gzipped.

    ValueError says what is wrong with a file that is none: its magic number, its dims, its length.
    """
    path = Path(path)
    content = _content(path)
    if len(content) < 4:
        raise ValueError(f"{path} is no IDX file: it has {len(content)} bytes, want at least 4")
    zeros, code, rank = struct.unpack(">HBB", content[:4])
    if zeros != 0 or code not in _TYPES:
        raise ValueError(
            f"{path} is no IDX file: its magic number is 0x{content[:4].hex()}, "
            "want 0x0000, an element type (08 for bytes) and the number of dims"
        )
    start = 4 + 4 * rank
    if len(content) < start:
        raise ValueError(f"{path} is cut off: {len(content)} bytes, its {rank} dims need {start}")
    shape = struct.unpack(f">{rank}I", content[4:start])
    wanted = start + math.prod(shape) * _TYPES[code].itemsize
    if len(content) != wanted:
        state = "cut off" if len(content) < wanted else "too long"
        raise ValueError(
            f"{path} is {state}: its dims {shape} of {_TYPES[code].name} need {wanted} bytes, "
            f"it has {len(content)}"
        )
    values = np.frombuffer(content, _TYPES[code], offset=start).reshape(shape)
    return values.astype(_TYPES[code].newbyteorder("="))


def _content(path: Path) -> bytes:
    """Return a file's bytes, unzipped if they are gzipped, whatever the file is called."""
    raw = path.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a damaged gzip file: {error}") from error
