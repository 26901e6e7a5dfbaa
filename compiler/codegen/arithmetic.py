"""Instructions that compute: on floats, between types, between lanes, on indices."""

from __future__ import annotations

from collections.abc import Sequence

from .body import Body
from .values import I1, Value, integers, mangle, vector


class Arithmetic(Body):
    """A function body with arithmetic on scalars and vectors."""

    def binary(self, op: str, a: Value, b: Value) -> Value:
        """Emit `op a, b` on equal types, for example binary("fadd contract", a, b)."""
        assert a.type == b.type, (op, a, b)
        return self.emit(f"{op} {a}, {b.text}", a.type, [a, b])

    def fadd(self, a: Value, b: Value) -> Value:
        """a + b, which may become part of a fused multiply-add."""
        return self.binary("fadd contract", a, b)

    def fsub(self, a: Value, b: Value) -> Value:
        """a - b, which may become part of a fused multiply-add."""
        return self.binary("fsub contract", a, b)

    def fmul(self, a: Value, b: Value) -> Value:
        """a * b, which may become part of a fused multiply-add."""
        return self.binary("fmul contract", a, b)

    def fdiv(self, a: Value, b: Value) -> Value:
        """a / b."""
        return self.binary("fdiv", a, b)

    def fneg(self, a: Value) -> Value:
        """-a."""
        return self.emit(f"fneg {a}", a.type, [a])

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """a * b + c, rounded once."""
        return self.intrinsic("llvm.fma", [a, b, c])

    def intrinsic(
        self, name: str, args: Sequence[Value], returns: str = "", overloads: int = 1
    ) -> Value:
        """Call a pure LLVM intrinsic overloaded on the types of its first arguments."""
        full = ".".join([name, *(mangle(arg.type) for arg in args[:overloads])])
        returns = returns or args[0].type
        self.module.declare(full, returns, [arg.type for arg in args])
        return self.emit(f"call {returns} @{full}({', '.join(map(str, args))})", returns, args)

    def compare(self, op: str, a: Value, b: Value) -> Value:
        """Emit fcmp / icmp, for example compare("fcmp olt", a, b); the result is i1 or <n x i1>."""
        assert a.type == b.type, (op, a, b)
        return self.emit(f"{op} {a}, {b.text}", vector(I1, a.lanes), [a, b])

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """condition ? a : b, by element."""
        assert a.type == b.type and condition.lanes in (1, a.lanes), (condition, a, b)
        return self.emit(f"select {condition}, {a}, {b}", a.type, [condition, a, b])

    def convert(self, op: str, a: Value, element: str) -> Value:
        """Emit a conversion (sitofp, fptosi, zext, trunc, bitcast ...) to another element type."""
        type_ = vector(element, a.lanes)
        if type_ == a.type:
            return a
        return self.emit(f"{op} {a} to {type_}", type_, [a])

    def shuffle(self, a: Value, b: Value | None, picks: Sequence[int]) -> Value:
        """Return the elements of a ++ b at `picks`; one alone is a scalar."""
        if a.lanes == 1 or len(picks) == 1:
            return self._shuffle_scalars(a, b, picks)
        other = b.text if b is not None else "poison"
        mask = ", ".join(f"i32 {pick}" for pick in picks)
        type_ = vector(a.element, len(picks))
        operands = [a] if b is None else [a, b]
        rhs = f"shufflevector {a}, {a.type} {other}, <{len(picks)} x i32> <{mask}>"
        return self.emit(rhs, type_, operands)

    def _shuffle_scalars(self, a: Value, b: Value | None, picks: Sequence[int]) -> Value:
        elements = [
            self.extract(a, pick)
            if b is None or pick < a.lanes
            else self.extract(b, pick - a.lanes)
            for pick in picks
        ]
        result = self.splat(elements[-1], len(picks))
        for lane, element in enumerate(elements):
            if element != elements[-1]:
                result = self.insert(result, element, lane)
        return result

    def extract(self, a: Value, lane: int) -> Value:
        """Return one element of a vector."""
        if a.lanes == 1:
            return a
        return self.emit(f"extractelement {a}, i32 {lane}", a.element, [a])

    def insert(self, a: Value, element: Value, lane: int) -> Value:
        """Return a with one element replaced."""
        if a.lanes == 1:
            return element
        return self.emit(f"insertelement {a}, {element}, i32 {lane}", a.type, [a, element])


class IndexArithmetic(Arithmetic):
    """A function body with arithmetic on i64 indices, which folds constants."""

    def add(self, a: Value, b: Value) -> Value:
        """a + b on i64."""
        both = integers(a, b)
        if both:
            return self.i64(both[0] + both[1])
        if a.text == "0":
            return b
        if b.text == "0":
            return a
        return self.binary("add nsw", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b on i64."""
        both = integers(a, b)
        if both:
            return self.i64(both[0] - both[1])
        return a if b.text == "0" else self.binary("sub nsw", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b on i64."""
        both = integers(a, b)
        if both:
            return self.i64(both[0] * both[1])
        if "0" in (a.text, b.text):
            return self.i64(0)
        if a.text == "1":
            return b
        return a if b.text == "1" else self.binary("mul nsw", a, b)

    def udiv(self, a: Value, b: Value) -> Value:
        """a // b on i64, neither negative."""
        both = integers(a, b)
        if both:
            return self.i64(both[0] // both[1])
        return a if b.text == "1" else self.binary("udiv", a, b)

    def urem(self, a: Value, b: Value) -> Value:
        """a % b on i64, neither negative."""
        both = integers(a, b)
        if both:
            return self.i64(both[0] % both[1])
        return self.i64(0) if b.text == "1" else self.binary("urem", a, b)

    def minimum(self, a: Value, b: Value) -> Value:
        """The smaller of two i64."""
        both = integers(a, b)
        return self.i64(min(both)) if both else self.intrinsic("llvm.smin", [a, b])

    def maximum(self, a: Value, b: Value) -> Value:
        """The larger of two i64."""
        both = integers(a, b)
        return self.i64(max(both)) if both else self.intrinsic("llvm.smax", [a, b])
