"""save and load: nested state (tensors and plain values) in one safetensors file, never pickle.

The file's tensors have names that say where they stand ("model.fc.weight"), so that any safetensors
reader can use it; how they nest, and the plain values, are JSON in the file's metadata. A file
without that, such as one that PyTorch users make, loads as a dict of tensors.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_bytes

from jitnet.runtime.dtype import DType, dtype_named

from .structure import pack, unpack
from .tensor import Tensor

FileLike = str | os.PathLike[str] | BinaryIO

_METADATA = "jitnet"
_FORMAT = "1"
_FROM_FILE = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
}


def save(obj: Any, f: FileLike) -> None:
    """Write nested dicts, lists and tuples of tensors and plain values to a file.

    The file is replaced at once when all is written: a failure leaves the old one. A tensor that
    stands in two places is stored once and is one tensor again when loaded. TypeError names what
    cannot be stored, such as a Module (save its state_dict()) or a function.

    >>> jitnet.save({"model": model.state_dict(), "epoch": 3}, "checkpoint.jt")
    """
    structure, tensors = pack(obj)
    metadata = {_METADATA: json.dumps({"format": _FORMAT, "structure": structure})}
    _write(f, _encode(tensors, metadata))


def load(f: FileLike) -> Any:
    """Return what save wrote; of any other safetensors file, a dict of its tensors.

    ValueError if the file is damaged or is something else; then nothing is loaded.
    """
    blob, name = _read(f)
    tensors, metadata = _decode(blob, name)
    if _METADATA not in metadata:
        return tensors
    try:
        head = json.loads(metadata[_METADATA])
        written, structure = head["format"], head["structure"]
        if written == _FORMAT:
            return unpack(structure, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name} has damaged metadata: {error!r}") from error
    raise ValueError(
        f"{name} was written in format {written}, this jitnet reads {_FORMAT}: "
        "install a newer jitnet"
    )


def save_file(
    tensors: Mapping[str, Tensor], filename: FileLike, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a flat dict of tensors as a plain safetensors file, as safetensors.torch.save_file."""
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise TypeError(f"save_file wants a dict of str to Tensor, got {name!r}: {tensor!r}")
    _write(filename, _encode(dict(tensors), dict(metadata or {"format": "pt"})))


def load_file(filename: FileLike) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, by name."""
    blob, name = _read(filename)
    tensors, _ = _decode(blob, name)
    return tensors


# Bytes


def _encode(tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Return a safetensors file."""
    arrays = {name: np.array(tensor._copied(), order="C") for name, tensor in tensors.items()}
    return bytes(to_bytes(arrays, metadata))


def _decode(blob: bytes, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a safetensors file's tensors and metadata; ValueError for what is none."""
    try:
        entries = deserialize(blob)
    except SafetensorError as error:
        raise ValueError(_no_safetensors(blob, name, error)) from error
    length = struct.unpack("<Q", blob[:8])[0]
    metadata = json.loads(blob[8 : 8 + length]).get("__metadata__", {})
    unknown = {key: entry["dtype"] for key, entry in entries if entry["dtype"] not in _FROM_FILE}
    if unknown:
        key, kind = next(iter(unknown.items()))
        raise ValueError(
            f"{name} holds {len(unknown)} tensors of dtypes that jitnet lacks, such as {key!r} "
            f"({kind}); convert them to F32 before saving"
        )
    return {key: _tensor(entry) for key, entry in entries}, metadata


def _no_safetensors(blob: bytes, name: str, error: SafetensorError) -> str:
    if blob[:2] in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return (
            f"{name} is a pickle (torch.save writes those); jitnet does not run code from files: "
            "save the state_dict with safetensors.torch.save_file"
        )
    return f"{name} is not a safetensors file, or is damaged: {error}"


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    dtype: DType = dtype_named(_FROM_FILE[entry["dtype"]])
    little = dtype.numpy.newbyteorder("<")
    array = np.frombuffer(entry["data"], little).reshape(entry["shape"])
    return Tensor._from_array(array.astype(dtype.numpy))


# Files


def _read(f: FileLike) -> tuple[bytes, str]:
    """Return a file's bytes, and its name for errors."""
    if hasattr(f, "read"):
        return f.read(), getattr(f, "name", None) or type(f).__name__
    path = Path(f)
    return path.read_bytes(), str(path)


def _write(f: FileLike, blob: bytes) -> None:
    """Write a whole file, or leave the old one as it was."""
    if hasattr(f, "write"):
        f.write(blob)
        return
    path = Path(f)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {path.parent}")
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_for(path))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode_for(path: Path) -> int:
    """Return the permissions of the old file, or those that a new one gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
