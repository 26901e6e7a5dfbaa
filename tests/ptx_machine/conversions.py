"""cvt: between whole numbers and floats, with rounding and saturation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.ptx_machine.floats import flushed, narrowed
from tests.ptx_machine.parse import PtxError

Array = np.ndarray

_TO_WHOLE = {"rni": np.rint, "rmi": np.floor, "rpi": np.ceil, "rzi": np.trunc}
_FLOATS = ("f16", "bf16", "f32", "f64")
_KNOWN = {*_TO_WHOLE, "rn", "rm", "rp", "rz", "sat", "ftz"}


def conversion(
    target: str, source: str, modifiers: frozenset[str], dtype: np.dtype
) -> Callable[[Array], Array]:
    """Return what cvt does from one type to another."""
    if target == "tf32":
        return _to_tf32
    if not modifiers <= _KNOWN:
        raise PtxError(f"an unknown cvt to {target} from {source}: {sorted(modifiers)}")
    whole = next((_TO_WHOLE[each] for each in _TO_WHOLE if each in modifiers), None)
    rounding = next((each for each in ("rn", "rm", "rp", "rz") if each in modifiers), "rn")
    is_wide = source in _FLOATS

    def convert(x: Array) -> Array:
        if source == "bf16":
            x = (x.astype(np.uint32) << np.uint32(16)).view(np.float32)
        if "ftz" in modifiers:
            x = flushed(x)
        if target not in _FLOATS:
            return _to_integer(whole(x), dtype) if whole else _integer(x, dtype, modifiers)
        if whole is not None:
            x = whole(x)
        if "sat" in modifiers:
            x = np.where(x > 0, np.minimum(x, 1), 0).astype(x.dtype)
        if target == "bf16":
            return _to_bfloat16(x.astype(np.float32))
        found = narrowed(x.astype(np.float64), dtype, rounding) if is_wide else x.astype(dtype)
        return flushed(found) if "ftz" in modifiers else found

    if not is_wide and target in _FLOATS and rounding != "rn":
        raise PtxError(f"an unknown cvt to {target} from {source}: {rounding}")
    return convert


def _integer(x: Array, dtype: np.dtype, modifiers: frozenset[str]) -> Array:
    if x.dtype.kind == "f":
        raise PtxError("cvt from a float says how it rounds")
    if "sat" in modifiers:
        given, taken = np.iinfo(x.dtype), np.iinfo(dtype)
        x = np.clip(x, max(given.min, taken.min), min(given.max, taken.max))
    return x.astype(dtype)


def _to_integer(x: Array, dtype: np.dtype) -> Array:
    """A whole float as the next whole number that there is; of NaN, what the PTX ISA says."""
    limits = np.iinfo(dtype)
    wide = x.astype(np.float64)
    above, below = wide >= 2.0 ** (limits.bits - (dtype.kind == "i")), wide < float(limits.min)
    found = np.where(above | below | np.isnan(wide), 0.0, wide).astype(dtype)
    found = np.where(above, dtype.type(limits.max), found)
    found = np.where(below, dtype.type(limits.min), found)
    is_long = max(x.dtype.itemsize, dtype.itemsize) == 8
    odd = np.left_shift(dtype.type(1), dtype.type(limits.bits - 1)) if is_long else dtype.type(0)
    return np.where(np.isnan(wide), odd, found)


def _to_bfloat16(x: Array) -> Array:
    bits = x.view(np.uint32)
    up = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint32(0x7FFF), up).astype(np.uint16)


def _to_tf32(x: Array) -> Array:
    """The nearest number of 10 bits after the point, halves away from zero; others stay."""
    bits = x.view(np.uint32)
    rounded = (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)
    return np.where(np.isfinite(x), rounded, bits)
