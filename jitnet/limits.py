"""finfo and iinfo: what the numbers of a dtype can be."""

from __future__ import annotations

import ml_dtypes

from jitnet.runtime.dtype import DType

from .tensor import Tensor
from .tensors import making


class finfo:  # noqa: N801
    """The limits of a floating point dtype; of a complex one, those of its parts."""

    def __init__(self, type: DType | Tensor | None = None) -> None:
        type = type.dtype if isinstance(type, Tensor) else type
        dtype = (type or making.get_default_dtype()).to_real()
        if dtype.kind != "float":
            raise TypeError(f"finfo is for floating point dtypes, got {dtype}; use iinfo")
        found = ml_dtypes.finfo(dtype.numpy)
        self.dtype = dtype.name
        self.bits = found.bits
        self.eps, self.max, self.min = float(found.eps), float(found.max), float(found.min)
        self.tiny = self.smallest_normal = float(found.tiny)
        self.resolution = 10.0**-found.precision

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:  # noqa: N801
    """The limits of a dtype of whole numbers."""

    def __init__(self, type: DType | Tensor) -> None:
        type = type.dtype if isinstance(type, Tensor) else type
        if type.kind not in ("int", "uint"):
            raise TypeError(f"iinfo is for dtypes of whole numbers, got {type}; use finfo")
        self.dtype = type.name
        self.bits = 8 * type.size
        self.min, self.max = type.limits

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
