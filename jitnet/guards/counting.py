"""Whole numbers that a compiled function changes from call to call, such as a count of steps.

While a function is traced, a Count takes the number's place: it remembers what is done with it. A
sum of it and a constant is known for every call; so is which way an `if` went, which is guarded;
in formulas with floats it is an input of the program. Whatever else wants it gets the number, and
then the function depends on it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .. import capture
from ..errors import at_line
from ..tensor import Tensor
from .assigned import entry

Operation = Callable[[Any, Any], Any]
Formula = Callable[[Callable[["Number"], Any]], Any]


@dataclass(eq=False)
class Number:
    """A number in its place: what it is while tracing, and what was asked of it."""

    entries: Any
    key: Any
    path: str
    value: int
    used_at: str | None = None  # the line that used the value itself
    answers: list[tuple[Callable[[], Any], bool]] = field(default_factory=list)

    def now(self) -> int:
        """Return what it is."""
        found: int = entry(self.entries, self.key)
        return found

    def is_whole(self) -> bool:
        """Whether there is still a whole number."""
        return type(entry(self.entries, self.key)) is int


class Count:
    """What was computed of such numbers, with whole numbers.

    formula: computes it, given what tells the value of each number.
    """

    __slots__ = ("formula", "numbers")

    def __init__(self, formula: Formula, numbers: frozenset[Number]) -> None:
        self.formula = formula
        self.numbers = numbers

    @staticmethod
    def of(number: Number) -> Count:
        """Return the number itself."""
        return Count(lambda read: read(number), frozenset((number,)))

    def now(self) -> int:
        """Return what it is in this call."""
        found: int = self.formula(Number.now)
        return found

    def used(self) -> int:
        """Return what it is while tracing, on which the function then depends."""
        for number in self.numbers:
            number.used_at = number.used_at or at_line("").removeprefix("; ")
        return self._traced()

    def _traced(self) -> int:
        found: int = self.formula(lambda number: number.value)
        return found

    def as_float(self) -> Any:
        """Return it as a traced float, which each call reads anew."""
        trace = capture.current()
        if trace is None:
            return float(self.used())
        return self.formula(lambda number: trace.number(number.entries, number.key))

    def _whole(self, operation: Operation, other: Any, reflected: bool) -> Any:
        if type(other) not in (int, bool, Count):
            return self._real(operation, other, reflected)
        is_count = type(other) is Count
        other_of: Formula = other.formula if is_count else lambda read: other
        first, second = (other_of, self.formula) if reflected else (self.formula, other_of)
        numbers = self.numbers | other.numbers if is_count else self.numbers
        return Count(lambda read: operation(first(read), second(read)), numbers)

    def _divided(self, operation: Operation, other: Any, reflected: bool) -> Any:
        if type(other) in (int, bool, Count):
            other = other.as_float() if type(other) is Count else float(other)
        return self._real(operation, other, reflected)

    def _power(self, operation: Operation, other: Any, reflected: bool) -> Any:
        is_whole = not reflected and type(other) is int and other >= 0
        return (self._whole if is_whole else self._real)(operation, other, reflected)

    def _real(self, operation: Operation, other: Any, reflected: bool) -> Any:
        if isinstance(other, Tensor):
            own: Any = self.as_float() if other._type.dtype.is_inexact else self.used()
        elif isinstance(other, float):
            own = self.as_float()
        else:
            own, other = self.used(), other.used() if type(other) is Count else other
        return operation(other, own) if reflected else operation(own, other)

    def _ask(self, operation: Operation, other: Any) -> bool:
        """Return how a comparison ends, which is guarded."""
        if type(other) not in (int, bool, float, Count):
            return bool(operation(self.used(), other))
        if type(other) is float:
            asked = Count(lambda read: operation(self.formula(read), other), self.numbers)
        else:
            asked = self._whole(operation, other, False)
        answer = bool(asked._traced())
        for number in asked.numbers:
            number.answers.append((asked._answer, answer))
        return answer

    def _answer(self) -> bool | None:
        return bool(self.now()) if all(number.is_whole() for number in self.numbers) else None

    def __bool__(self) -> bool:
        return self._ask(operator.ne, 0)

    def __neg__(self) -> Any:
        return self._whole(operator.mul, -1, False)

    def __pos__(self) -> Count:
        return self

    def __int__(self) -> int:
        return self.used()

    __index__ = __int__

    def __float__(self) -> float:
        return float(self.used())

    def __hash__(self) -> int:
        return hash(self.used())

    def __repr__(self) -> str:
        return repr(self.used())

    def __format__(self, spec: str) -> str:
        return format(self.used(), spec)

    def __abs__(self) -> int:
        return abs(self.used())

    def __round__(self, digits: int | None = None) -> int:
        return self.used()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.used() if hasattr(int, name) else object(), name)

    def __copy__(self) -> Count:
        return self

    def __deepcopy__(self, memo: Any) -> Count:
        return self


def _install() -> None:
    for name in ("add", "sub", "mul", "floordiv", "mod", "truediv", "pow"):
        operation = getattr(operator, name)
        combine = {"truediv": Count._divided, "pow": Count._power}.get(name, Count._whole)
        for reflected in (False, True):
            setattr(
                Count,
                f"__{'r' if reflected else ''}{name}__",
                lambda self, other, do=operation, how=combine, back=reflected: how(
                    self, do, other, back
                ),
            )
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        operation = getattr(operator, name)
        setattr(Count, f"__{name}__", lambda self, other, do=operation: self._ask(do, other))


_install()
