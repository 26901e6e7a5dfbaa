"""safetensors: a flat dict of named tensors, which many other programs read and write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_bytes

from jitnet.runtime.dtype import complex128
from jitnet.tensor import Tensor

from .elements import BY_SAFETENSORS, stored_dtype
from .errors import CheckpointError
from .files import FileLike, open_file, write_file


def save_file(
    tensors: Mapping[str, Tensor], filename: FileLike, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a flat dict of tensors as a safetensors file, as safetensors.torch.save_file."""
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise TypeError(f"save_file wants a dict of str to Tensor, got {name!r}: {tensor!r}")
        if tensor.dtype is complex128:
            raise TypeError(f"safetensors has no complex128, which {name!r} is; save complex64")
    arrays = {name: np.array(tensor._copied(), order="C") for name, tensor in tensors.items()}
    blob = to_bytes(arrays, dict(metadata or {"format": "pt"}))
    write_file(filename, lambda file: file.write(blob))


def load_file(filename: FileLike) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, by name."""
    file, name = open_file(filename)
    with file:
        return decode(file.read(), name)


def decode(blob: bytes, name: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file's bytes; CheckpointError for what is none."""
    try:
        entries = deserialize(blob)
    except SafetensorError as error:
        raise CheckpointError(
            f"{name} is neither a safetensors file nor one of torch.save, or is damaged: {error}"
        ) from error
    return {key: _tensor(key, entry, name) for key, entry in entries}


def _tensor(key: str, entry: Mapping[str, Any], name: str) -> Tensor:
    kind = entry["dtype"]
    try:
        dtype = stored_dtype(BY_SAFETENSORS.get(kind, kind))
    except CheckpointError as error:
        raise CheckpointError(f"{name}, {key!r}: {error}") from None
    little = dtype.numpy.newbyteorder("<")
    array = np.frombuffer(entry["data"], little).reshape(entry["shape"])
    return Tensor._from_array(array.astype(dtype.numpy))
