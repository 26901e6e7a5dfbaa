"""What jitnet says of itself to programs that speak the Python array API standard (2024.12)."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from jitnet.runtime.dtype import DType, int64

from .device import CPU, Device, get_default_device, placed
from .functional.standard import dtypes_of
from .tensor import Tensor
from .tensors import making

VERSION = "2024.12"
_VERSIONS = ("2021.12", "2022.12", "2023.12", VERSION)
_MAX_DIMS = 64  # NumPy's


class NamespaceInfo:
    """The standard's inspection of a namespace: devices, dtypes, what works."""

    def capabilities(self) -> dict[str, Any]:
        """Return what an eager program can do."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": _MAX_DIMS,
        }

    def default_device(self) -> Device:
        """Return where tensors are made."""
        return get_default_device()

    def devices(self) -> list[Device]:
        """Return where tensors can be."""
        return [CPU]

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """Return the dtypes of tensors that are made without saying one."""
        placed(device)
        return {
            "real floating": making.get_default_dtype(),
            "complex floating": making.get_default_dtype().to_complex(),
            "integral": int64,
            "indexing": int64,
        }

    def dtypes(
        self, *, device: Any = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, DType]:
        """Return the standard's dtypes that exist here, of a kind such as "integral"."""
        placed(device)
        return dtypes_of(kind)


def namespace_info() -> NamespaceInfo:
    """Return what this namespace can do: the standard's `__array_namespace_info__`."""
    return NamespaceInfo()


def namespace_of(self: Tensor, /, *, api_version: str | None = None) -> ModuleType:
    """Return jitnet, whose functions take this tensor; ValueError for another version."""
    import jitnet

    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(f"jitnet knows the array API up to {VERSION}, got {api_version!r}")
    return jitnet


def to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """Return the tensor on a device; an error for one that is not there."""
    if stream is not None:
        raise ValueError(f"to_device takes no stream, got {stream!r}; use jitnet.cuda.stream")
    return making.on_device(self, device)
