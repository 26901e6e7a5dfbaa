"""Floating arithmetic for writing polynomials: constants, Horner, bits, sums with their errors.

Everything here is rounded exactly as written (no contraction), so error-free transforms hold;
fused multiply-adds are asked for by name, and become two roundings where a processor has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jitnet.runtime.dataclass import dataclass

from ..emitter import F32, F64, I32, I64, Function, Value, vector


@dataclass(frozen=True)
class Format:
    """A floating type: its LLVM name, the integer of its size, its fields."""

    element: str
    integer: str
    bits: int
    mantissa: int  # stored bits
    bias: int
    smallest: float  # the smallest normal number
    infinity: int  # its bits
    magic: float  # added to |x| < 2^(mantissa - 2), it leaves x rounded to an integer in its bits

    @property
    def magic_bits(self) -> int:
        """The bits of magic."""
        return (self.bias + self.mantissa << self.mantissa) + (1 << self.mantissa - 1)


FORMATS = {
    F32: Format(F32, I32, 32, 23, 127, 2.0**-126, 0x7F800000, 1.5 * 2.0**23),
    F64: Format(F64, I64, 64, 52, 1023, 2.0**-1022, 0x7FF << 52, 1.5 * 2.0**52),
}


class Real:
    """Arithmetic on values of one floating type inside a function being written."""

    def __init__(self, f: Function, like: Value) -> None:
        self.f = f
        self.type = like.type
        self.format = FORMATS[like.element]
        self.integers = vector(self.format.integer, like.lanes)

    # -- constants and bits -----------------------------------------------------------------

    def const(self, value: float) -> Value:
        """Return a constant."""
        return self.f.const(self.type, value)

    def integer(self, value: int) -> Value:
        """Return a constant of the integer type of the same size."""
        return self.f.const(self.integers, value)

    def bits(self, x: Value) -> Value:
        """Return the bits of x as integers."""
        return self.f.convert("bitcast", x, self.format.integer)

    def from_bits(self, x: Value) -> Value:
        """Return the numbers whose bits are x."""
        return self.f.convert("bitcast", x, self.format.element)

    def integral(self, op: str, a: Value, b: Value | int) -> Value:
        """Emit an integer instruction on bits; an int is a constant."""
        other = self.integer(b) if isinstance(b, int) else b
        return self.f.binary(op, a, other)

    # -- arithmetic -------------------------------------------------------------------------

    def add(self, a: Value, b: Value | float) -> Value:
        """a + b, never contracted."""
        return self.f.binary("fadd", a, self._value(b))

    def sub(self, a: Value | float, b: Value | float) -> Value:
        """a - b, never contracted."""
        return self.f.binary("fsub", self._value(a), self._value(b))

    def mul(self, a: Value, b: Value | float) -> Value:
        """a * b, never contracted."""
        return self.f.binary("fmul", a, self._value(b))

    def div(self, a: Value | float, b: Value) -> Value:
        """a / b."""
        return self.f.binary("fdiv", self._value(a), b)

    def neg(self, a: Value) -> Value:
        """-a."""
        return self.f.fneg(a)

    def fma(self, a: Value, b: Value | float, c: Value | float) -> Value:
        """a * b + c: rounded once where the processor can, else twice."""
        b, c = self._value(b), self._value(c)
        if self.f.target.has_fma:
            return self.f.fma(a, b, c)
        return self.add(self.mul(a, b), c)

    def abs(self, a: Value) -> Value:
        """|a|."""
        return self.f.intrinsic("llvm.fabs", [a])

    def sqrt(self, a: Value) -> Value:
        """The square root, correctly rounded."""
        return self.f.intrinsic("llvm.sqrt", [a])

    def copysign(self, magnitude: Value, sign: Value) -> Value:
        """|magnitude| with the sign bit of `sign`."""
        return self.f.intrinsic("llvm.copysign", [magnitude, sign])

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Return c0 + c1 x + c2 x^2 + ... by Horner's rule."""
        result = self.const(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.fma(result, x, coefficient)
        return result

    def short_polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Return the same by Estrin's scheme: chains of half the length or less.

        A long expression is ruled by its chains: a processor looks a few hundred instructions
        ahead, and most of them wait for the one before.
        """
        terms: list[Value | float] = list(coefficients)
        while len(terms) > 1:
            pairs: list[Value | float] = [
                self.fma(x, terms[k + 1], terms[k]) for k in range(0, len(terms) - 1, 2)
            ]
            if len(terms) > 2:
                x = self.mul(x, x)
            if len(terms) % 2:
                pairs[-1] = self.fma(x, terms[-1], pairs[-1])
            terms = pairs
        return self._value(terms[0])

    def _value(self, a: Value | float) -> Value:
        return a if isinstance(a, Value) else self.const(a)

    # -- comparison -------------------------------------------------------------------------

    def compare(self, op: str, a: Value, b: Value | float) -> Value:
        """Compare by an fcmp predicate such as "olt"."""
        return self.f.compare(f"fcmp {op}", a, self._value(b))

    def select(self, condition: Value, a: Value | float, b: Value | float) -> Value:
        """condition ? a : b."""
        return self.f.select(condition, self._value(a), self._value(b))

    def at_most(self, x: Value, bound: float) -> Value:
        """min(x, bound); NaN stays NaN."""
        return self.select(self.compare("ogt", x, bound), bound, x)

    def at_least(self, x: Value, bound: float) -> Value:
        """max(x, bound); NaN stays NaN."""
        return self.select(self.compare("olt", x, bound), bound, x)

    def is_nan(self, x: Value) -> Value:
        """Whether x is no number."""
        return self.compare("uno", x, x)

    # -- pairs: a value and what it lacks ---------------------------------------------------

    def two_sum(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Return a + b and its rounding error (Knuth)."""
        total = self.add(a, b)
        part = self.sub(total, a)
        error = self.add(self.sub(a, self.sub(total, part)), self.sub(b, part))
        return total, error

    def quick_two_sum(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Return a + b and its rounding error where |a| >= |b| or a is 0 (Dekker)."""
        total = self.add(a, b)
        return total, self.sub(b, self.sub(total, a))

    def two_product(self, a: Value, b: Value) -> tuple[Value, Value]:
        """Return a * b and its rounding error; without FMA for |a|, |b| < 2^990 (Dekker)."""
        product = self.mul(a, b)
        if self.f.target.has_fma:
            return product, self.f.fma(a, b, self.neg(product))
        a_high, a_low = self._split(a)
        b_high, b_low = self._split(b)
        error = self.sub(self.mul(a_high, b_high), product)
        error = self.add(error, self.mul(a_high, b_low))
        error = self.add(error, self.mul(a_low, b_high))
        return product, self.add(error, self.mul(a_low, b_low))

    def _split(self, a: Value) -> tuple[Value, Value]:
        scaled = self.mul(a, 2.0 ** ((self.format.mantissa + 2) // 2) + 1.0)
        high = self.sub(scaled, self.sub(scaled, a))
        return high, self.sub(a, high)


def through_double(emit: Callable[..., Value]) -> Callable[..., Value]:
    """Return `emit` for both types: float is widened, computed as double and rounded once."""

    def emit_either(f: Function, *args: Value) -> Value:
        if args[0].element == F64:
            return emit(f, *args)
        wide = emit(f, *(f.convert("fpext", arg, F64) for arg in args))
        return f.convert("fptrunc", wide, F32)

    return emit_either
