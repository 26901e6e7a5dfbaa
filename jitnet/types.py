"""jitnet.types: names for annotations."""

from __future__ import annotations

from builtins import bool as _bool
from builtins import float as _float
from builtins import int as _int
from collections.abc import Sequence

from jitnet.runtime.dtype import DType as _dtype  # noqa: N813

from .device import device as _device
from .tensor import Tensor
from .tensors.size import Size

Number = _int | _float | _bool
Device = _device | str | _int | None
Storage = object
_size = Size | Sequence[_int]
_TensorOrTensors = Tensor | Sequence[Tensor]

__all__ = ["Device", "Number", "Storage", "_TensorOrTensors", "_device", "_dtype", "_size"]
