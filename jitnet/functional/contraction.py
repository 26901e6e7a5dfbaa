"""Sums of products that a formula names: einsum, and what is one formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import int64

from ..errors import at_line
from ..tensor import Tensor
from .arithmetic import add
from .linear_algebra import _same_dtype, product
from .precision import autocast_passes, rounded_once
from .promote import to_dtype, to_shape


def einsum(equation: str, *operands: Any) -> Tensor:
    """Return the sum of products that a formula names: einsum("bij,bjk->bik", x, y)."""
    if len(operands) == 1 and not isinstance(operands[0], Tensor):
        operands = tuple(operands[0])
    inputs, output, operands = _parse(equation.replace(" ", ""), operands)
    if len(operands) > 1:
        _same_dtype("einsum", *operands)
    name, x = inputs[0], operands[0]
    name, x = _diagonals(name, x)
    for position in range(1, len(inputs)):
        other_name, other = _diagonals(inputs[position], operands[position])
        later = set(output).union(*inputs[position + 1 :])
        name, x = _contract(name, x, other_name, other, later)
    name, x = _summed(name, x, set(output))
    return x.permute([name.index(letter) for letter in output])  # type: ignore[no-any-return]


def _parse(equation: str, operands: Sequence[Tensor]) -> tuple[list[str], str, tuple[Tensor, ...]]:
    """Return the letters of each operand and of the result; "..." becomes capital letters."""
    left, arrow, output = equation.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(operands):
        raise ValueError(
            at_line(f"einsum '{equation}' names {len(inputs)} operands, got {len(operands)}")
        )
    extra = [
        x.ndim - len(term.replace("...", "")) for term, x in zip(inputs, operands, strict=True)
    ]
    widest = max([count for term, count in zip(inputs, extra, strict=True) if "..." in term] or [0])
    free = [chr(number) for number in range(0x2460, 0x2460 + widest)]
    spelled, shaped = [], []
    for term, x, count in zip(inputs, operands, extra, strict=True):
        if count < 0 or (count and "..." not in term):
            raise ValueError(
                at_line(f"einsum '{equation}': '{term}' does not fit an operand of {x.ndim} dims")
            )
        spelled.append(term.replace("...", "".join(free[widest - count :])))
        shaped.append(x)
    if not arrow:
        joined = "".join(spelled)
        output = "".join(free) + "".join(
            sorted(c for c in set(joined) if joined.count(c) == 1 and c not in free)
        )
    else:
        output = output.replace("...", "".join(free))
    unknown = set(output) - set("".join(spelled))
    if unknown or len(set(output)) != len(output):
        raise ValueError(at_line(f"einsum '{equation}': the result's letters must be operands'"))
    return spelled, output, tuple(shaped)


def _diagonals(name: str, x: Tensor) -> tuple[str, Tensor]:
    """Take the diagonal for a letter that stands twice."""
    for letter in dict.fromkeys(name):
        while name.count(letter) > 1:
            first, second = name.index(letter), name.rindex(letter)
            x = x.diagonal(0, first, second)
            name = "".join(c for i, c in enumerate(name) if i not in (first, second)) + letter
    return name, x


def _summed(name: str, x: Tensor, keep: set[str]) -> tuple[str, Tensor]:
    """Sum over the letters that nothing needs any more."""
    axes = [axis for axis, letter in enumerate(name) if letter not in keep]
    if axes:
        x = x.sum(axes)
    return "".join(letter for letter in name if letter in keep), x


_products = autocast_passes(product)  # of elements only: nothing is summed


def _contract(a: str, x: Tensor, b: str, y: Tensor, later: set[str]) -> tuple[str, Tensor]:
    """Multiply two operands, summing over letters that only they share."""
    a, x = _summed(a, x, later | set(b))
    b, y = _summed(b, y, later | set(a))
    if x._type.dtype is not y._type.dtype:  # a sum of whole numbers is int64
        x, y = to_dtype(x, int64), to_dtype(y, int64)
    sizes: dict[str, int] = {}
    for name, value in ((a, x), (b, y)):
        for letter, size in zip(name, value._type.shape, strict=True):
            if sizes.setdefault(letter, size) == 1:
                sizes[letter] = size
            if size not in (1, sizes[letter]):
                raise RuntimeError(
                    at_line(f"einsum: '{letter}' has sizes {sizes[letter]} and {size}")
                )
    shared = [letter for letter in a if letter in b]
    batch = [letter for letter in shared if letter in later]
    inner = [letter for letter in shared if letter not in later]
    left = [letter for letter in a if letter not in b]
    right = [letter for letter in b if letter not in a]

    def arranged(name: str, value: Tensor, order: list[str], groups: list[list[str]]) -> Tensor:
        moved = value.permute([name.index(letter) for letter in order])
        full = to_shape(moved, tuple(sizes[letter] for letter in order))
        return full.reshape([numel(sizes[letter] for letter in group) for group in groups])  # type: ignore[no-any-return]

    first = arranged(a, x, batch + left + inner, [batch, left, inner])
    second = arranged(b, y, batch + inner + right, [batch, inner, right])
    letters = batch + left + right
    multiply = product if inner else _products
    result = multiply(first, second).reshape([sizes[letter] for letter in letters])
    return "".join(letters), result


@autocast_passes
@rounded_once
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return input1[..., i] weight[o, i, j] input2[..., j] + bias."""
    made = einsum("...i,oij,...j->...o", input1, weight, input2)
    return made if bias is None else add(made, bias)
