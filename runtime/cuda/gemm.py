"""A product of matrices as NVIDIA's cuBLAS is asked for it: columns lie one after another."""

from __future__ import annotations

from typing import Any

from ..dataclass import dataclass


@dataclass(frozen=True)
class Matrix:
    """How matrices lie: element (i, j) is at i + lead * j, the next matrix `step` further on.

    dtype: its name.  op: "N" to multiply by it as it lies, "T" by its transpose.
    """

    dtype: str
    op: str
    lead: int
    step: int


@dataclass(frozen=True)
class Gemm:
    """c = op(a) @ op(b), `count` times: c is m x n, sums have k terms.

    compute: how sums are made: "32F", "32F_FAST_TF32" or "64F".
    """

    m: int
    n: int
    k: int
    a: Matrix
    b: Matrix
    c: Matrix
    count: int
    compute: str

    def called(self, a: str, b: str, c: str) -> str:
        """Return the call as text, given the names of what it reads and writes."""
        operands = (("A", a, self.a), ("B", b, self.b), ("C", c, self.c))
        first, second, result = (
            f"{letter}={name}, {matrix.dtype}, ld{letter.lower()}={matrix.lead}, "
            f"stride{letter}={matrix.step}"
            for letter, name, matrix in operands
        )
        return (
            f"cublasGemmStridedBatchedEx({self.a.op}, {self.b.op}, m={self.m}, n={self.n}, "
            f"k={self.k}, alpha=1, {first}, {second}, beta=0, {result}, "
            f"batchCount={self.count}, CUBLAS_COMPUTE_{self.compute})"
        )

    def to_list(self) -> list[Any]:
        """Return it as lists and plain values, for JSON."""
        matrices = [
            [each.dtype, each.op, each.lead, each.step] for each in (self.a, self.b, self.c)
        ]
        return [self.m, self.n, self.k, *matrices, self.count, self.compute]

    @staticmethod
    def from_list(found: list[Any]) -> Gemm:
        """Return what `to_list` wrote."""
        m, n, k, a, b, c, count, compute = found
        return Gemm(m, n, k, Matrix(*a), Matrix(*b), Matrix(*c), count, compute)
