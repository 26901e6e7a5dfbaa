"""Runs one scalar function of the code generator over arrays, and measures errors in ulps."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from jitnet.compiler.codegen.emitter import I1, I64, PTR, Function, Module, Value, vector
from jitnet.compiler.codegen.math import emit_scalar, from_memory, to_memory
from jitnet.runtime.cpu import compile_object, host_target, load
from jitnet.runtime.dtype import DType, bool_, from_numpy_dtype
from jitnet.runtime.target import Target

Emit = Callable[..., Value]


def _load(f: Function, pointer: Value, index: Value, dtype: DType, lanes: int) -> Value:
    type_ = vector(dtype.llvm, lanes)
    return from_memory(f, f.load(f.gep(pointer, index, dtype.llvm), type_, dtype.size), dtype)


def _store(f: Function, value: Value, pointer: Value, index: Value, dtype: DType) -> None:
    assert dtype is not bool_ or value.element == I1
    f.store(to_memory(f, value, dtype), f.gep(pointer, index, dtype.llvm), dtype.size)


def kernel_text(
    emit: Emit, arguments: Sequence[DType], result: DType, lanes: int, target: Target
) -> str:
    """Return a module with kernel(arguments..., result, n) that applies emit to each element."""
    module = Module(target)
    args = [(f"a{i}", PTR) for i in range(len(arguments))]
    f = Function(module, "kernel", [*args, ("out", PTR), ("n", I64)], internal=False)
    *pointers, out, count = f.args
    with f.loop(f.i64(0), count, lanes) as loop:
        values = [
            _load(f, pointer, loop.index, dtype, lanes)
            for pointer, dtype in zip(pointers, arguments, strict=True)
        ]
        _store(f, emit(f, *values), out, loop.index, result)
    f.finish()
    return module.text()


def run(
    emit: Emit,
    arrays: Sequence[np.ndarray],
    result: DType,
    lanes: int = 0,
    target: Target | None = None,
) -> np.ndarray:
    """Return emit of equally long 1-d arrays, `lanes` elements at a time (0: a vector register)."""
    target = target or host_target()
    dtypes = [from_numpy_dtype(array.dtype) for array in arrays]
    lanes = lanes or max(target.lanes(max(dtype.size for dtype in dtypes)), 1)
    text = kernel_text(emit, dtypes, result, lanes, target)
    native = load(compile_object(text, target), {})
    count = len(arrays[0])
    padded = -(-max(count, 1) // lanes) * lanes
    ins = [np.resize(array, padded) for array in arrays]
    out = np.zeros(padded, result.numpy)
    types = [ctypes.c_void_p] * (len(ins) + 1) + [ctypes.c_int64]
    function = ctypes.CFUNCTYPE(None, *types)(native.address("kernel"))
    function(*(array.ctypes.data for array in ins), out.ctypes.data, padded)
    return out[:count]


def apply(
    fn: str,
    *arrays: np.ndarray,
    result: DType | None = None,
    lanes: int = 0,
    target: Target | None = None,
) -> np.ndarray:
    """Return the scalar function called fn of arrays; its dtype is the last argument's."""
    dtype = from_numpy_dtype(arrays[-1].dtype)
    return run(
        lambda f, *args: emit_scalar(f, fn, args, dtype), arrays, result or dtype, lanes, target
    )


def ulps(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return |got - exact| in units of the last place of exact's nearest number.

    exact has more digits than got. Equal infinities and NaN for NaN count as 0, other differences
    in kind as infinite.
    """
    with np.errstate(all="ignore"):
        nearest = exact.astype(got.dtype)
        unit = np.spacing(np.abs(nearest)).astype(exact.dtype)
        largest = np.finfo(got.dtype).max
        unit = np.where(np.abs(nearest) > largest, np.spacing(largest), unit)
        error = np.abs(got.astype(exact.dtype) - exact) / unit
    same = (got == nearest) | (np.isnan(got) & np.isnan(nearest))
    # An infinite result is as far from a finite one as the number after the largest.
    return np.where(same & ~np.isfinite(nearest), 0.0, np.where(np.isnan(error), np.inf, error))


def targets() -> list[Target]:
    """Return this processor with each vector width that it has; the narrowest is without FMA."""
    host = host_target()
    found = []
    for width in (16, 32, 64):
        if width <= host.vector_bytes:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("JITNET_VECTOR_BYTES", str(width))
                found.append(host_target())
    return found


def specials(dtype: type[np.floating]) -> np.ndarray:
    """Return zeros, infinities, NaN, the least and greatest numbers, and some neighbours."""
    info = np.finfo(dtype)
    ones = [0.5, 1.0, 2.0, 3.0, 1e3, 1e10, float(info.max), float(info.tiny)]
    values = [0.0, np.inf, float(info.smallest_subnormal), *ones]
    near = [np.nextafter(dtype(one), dtype(side)) for one in ones for side in (0, np.inf)]
    both = np.array([*values, *near], dtype)
    return np.concatenate([both, -both, np.array([np.nan], dtype)])


def random_bits(dtype: type[np.floating], count: int, seed: int = 0) -> np.ndarray:
    """Return numbers whose bits are random: every exponent, denormals, NaN and infinities."""
    integer = np.uint32 if dtype is np.float32 else np.uint64
    words = np.random.default_rng(seed).integers(0, 1 << 8 * integer().nbytes, count, dtype=integer)
    return words.view(dtype)


def spread(dtype: type[np.floating], low: float, high: float, count: int) -> np.ndarray:
    """Return random numbers between low and high."""
    return np.random.default_rng(1).uniform(low, high, count).astype(dtype)
