"""Python's operators on tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..functional import arithmetic, linear_algebra
from ..functional.promote import as_operand, fit, result_type
from ..tensor import Tensor
from .writing import source, write


def _operand(value: Any) -> bool:
    return isinstance(value, Tensor | bool | int | float | complex | np.generic | np.ndarray)


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function without its `out=`, which operators do not have."""
    return getattr(function, "__wrapped__", function)


def operator(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of an operator such as +."""
    function = inner(function)

    def apply(self: Tensor, other: Any) -> Any:
        if type(other) is not Tensor and not _operand(other):
            return NotImplemented
        return function(self, other)

    return apply


def reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method for a tensor on the right."""
    function = inner(function)

    def apply(self: Tensor, other: Any) -> Any:
        if not isinstance(self, Tensor):
            raise TypeError(f"a reflected operator wants a Tensor as self, got {type(self)}")
        return function(other, self) if _operand(other) else NotImplemented

    return apply


def assigning(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the method of an assignment such as +=; name says which function."""
    function = inner(function)

    def apply(self: Tensor, other: Any) -> Any:
        if not _operand(other):
            return NotImplemented
        if self._weak:  # a Python number: its name gets another
            return function(self, other)
        return write(self, function(source(self, name, (other,)), other))

    return apply


def _pow(base: Any, exponent: Any) -> Tensor:
    if not isinstance(base, Tensor):
        base = fit(as_operand(base), result_type(as_operand(base), exponent), exponent._type.shape)
    return arithmetic.pow(base, exponent)


OPERATORS: dict[str, Callable[..., Any]] = {
    "add": arithmetic.add,
    "sub": arithmetic.sub,
    "mul": arithmetic.mul,
    "truediv": arithmetic.div,
    "floordiv": arithmetic.floor_divide,
    "mod": arithmetic.remainder,
    "pow": _pow,
    "matmul": linear_algebra.matmul,
    "and": arithmetic.bitwise_and,
    "or": arithmetic.bitwise_or,
    "xor": arithmetic.bitwise_xor,
    "lshift": arithmetic.left_shift,
    "rshift": arithmetic.right_shift,
}

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
