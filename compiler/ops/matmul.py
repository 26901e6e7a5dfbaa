"""Batched matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.lowering import Contraction
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from . import check
from .complex_parts import conjugated
from .elementwise import NUMBER, quiet
from .movement import permute


def _matmul_type(a: TensorType, b: TensorType) -> TensorType:
    check.kind("matmul", NUMBER, a, b)
    check.same_dtype("matmul", a, b)
    if len(a.shape) < 2 or len(a.shape) != len(b.shape) or a.shape[:-2] != b.shape[:-2]:
        raise ShapeError(f"matmul wants two matrices with equal batch dims, got {a} @ {b}")
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"matmul wants inner dims equal, got {list(a.shape)} @ {list(b.shape)}: "
            f"{a.shape[-1]} and {b.shape[-2]}"
        )
    return TensorType(a.dtype, (*a.shape[:-1], b.shape[-1]))


def transposed(x: Any) -> Any:
    """Exchange the last two dims."""
    rank = len(x.shape)
    return permute(x, axes=(*range(rank - 2), rank - 1, rank - 2))


def _matmul_grad(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    return (
        lambda: matmul(g, transposed(conjugated(b))),
        lambda: matmul(transposed(conjugated(a)), g),
    )


matmul = Op(
    "matmul", _matmul_type, quiet(np.matmul), _matmul_grad, Contraction("matmul"), keeps=(0, 1)
)

OPS = (matmul,)
