"""Contractions: C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], every operand an affine read.

Matrix products in any layout and convolutions with both their gradients are all of this form: the
element of an operand is found at offset + sum of stride * index over batch, free and K dims. This
file says what a contraction is; contraction_plan.py decides how to block it, contraction.py writes
it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import prod

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Operand:
    """Where an operand's elements are: strides count elements, 0 and negative ones included."""

    offset: int
    batch: Sizes  # one stride for each batch dim
    free: Sizes  # for each m dim (A) or n dim (B)
    k: Sizes


@dataclass(frozen=True)
class Limit:
    """Terms count where low <= sum of step * index < high, over one batch dim and K dims."""

    batch: Sizes  # one step for each batch dim; at most one is not 0
    k: Sizes  # for each K dim; that of the last, along which tiles run, is 0
    low: int
    high: int


@dataclass(frozen=True)
class Contraction:
    """The sizes of the four groups of dims, the two operands, and which terms count."""

    dtype: DType
    batch: Sizes
    m: Sizes
    n: Sizes
    k: Sizes
    a: Operand
    b: Operand
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        for name, operand, free in (("a", self.a, self.m), ("b", self.b, self.n)):
            strides = (len(operand.batch), len(operand.free), len(operand.k))
            dims = (len(self.batch), len(free), len(self.k))
            assert strides == dims, f"operand {name} has {strides} strides for {dims} dims"
        for limit in self.limits:
            assert sum(step != 0 for step in limit.batch) <= 1 and limit.k[-1] == 0, limit
        sizes = (*self.batch, *self.m, *self.n, *self.k)
        assert min(sizes, default=1) > 0, f"an empty contraction is its caller's affair: {self}"

    @property
    def rows(self) -> int:
        """Elements of the flattened m dims."""
        return prod(self.m)

    @property
    def columns(self) -> int:
        """Elements of the flattened n dims."""
        return prod(self.n)

    @property
    def depth(self) -> int:
        """Elements of the flattened K dims."""
        return prod(self.k)

    @property
    def batches(self) -> int:
        """Elements of the flattened batch dims."""
        return prod(self.batch)

    def __str__(self) -> str:
        def operand(x: Operand) -> str:
            return f"[{x.offset} + {list(x.batch)} {list(x.free)} {list(x.k)}]"

        sizes = " ".join(
            f"{name}{list(dims)}"
            for name, dims in (("b", self.batch), ("m", self.m), ("n", self.n), ("k", self.k))
            if dims
        )
        return f"{self.dtype.short} {sizes} A{operand(self.a)} B{operand(self.b)}"


def flops(c: Contraction) -> int:
    """Return the multiplications and additions of a contraction."""
    return 2 * c.batches * c.rows * c.columns * c.depth


def canonical(
    c: Contraction, keep_k_order: bool = False, merge_columns: bool = False
) -> Contraction:
    """Return an equal contraction with as few dims as can be, the same flat rows and columns.

    Dims of size 1 go; neighbours that are one dim in memory become one: n dims only on request,
    since no vector of columns may cross the end of the last. K dims are also reversed and sorted
    so that A's longest runs come last, unless their order is to be kept. What limits speak of,
    batch and K dims, stays as it is.
    """
    offset_a, offset_b = c.a.offset, c.b.offset
    batch: list[Sizes] = list(zip(c.batch, c.a.batch, c.b.batch, strict=True))
    k: list[Sizes] = list(zip(c.k, c.a.k, c.b.k, strict=True))
    if not keep_k_order and not c.limits:
        for index, (size, a, b) in enumerate(k):
            if a < 0 or (a == 0 and b < 0):
                offset_a, offset_b = offset_a + (size - 1) * a, offset_b + (size - 1) * b
                k[index] = (size, -a, -b)
        k.sort(key=lambda dim: (dim[1] != 0, -dim[1]))
    m = merged(zip(c.m, c.a.free, strict=True))
    n: list[Sizes] = [dim for dim in zip(c.n, c.b.free, strict=True) if dim[0] > 1]
    if merge_columns:
        n = merged(n)
    if not c.limits:
        batch, k = merged(batch), merged(k)
    return replace(
        c,
        batch=_column(batch, 0),
        m=_column(m, 0),
        n=_column(n, 0),
        k=_column(k, 0),
        a=Operand(offset_a, _column(batch, 1), _column(m, 1), _column(k, 1)),
        b=Operand(offset_b, _column(batch, 2), _column(n, 1), _column(k, 2)),
    )


def merged(dims: Iterable[Sizes]) -> list[Sizes]:
    """Merge neighbouring (size, stride, stride ...) dims that are one dim in every operand."""
    result: list[Sizes] = []
    for size, *strides in dims:
        if size == 1:
            continue
        if result:
            before, *outer = result[-1]
            if all(far == near * size for far, near in zip(outer, strides, strict=True)):
                result[-1] = (before * size, *strides)
                continue
        result.append((size, *strides))
    return result


def has_whole_columns(c: Contraction) -> bool:
    """Whether each column of B lies in one piece, followed by the next: a transposed matrix."""
    steps = [step for _, step in merged(zip(c.k, c.b.k, strict=True))]
    return steps == [1] and c.b.free == (c.depth,)


def swapped(c: Contraction) -> Contraction:
    """Return the contraction with A and B, rows and columns, exchanged: C transposed."""
    return replace(c, m=c.n, n=c.m, a=c.b, b=c.a)


def _column(dims: Iterable[Sizes], index: int) -> Sizes:
    return tuple(dim[index] for dim in dims)
