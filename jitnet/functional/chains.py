"""Products of many matrices, and matrices of powers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .joining import cat
from .linear_algebra import product
from .out import with_out


@with_out
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Return the product of matrices in the order that takes fewest multiplications.

    The first and the last may be vectors.
    """
    factors = list(tensors)
    if len(factors) < 2:
        raise RuntimeError(
            at_line(f"multi_dot(): expected at least 2 tensors but got {len(factors)}")
        )
    first_is_row, last_is_column = factors[0].ndim == 1, factors[-1].ndim == 1
    if first_is_row:
        factors[0] = factors[0].unsqueeze(0)
    if last_is_column:
        factors[-1] = factors[-1].unsqueeze(-1)
    for factor in factors:
        if factor.ndim != 2:
            raise ShapeError(
                at_line(f"multi_dot(): wants matrices, vectors at the ends, got {factor._type}")
            )
    result = _multiplied(factors)
    if first_is_row:
        result = result.squeeze(0)
    return result.squeeze(-1) if last_is_column else result  # type: ignore[no-any-return]


def _multiplied(factors: Sequence[Tensor]) -> Tensor:
    """Return the product; which pairs first, dynamic programming finds (Cormen et al., 15.2)."""
    sizes = [factors[0]._type.shape[0], *(factor._type.shape[1] for factor in factors)]

    @cache
    def cost(first: int, last: int) -> tuple[int, int]:
        """Return the multiplications of a part of the chain, and where to cut it."""
        if first == last:
            return 0, first
        return min(
            (
                cost(first, cut)[0]
                + cost(cut + 1, last)[0]
                + sizes[first] * sizes[cut + 1] * sizes[last + 1],
                cut,
            )
            for cut in range(first, last)
        )

    def span(first: int, last: int) -> Tensor:
        if first == last:
            return factors[first]
        cut = cost(first, last)[1]
        return product(span(first, cut), span(cut + 1, last))

    return span(0, len(factors) - 1)


def chain_matmul(*matrices: Tensor) -> Tensor:
    """Return the product of matrices: torch.chain_matmul."""
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:  # noqa: N803
    """Return the powers 0, 1, ... N - 1 of each element, in a new last dim."""
    x = x if x.ndim else x.unsqueeze(0)
    count = x._type.shape[-1] if N is None else N
    if count <= 1 and N is not None:
        raise RuntimeError(at_line("N must be greater than 1."))
    powers = x.unsqueeze(-1).expand(*x._type.shape, count - 1).cumprod(-1)
    return cat([powers.new_ones((*x._type.shape, 1)), powers], -1)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803
    """Return the matrix of a vector's powers, the highest first: torch.vander."""
    count = x._type.shape[0] if N is None else N
    powers = [x.new_ones(x._type.shape)]
    if count > 1:
        rest = x.unsqueeze(-1).expand(*x._type.shape, count - 1).cumprod(-1)
        powers.append(rest)
    powers[0] = powers[0].unsqueeze(-1)[..., : min(count, 1)]
    found = cat(powers, -1)
    return found if increasing else found.flip(-1)  # type: ignore[no-any-return]
