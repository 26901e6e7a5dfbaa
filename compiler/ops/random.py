"""Counter-based random numbers: the same stream whatever the layout, the fusion or the device.

`state` is int64[2] = (seed, number of the call); the caller advances the number. Element i of a
call reads word (i % 32) // 8 of Philox4x32-10 block (i // 32) * 8 + i % 8, so that eight lanes
of a vector compute eight neighbouring blocks. What the words become:

random_bits: the word.
random_uniform: float32: (word >> 8) * 2^-24. float64: (word * 2^21 + (second >> 11)) * 2^-53.
random_normal: sqrt(-2 log u) cos(2 pi v), where float32: u = ((word >> 8) + 1) * 2^-24,
    v = (second >> 8) * 2^-24; float64: u = (word + 1) * 2^-32, v = second * 2^-32.

`second` is the same word of a second evaluation with bit 31 of the call's high half set.
Philox: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jitnet.compiler.ir.dims import Shape, numel
from jitnet.compiler.ir.errors import DTypeError, ShapeError
from jitnet.compiler.ir.lowering import Inline
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import DType, int64

from . import check, places

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLY = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_SECOND = np.uint64(1 << 31)

Words = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def philox(key: tuple[int, int], counter: Words) -> Words:
    """Return the four random words of each counter; words are 32 bits in uint64 arrays."""
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(_ROUNDS):
        first, second = _MULTIPLY[0] * c0, _MULTIPLY[1] * c2
        c0 = (second >> _HALF) ^ c1 ^ np.uint64(k0)
        c2 = (first >> _HALF) ^ c3 ^ np.uint64(k1)
        c1, c3 = second & _LOW, first & _LOW
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(state: np.ndarray, count: int, second: bool = False) -> np.ndarray:
    """Return the random words of elements 0 .. count - 1, as uint64."""
    seed, call = (int(value) & 0xFFFFFFFFFFFFFFFF for value in state)
    groups = -(-count // 32)
    block = np.arange(groups * 8, dtype=np.uint64)
    call_high = np.uint64(call >> 32) | (_SECOND if second else np.uint64(0))
    counter = (
        block & _LOW,
        block >> _HALF,
        np.full_like(block, call & 0xFFFFFFFF),
        np.full_like(block, call_high),
    )
    four = philox((seed & 0xFFFFFFFF, seed >> 32), counter)
    lanes = np.stack([word.reshape(groups, 8) for word in four], axis=1)
    return lanes.reshape(groups * 32)[:count]


def _uniform(state: np.ndarray, count: int, dtype: np.dtype) -> np.ndarray:
    first = words(state, count)
    if dtype == np.float32:
        return (first >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
    rest = words(state, count, second=True) >> np.uint64(11)
    return ((first << np.uint64(21)) + rest).astype(np.float64) * 2.0**-53


def _normal(state: np.ndarray, count: int, dtype: np.dtype) -> np.ndarray:
    bits = np.uint64(8 if dtype == np.float32 else 0)
    unit = dtype.type(2.0**-24 if dtype == np.float32 else 2.0**-32)
    first = (words(state, count) >> bits) + np.uint64(1)
    second = words(state, count, second=True) >> bits
    u, v = first.astype(dtype) * unit, second.astype(dtype) * unit
    radius = np.sqrt(dtype.type(-2) * np.log(u))
    result: np.ndarray = radius * np.cos(dtype.type(2 * np.pi) * v)
    return result


def _bits(state: np.ndarray, count: int, dtype: np.dtype) -> np.ndarray:
    return words(state, count).astype(np.int64)


def _random(
    name: str, draw: Callable[[np.ndarray, int, np.dtype], np.ndarray], kinds: tuple[str, ...]
) -> Op:
    def infer(state: TensorType, *, shape: Shape, dtype: DType) -> TensorType:
        if state != TensorType(int64, (2,)):
            raise ShapeError(f"{name} wants a state int64[2] of seed and call, got {state}")
        result = TensorType(dtype, shape)
        check.kind(name, kinds, result)
        if dtype.narrow:
            raise DTypeError(f"{name} draws no {dtype.name}; draw float32 and cast that")
        return result

    def run(state: np.ndarray, *, shape: Shape, dtype: DType) -> np.ndarray:
        return draw(state, numel(shape), dtype.numpy).reshape(shape)

    return Op(name, infer, run, lower=Inline(places.random(name)))


random_uniform = _random("random_uniform", _uniform, ("float",))
random_normal = _random("random_normal", _normal, ("float",))
random_bits = _random("random_bits", _bits, ("int",))

OPS = (random_uniform, random_normal, random_bits)
