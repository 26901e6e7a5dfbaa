"""mma.sync: a warp's product of small matrices, whose elements its lanes hold.

PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type" and "Matrix Fragments for
mma.m16n8k8": groupID is the lane divided by 4, threadID_in_group the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
WARP = 32

_GROUP, _MEMBER = np.arange(WARP) // 4, np.arange(WARP) % 4


@dataclass(frozen=True)
class Shape:
    """Where elements of a fragment lie in their matrix: row and column, by element and lane.

    each: elements in a register.  numbers: what registers' bits stand for, as float32.
    """

    depth: int
    each: int
    a: tuple[Array, Array]
    b: tuple[Array, Array]
    numbers: Callable[[Array], Array]


def _half_places() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """m16n8k16: elements a0..a7 and b0..b3, two in a register."""
    a_rows, a_columns, b_rows, b_columns = [], [], [], []
    for i in range(8):
        a_rows.append(_GROUP + (0 if i < 2 or 4 <= i < 6 else 8))
        a_columns.append(_MEMBER * 2 + (i & 1) + (8 if i >= 4 else 0))
    for i in range(4):
        b_rows.append(_MEMBER * 2 + (i & 1) + (8 if i >= 2 else 0))
        b_columns.append(_GROUP)
    return (np.array(a_rows), np.array(a_columns)), (np.array(b_rows), np.array(b_columns))


def _word_places() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """m16n8k8 of tf32: elements a0..a3 and b0, b1, one in a register."""
    a_rows = [_GROUP + (8 if i in (1, 3) else 0) for i in range(4)]
    a_columns = [_MEMBER + (4 if i >= 2 else 0) for i in range(4)]
    b_rows = [_MEMBER + 4 * i for i in range(2)]
    b_columns = [_GROUP, _GROUP]
    return (np.array(a_rows), np.array(a_columns)), (np.array(b_rows), np.array(b_columns))


def _from_bfloat16(words: Array) -> Array:
    return (words.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)


def _from_float16(words: Array) -> Array:
    return words.view(np.float16).astype(np.float32)


def _from_tf32(words: Array) -> Array:
    """The bits that tensor cores do not look at are dropped."""
    return (words & np.uint32(0xFFFFE000)).view(np.float32)


_SUFFIX = "row.col.f32.{0}.{0}.f32"
SHAPES = {
    f"mma.sync.aligned.m16n8k16.{_SUFFIX.format('bf16')}": Shape(
        16, 2, *_half_places(), _from_bfloat16
    ),
    f"mma.sync.aligned.m16n8k16.{_SUFFIX.format('f16')}": Shape(
        16, 2, *_half_places(), _from_float16
    ),
    f"mma.sync.aligned.m16n8k8.{_SUFFIX.format('tf32')}": Shape(8, 1, *_word_places(), _from_tf32),
}
_SUM_ROWS = np.array([_GROUP + (8 if i >= 2 else 0) for i in range(4)])
_SUM_COLUMNS = np.array([_MEMBER * 2 + (i & 1) for i in range(4)])


def multiply(shape: Shape, a: list[Array], b: list[Array], c: list[Array]) -> list[Array]:
    """Return the sums of whole warps' lanes: c + a @ b, each sum rounded once."""
    left = _matrix(shape, a, shape.a, (16, shape.depth))
    right = _matrix(shape, b, shape.b, (shape.depth, 8))
    product = left.astype(np.float64) @ right.astype(np.float64)
    sums = product[:, _SUM_ROWS, _SUM_COLUMNS]  # (warps, 4, 32)
    return [
        (sums[:, number].reshape(-1) + before.astype(np.float64)).astype(np.float32)
        for number, before in enumerate(c)
    ]


def _matrix(
    shape: Shape, registers: list[Array], places: tuple[Array, Array], size: tuple[int, int]
) -> Array:
    """Return the matrices that lanes' registers hold, one of each warp."""
    words = np.ascontiguousarray(np.stack(registers, 1))  # lanes, registers
    numbers = shape.numbers(words).reshape(-1, WARP, len(registers) * shape.each)
    found = np.full((len(numbers), *size), np.nan, np.float32)
    found[:, places[0], places[1]] = numbers.transpose(0, 2, 1)
    return found
