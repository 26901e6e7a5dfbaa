"""Instructions that move and count bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Compute = Callable[..., Array]


@dataclass(frozen=True)
class BitForm:
    """What a form reads and writes; "" is the type that its name says."""

    reads: tuple[str, ...]
    writes: str
    compute: Compute


def _shifted(left: bool) -> Compute:
    def compute(a: Array, count: Array) -> Array:
        bits = 8 * a.dtype.itemsize
        most = np.minimum(count, np.uint32(bits)).astype(a.dtype)
        return np.left_shift(a, most) if left else np.right_shift(a, most)

    return compute


def _word_of(parts: Array, places: Array) -> Array:
    """Return words of four bytes each: parts (lanes, 8), places (lanes, 4)."""
    chosen = np.take_along_axis(parts, (places & 7).astype(np.int64), 1)
    negative = (chosen & 0x80).astype(bool)
    chosen = np.where(places & 8, np.where(negative, 0xFF, 0), chosen)
    return np.ascontiguousarray(chosen.astype(np.uint8)).view(np.uint32)[:, 0]


def _permuted(a: Array, b: Array, selector: Array) -> Array:
    a, b, selector = np.broadcast_arrays(a, b, selector)
    if a.ndim == 0:
        return _permuted(a[None], b[None], selector[None])[0]
    both = np.ascontiguousarray(np.stack((a, b), 1)).view(np.uint8).reshape(len(a), 8)
    places = np.stack([(selector >> np.uint32(4 * n)) & 0xF for n in range(4)], 1)
    return _word_of(both, places)


def _inserted(a: Array, b: Array, start: Array, length: Array) -> Array:
    """b, with the lowest bits of a in place of some."""
    bits = 8 * a.dtype.itemsize
    start, length = np.minimum(start & 0xFF, bits), np.minimum(length & 0xFF, bits)
    ones = ~a.dtype.type(0)
    field = ~np.left_shift(ones, length.astype(a.dtype))
    mask = np.left_shift(field, start.astype(a.dtype))
    return (b & ~mask) | (np.left_shift(a, start.astype(a.dtype)) & mask)


def _extracted(a: Array, start: Array, length: Array) -> Array:
    """Some bits of a; those above are the sign's, if a has one."""
    bits = 8 * a.dtype.itemsize
    start, length = np.minimum(start & 0xFF, bits), np.minimum(length & 0xFF, bits)
    plain = a.view(np.dtype(f"u{a.dtype.itemsize}"))
    kind = plain.dtype.type
    field = ~np.left_shift(~kind(0), length.astype(plain.dtype))
    found = np.right_shift(plain, start.astype(plain.dtype)) & field
    if a.dtype.kind == "u":
        return found
    last = np.minimum(start + length - 1, bits - 1).astype(plain.dtype)
    sign = (np.right_shift(plain, last) & kind(1)).astype(bool) & (length > 0)
    return np.where(sign, found | ~field, found).view(a.dtype)


def _reversed(x: Array) -> Array:
    octets = np.ascontiguousarray(np.atleast_1d(x)).view(np.uint8).reshape(-1, x.dtype.itemsize)
    flags = np.unpackbits(octets, axis=1, bitorder="little")[:, ::-1]
    return np.packbits(flags, axis=1, bitorder="little").view(x.dtype)[:, 0]


def _ones(x: Array) -> Array:
    return np.bitwise_count(x).astype(np.uint32)


def _leading_zeros(x: Array) -> Array:
    for step in (1, 2, 4, 8, 16, 32):
        if step < 8 * x.dtype.itemsize:
            x = x | (x >> x.dtype.type(step))
    return (8 * x.dtype.itemsize - np.bitwise_count(x)).astype(np.uint32)


def _funnel(left: bool, wraps: bool) -> Compute:
    """The upper word (left) or the lower word of two, b above a, shifted."""

    def compute(a: Array, b: Array, count: Array) -> Array:
        count = count & np.uint32(31) if wraps else np.minimum(count, np.uint32(32))
        both = (b.astype(np.uint64) << np.uint64(32)) | a
        steps = count.astype(np.uint64)
        found = (both << steps) >> np.uint64(32) if left else both >> steps
        return found.astype(np.uint32)

    return compute


def _table(a: Array, b: Array, c: Array, rows: Array) -> Array:
    """A function of three bits, given as its eight results."""
    found = np.zeros_like(a)
    for row in range(8):
        terms = [x if row >> (2 - n) & 1 else ~x for n, x in enumerate((a, b, c))]
        found = np.where((rows >> row) & 1, found | (terms[0] & terms[1] & terms[2]), found)
    return found


_NONE = frozenset[str]()
BIT_FORMS = {
    ("and", _NONE): BitForm(("", ""), "", np.bitwise_and),
    ("or", _NONE): BitForm(("", ""), "", np.bitwise_or),
    ("xor", _NONE): BitForm(("", ""), "", np.bitwise_xor),
    ("not", _NONE): BitForm(("",), "", np.invert),
    ("shl", _NONE): BitForm(("", "u32"), "", _shifted(left=True)),
    ("shr", _NONE): BitForm(("", "u32"), "", _shifted(left=False)),
    ("prmt", _NONE): BitForm(("", "", "u32"), "", _permuted),
    ("bfi", _NONE): BitForm(("", "", "u32", "u32"), "", _inserted),
    ("bfe", _NONE): BitForm(("", "u32", "u32"), "", _extracted),
    ("brev", _NONE): BitForm(("",), "", _reversed),
    ("popc", _NONE): BitForm(("",), "u32", _ones),
    ("clz", _NONE): BitForm(("",), "u32", _leading_zeros),
    ("shf", frozenset({"l", "wrap"})): BitForm(("", "", "u32"), "", _funnel(True, True)),
    ("shf", frozenset({"r", "wrap"})): BitForm(("", "", "u32"), "", _funnel(False, True)),
    ("shf", frozenset({"l", "clamp"})): BitForm(("", "", "u32"), "", _funnel(True, False)),
    ("shf", frozenset({"r", "clamp"})): BitForm(("", "", "u32"), "", _funnel(False, False)),
    ("lop3", _NONE): BitForm(("", "", "", "u32"), "", _table),
}
