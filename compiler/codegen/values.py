"""LLVM values and types as text: scalars, vectors, constants."""

from __future__ import annotations

import struct
from functools import lru_cache

from jitnet.runtime.dataclass import dataclass

I1, I8, I32, I64, PTR = "i1", "i8", "i32", "i64", "ptr"
F32, F64 = "float", "double"


@dataclass(frozen=True)
class Value:
    """An LLVM value: its text, its LLVM type, and the depth of the scope that defines it."""

    text: str
    type: str
    depth: int = 0

    @property
    def lanes(self) -> int:
        """Elements of a vector; 1 for a scalar."""
        return lanes_of(self.type)

    @property
    def element(self) -> str:
        """The scalar type."""
        return element_of(self.type)

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


@lru_cache(maxsize=None)
def lanes_of(type_: str) -> int:
    """Return the number of elements of an LLVM type; 1 for a scalar."""
    return int(type_[1:].split()[0]) if type_.startswith("<") else 1


@lru_cache(maxsize=None)
def element_of(type_: str) -> str:
    """Return the scalar type of an LLVM type."""
    return type_[1:-1].split()[2] if type_.startswith("<") else type_


@lru_cache(maxsize=None)
def vector(element: str, lanes: int) -> str:
    """Return the LLVM type of `lanes` elements; the scalar itself for 1."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def mangle(type_: str) -> str:
    """Return the suffix that LLVM's intrinsics use for a type: v8f32."""
    short = {F32: "f32", F64: "f64", PTR: "p0"}.get(element_of(type_), element_of(type_))
    return short if lanes_of(type_) == 1 else f"v{lanes_of(type_)}{short}"


@lru_cache(maxsize=4096)
def literal(element: str, value: float | int | bool) -> str:
    """Return a constant's text; floats as the hexadecimal bits that LLVM reads exactly."""
    if element == F32:
        value = struct.unpack("<f", struct.pack("<f", _clip_f32(float(value))))[0]
    if element in (F32, F64):
        return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
    if element == I1:
        return "true" if value else "false"
    return str(int(value))


def _clip_f32(value: float) -> float:
    """Return value, or the infinity that rounding to float32 gives."""
    if value != value or abs(value) <= 3.4028235677973366e38:
        return value
    return float("inf") if value > 0 else float("-inf")


def integers(a: Value, b: Value) -> tuple[int, int] | None:
    """Return what two integer values are, if both are constants."""
    if a.text.lstrip("-").isdigit() and b.text.lstrip("-").isdigit():
        return int(a.text), int(b.text)
    return None
