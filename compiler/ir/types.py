"""The type of a value: element type and shape."""

from __future__ import annotations

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType

from .dims import Shape, numel


@dataclass(frozen=True)
class TensorType:
    """dtype and shape of a value; strides are a buffer's affair, not a value's."""

    dtype: DType
    shape: Shape

    @property
    def numel(self) -> int:
        """Number of elements."""
        return numel(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, packed."""
        return self.numel * self.dtype.size

    def __str__(self) -> str:
        return f"{self.dtype.short}[{', '.join(map(str, self.shape))}]"
