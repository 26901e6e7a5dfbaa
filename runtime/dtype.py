"""Element types: one record says all about each, how two of them promote, how values convert.

float16 and bfloat16 are formats of storage: what computes with them computes in float32. NumPy has
the first; the second comes from ml_dtypes, whose arrays NumPy moves and converts like its own.
A complex number is two floats side by side, the real part first.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import numpy as np
from ml_dtypes import bfloat16 as _bfloat16

from .memory import aligned_copy


class DTypeError(RuntimeError, TypeError):
    """An op has no meaning for these dtypes."""


@dataclasses.dataclass(frozen=True, eq=False)  # users hold it: Python sees that it stays
class DType:
    """An element type; `a is b` compares two."""

    name: str
    short: str
    numpy: np.dtype
    llvm: str  # the type of one element in memory
    kind: str  # "bool", "int", "uint", "float" or "complex"
    size: int  # bytes of one element
    narrow: bool = False  # a float of 16 bits: computed with as float32

    @property
    def is_floating_point(self) -> bool:
        """Whether values are real numbers (PyTorch's dtype.is_floating_point)."""
        return self.kind == "float"

    @property
    def is_complex(self) -> bool:
        """Whether values are complex numbers."""
        return self.kind == "complex"

    @property
    def is_inexact(self) -> bool:
        """Whether values are rounded, real or complex: what gradients flow through."""
        return self.kind in ("float", "complex")

    @property
    def is_signed(self) -> bool:
        """Whether negative values exist."""
        return self.kind in ("int", "float", "complex")

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.size

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest value, of whole numbers."""
        assert self.kind in ("int", "uint"), self
        bits = 8 * self.size - (self.kind == "int")
        return (-(1 << bits) if self.kind == "int" else 0), (1 << bits) - 1

    def to_real(self) -> DType:
        """Return the dtype of the parts of complex numbers; a float dtype itself."""
        return _PARTS.get(self, self)

    def to_complex(self) -> DType:
        """Return the dtype of complex numbers whose parts hold these floats."""
        if self.kind == "complex":
            return self
        return complex128 if self is float64 else complex64

    def __repr__(self) -> str:
        return f"jitnet.{self.name}"

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return dtype_named, (self.name,)


def _dtype(name: str, short: str, llvm: str, kind: str) -> DType:
    numpy = np.dtype(name)
    return DType(name, short, numpy, llvm, kind, numpy.itemsize)


def _narrow(name: str, short: str, numpy: np.dtype) -> DType:
    return DType(name, short, numpy, "i16", "float", 2, narrow=True)


bool_ = _dtype("bool", "bool", "i8", "bool")
uint8 = _dtype("uint8", "u8", "i8", "uint")
int8 = _dtype("int8", "i8", "i8", "int")
int16 = _dtype("int16", "i16", "i16", "int")
int32 = _dtype("int32", "i32", "i32", "int")
int64 = _dtype("int64", "i64", "i64", "int")
uint16 = _dtype("uint16", "u16", "i16", "uint")
uint32 = _dtype("uint32", "u32", "i32", "uint")
uint64 = _dtype("uint64", "u64", "i64", "uint")
float16 = _narrow("float16", "f16", np.dtype(np.float16))
bfloat16 = _narrow("bfloat16", "bf16", np.dtype(_bfloat16))
float32 = _dtype("float32", "f32", "float", "float")
float64 = _dtype("float64", "f64", "double", "float")
complex64 = _dtype("complex64", "c64", "<2 x float>", "complex")
complex128 = _dtype("complex128", "c128", "<2 x double>", "complex")

_WIDE_UNSIGNED = (uint16, uint32, uint64)
_WHOLE = (uint8, int8, int16, int32, int64, *_WIDE_UNSIGNED)
REALS = (bool_, *_WHOLE, float16, bfloat16, float32, float64)
DTYPES = (*REALS, complex64, complex128)
_PARTS = {complex64: float32, complex128: float64}
_BY_NAME = {dtype.name: dtype for dtype in DTYPES}
_NARROW = frozenset({float16.numpy, bfloat16.numpy})
_BY_NUMPY = {dtype.numpy: dtype for dtype in DTYPES}


def dtype_named(name: str) -> DType:
    """Return the dtype called `name`, such as "float32"."""
    return _BY_NAME[name]


def from_numpy_dtype(dtype: np.dtype) -> DType:
    """Return the dtype that stores what a NumPy dtype stores; TypeError where there is none."""
    found = _BY_NUMPY.get(np.dtype(dtype))
    if found is None:
        have = ", ".join(known.name for known in DTYPES)
        raise TypeError(f"jitnet has no dtype for NumPy's {dtype}; cast to one of {have}")
    return found


@lru_cache(maxsize=None)
def promote(a: DType, b: DType) -> DType:
    """Return the dtype that holds both, as PyTorch and the array API standard say.

    DTypeError where neither does: uint64 with signed whole numbers, and uint16, uint32, uint64 with
    bools and complex numbers.
    """
    if a is b:
        return a
    if not _meet(a, b):
        raise DTypeError(
            f"{a.name} and {b.name} do not promote to a dtype that holds both; cast one first, "
            "such as by .to(jitnet.int64)"
        )
    if a.is_complex or b.is_complex:
        parts = [dtype.to_real() for dtype in (a, b) if dtype.is_inexact]
        return promote(parts[0], parts[-1]).to_complex()
    if "float" in (a.kind, b.kind):
        floats = [dtype for dtype in (a, b) if dtype.kind == "float"]
        if len(floats) == 2 and a.narrow and b.narrow:
            return float32
        return max(floats, key=lambda dtype: dtype.size)
    return from_numpy_dtype(np.promote_types(a.numpy, b.numpy))


def _meet(a: DType, b: DType) -> bool:
    """Return whether there is a dtype for both, which are not the same."""
    for wide, other in ((a, b), (b, a)):
        if wide in _WIDE_UNSIGNED and other.kind != "float":
            return other in _WHOLE and not (wide is uint64 and other.kind == "int")
    return True


def promote_types(type1: DType, type2: DType) -> DType:
    """Return the dtype that holds both: torch.promote_types, which refuses what PyTorch refuses.

    That is uint16, uint32 and uint64 with other dtypes than floats, most of which operators take.
    """
    for wide, other in ((type1, type2), (type2, type1)):
        if wide in _WIDE_UNSIGNED and other is not wide and other.kind != "float":
            raise DTypeError(
                "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
                f"{type1.name} and {type2.name}; result_type follows the array API standard"
            )
    return promote(type1, type2)


def convert(array: np.ndarray, dtype: DType) -> np.ndarray:
    """Return an array's values as dtype, in rows of their own; a narrow float from a float32.

    Of complex numbers, real ones keep the real part.
    """
    with np.errstate(all="ignore"):
        if array.dtype.kind == "c" and dtype.kind not in ("complex", "bool"):
            array = array.real
        if dtype.narrow is not (array.dtype in _NARROW):
            array = array.astype(np.float32)
        if dtype is uint32 and array.dtype.kind == "f":  # NumPy's own depends on the place in a row
            array = array.astype(np.int64)
        return aligned_copy(array, dtype.numpy)


def rounded(value: complex, dtype: DType) -> float:
    """Return the number of a dtype that is nearest to a Python number."""
    return convert(np.array(value), dtype).item()  # type: ignore[no-any-return]


_OF_PYTHON = {bool: bool_, int: int64, float: float64, complex: complex128}


def of_python(given: Any) -> Any:
    """Return the dtype that Python's bool, int, float or complex stands for; else what is given."""
    return _OF_PYTHON.get(given, given) if isinstance(given, type) else given
