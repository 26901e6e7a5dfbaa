"""sparse.FloatTensor and kin: PyTorch's older names of sparse tensors of one dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitnet.runtime.dtype import DType, float32, float64, int32, int64

from .functions import sparse_coo_tensor
from .tensor import SparseTensor


def _of(dtype: DType) -> Callable[..., SparseTensor]:
    def make(*args: Any, device: Any = None) -> SparseTensor:
        """Return a sparse tensor of indices, values and a size, or of zeros of given sizes."""
        if args and not all(isinstance(arg, int) for arg in args):
            return sparse_coo_tensor(*args, dtype=dtype, device=device)
        return sparse_coo_tensor(args, dtype=dtype, device=device)

    return make


FloatTensor = _of(float32)
DoubleTensor = _of(float64)
IntTensor = _of(int32)
LongTensor = _of(int64)
