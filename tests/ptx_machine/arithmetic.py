"""What instructions compute: for each name, the types it reads, the type it writes, a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.ptx_machine.bits import BIT_FORMS
from tests.ptx_machine.conversions import conversion
from tests.ptx_machine.floats import FLOAT_FORMS, flushed, rounded_fma, rounded_sum
from tests.ptx_machine.parse import PtxError

Array = np.ndarray
Compute = Callable[..., Array]

TYPES = {
    **{f"{kind}{size}": np.dtype(f"u{size // 8}") for kind in "bu" for size in (8, 16, 32, 64)},
    **{f"s{size}": np.dtype(f"i{size // 8}") for size in (8, 16, 32, 64)},
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "bf16": np.dtype(np.uint16),
    "pred": np.dtype(bool),
}


@dataclass(frozen=True)
class Meaning:
    """What an instruction does to its operands."""

    reads: tuple[str, ...]
    writes: str
    compute: Compute


def meaning_of(name: str) -> Meaning:
    """Return what an instruction means; PtxError for one that is not known."""
    op, *words = name.split(".")
    kinds = [word for word in words if word in TYPES]
    modifiers = frozenset(word for word in words if word not in TYPES)
    kind = kinds[-1] if kinds else ""
    for family in (_plain, _comparison, _integer, _floating, _bits, _conversion):
        found = family(op, kinds, kind, modifiers)
        if found is not None:
            return found
    raise PtxError(f"an instruction that this machine does not know: {name}")


def _plain(op: str, kinds: list[str], kind: str, modifiers: frozenset[str]) -> Meaning | None:
    if op == "mov" and not modifiers:
        return Meaning((kind,), kind, lambda a: a)
    if op == "selp" and not modifiers:
        return Meaning((kind, kind, "pred"), kind, lambda a, b, p: np.where(p, a, b))
    if kind == "pred" and op in ("and", "or", "xor", "not"):
        return Meaning(("pred",) * (1 if op == "not" else 2), "pred", _LOGIC[op])
    return None


_LOGIC = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "not": np.invert}

# -- comparisons ------------------------------------------------------------------------------

_ORDERED: dict[str, Compute] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lo": np.less,
    "ls": np.less_equal,
    "hi": np.greater,
    "hs": np.greater_equal,
}


def _comparison(op: str, kinds: list[str], kind: str, modifiers: frozenset[str]) -> Meaning | None:
    if op != "setp" or len(modifiers - {"ftz", "and", "or", "xor"}) != 1:
        return None
    (test,) = modifiers - {"ftz", "and", "or", "xor"}
    is_float = kind.startswith("f")
    compare = _compared(test, is_float)
    if "ftz" in modifiers:
        compare = _flushing(compare, 2)
    joined = modifiers & {"and", "or", "xor"}
    if not joined:
        return Meaning((kind, kind), "pred", compare)
    join = _LOGIC[next(iter(joined))]
    return Meaning((kind, kind, "pred"), "pred", lambda a, b, p: join(compare(a, b), p))


def _compared(test: str, is_float: bool) -> Compute:
    def either(a: Array, b: Array) -> Array:
        return np.isnan(a) | np.isnan(b)

    if not is_float:
        return _ORDERED[test]
    if test in ("nan", "num"):
        return either if test == "nan" else lambda a, b: ~either(a, b)
    if test == "ne":
        return lambda a, b: (a != b) & ~either(a, b)
    if test in _ORDERED:
        return _ORDERED[test]
    compare = _ORDERED[test.removesuffix("u")]
    return lambda a, b: compare(a, b) | either(a, b)


# -- whole numbers ----------------------------------------------------------------------------


def _high(a: Array, b: Array) -> Array:
    """The upper half of a product."""
    if a.dtype.itemsize < 8:
        wide = np.dtype(f"{a.dtype.kind}8")
        bits = 8 * a.dtype.itemsize
        return ((a.astype(wide) * b.astype(wide)) >> wide.type(bits)).astype(a.dtype)
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    x, y = a.view(np.uint64), b.view(np.uint64)
    middle = (x & low) * (y >> half)
    other = (x >> half) * (y & low)
    carry = ((x & low) * (y & low) >> half) + (middle & low) + (other & low)
    high = (x >> half) * (y >> half) + (middle >> half) + (other >> half) + (carry >> half)
    if a.dtype.kind == "i":  # each number below 0 stands for one that is 2^64 larger
        high = high - np.where(a < 0, y, np.uint64(0)) - np.where(b < 0, x, np.uint64(0))
    return high.view(a.dtype)


def _quotient(a: Array, b: Array) -> Array:
    """Towards zero; all bits for b = 0."""
    safe = np.where(b == 0, a.dtype.type(1), b)
    if a.dtype.kind == "u":
        return np.where(b == 0, ~a.dtype.type(0), a // safe)
    found = a // safe
    found = found + ((found * safe != a) & ((a < 0) != (safe < 0))).astype(a.dtype)
    return np.where(b == 0, a.dtype.type(-1), found)


def _remainder(a: Array, b: Array) -> Array:
    return a - _quotient(a, b) * b


def _dotted(op: str, half: str) -> Compute:
    """c, plus products of bytes of b with bytes (dp4a) or halves (dp2a: with two bytes) of a."""
    count = 4 if op == "dp4a" else 2
    first = 2 if half == "hi" else 0

    def parts(x: Array, size: int) -> Array:
        flat = np.ascontiguousarray(np.atleast_1d(x))
        return flat.view(np.dtype(f"{x.dtype.kind}{size}")).reshape(len(flat), -1).astype(np.int64)

    def compute(a: Array, b: Array, c: Array) -> Array:
        left, right = parts(a, 4 // count), parts(b, 1)[:, first : first + count]
        return ((left * right).sum(1) + c.astype(np.int64)).astype(c.dtype)

    return compute


_INTEGER: dict[str, Compute] = {
    "add": np.add,
    "sub": np.subtract,
    "min": np.minimum,
    "max": np.maximum,
    "div": _quotient,
    "rem": _remainder,
}


def _integer(op: str, kinds: list[str], kind: str, modifiers: frozenset[str]) -> Meaning | None:
    if not kind or kind[0] not in "us":
        return None
    if op in ("dp2a", "dp4a") and len(kinds) == 2:
        result = "u32" if kinds == ["u32", "u32"] else "s32"
        return Meaning((*kinds, result), result, _dotted(op, next(iter(modifiers), "")))
    if op in _INTEGER and not modifiers:
        return Meaning((kind, kind), kind, _INTEGER[op])
    if op in ("neg", "abs") and not modifiers:
        return Meaning((kind,), kind, np.negative if op == "neg" else np.abs)
    if op not in ("mul", "mad") or len(modifiers) != 1:
        return None
    (half,) = modifiers
    wide = f"{kind[0]}{2 * int(kind[1:])}"
    result = wide if half == "wide" else kind
    dtype = TYPES[result]
    product: dict[str, Compute] = {
        "lo": np.multiply,
        "hi": _high,
        "wide": lambda a, b: a.astype(dtype) * b.astype(dtype),
    }
    multiply = product[half]
    if op == "mul":
        return Meaning((kind, kind), result, multiply)
    return Meaning((kind, kind, result), result, lambda a, b, c: multiply(a, b) + c)


# -- numbers with fractions -------------------------------------------------------------------

_ROUNDINGS = {"rn", "rm", "rp", "rz"}


def _floating(op: str, kinds: list[str], kind: str, modifiers: frozenset[str]) -> Meaning | None:
    if kind not in ("f32", "f64", "f16") or op == "cvt":
        return None
    rounding = next(iter(modifiers & _ROUNDINGS), "rn")
    rest = modifiers - _ROUNDINGS - {"ftz", "sat"}
    compute: Compute
    if op in ("add", "sub") and not rest:
        sign = 1 if op == "add" else -1
        compute, count = lambda a, b: rounded_sum(a, sign * b, rounding), 2
    elif op == "mul" and not rest:
        compute, count = lambda a, b: rounded_fma(a, b, None, rounding), 2
    elif op in ("fma", "mad") and not rest:
        compute, count = lambda a, b, c: rounded_fma(a, b, c, rounding), 3
    elif op in FLOAT_FORMS and rounding == "rn":
        form = FLOAT_FORMS[op]
        if not rest <= form.modifiers:
            return None
        compute, count = form.compute(rest), form.count
    else:
        return None
    if "ftz" in modifiers:
        compute = _flushing(compute, count)
    if "sat" in modifiers:
        compute = _saturating(compute)
    return Meaning((kind,) * count, "pred" if op == "testp" else kind, compute)


def _flushing(compute: Compute, count: int) -> Compute:
    """Take numbers too small to be normal as 0, and give 0 for them."""
    return lambda *args: flushed(compute(*map(flushed, args[:count]), *args[count:]))


def _saturating(compute: Compute) -> Compute:
    def clipped(*args: Array) -> Array:
        found = compute(*args)
        return np.where(found > 0, np.minimum(found, found.dtype.type(1)), found.dtype.type(0))

    return clipped


# -- bits, conversions ------------------------------------------------------------------------


def _bits(op: str, kinds: list[str], kind: str, modifiers: frozenset[str]) -> Meaning | None:
    form = BIT_FORMS.get((op, modifiers))
    if form is None or not kind or kind[0] == "f":
        return None
    return Meaning(tuple(each or kind for each in form.reads), form.writes or kind, form.compute)


def _conversion(op: str, kinds: list[str], kind: str, modifiers: frozenset[str]) -> Meaning | None:
    if op != "cvt":
        return None
    if modifiers == {"rna", "tf32"} and kind == "f32":
        return Meaning(("f32",), "b32", conversion("tf32", "f32", modifiers, np.dtype(np.uint32)))
    if len(kinds) != 2:
        return None
    target, source = kinds
    return Meaning((source,), target, conversion(target, source, modifiers, TYPES[target]))
