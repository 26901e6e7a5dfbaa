"""Routines carried out in native code and in Python, on holders of arrays as Tensor is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jitnet.runtime import endings, layout
from jitnet.runtime.holders import Holder
from jitnet.runtime.instruction import Instruction
from jitnet.runtime.routine import MISSED, Routine

F32 = np.dtype(np.float32)


class Counter:
    __slots__ = ("count", "lent", "unseen")

    def __init__(self) -> None:
        self.count = 0
        self.lent = False
        self.unseen = 0


class Box:
    """A holder, as Tensor is."""

    __slots__ = ("_wants", "array", "base", "counter", "first", "history", "hooks", "slope", "then")

    def __init__(self, array: Any, base: Box | None = None, first: Box | None = None) -> None:
        self.array = array
        self.base = base
        self.counter = Counter()
        self.slope: Box | None = None
        self._wants = False
        self.history: Any = None
        self.hooks: Any = None
        self.first = first
        self.then = None if first is None else first.history


HOLDER = Holder(
    Box,
    Counter,
    array="array",
    base="base",
    counter="counter",
    gradient="slope",
    wants_gradient="_wants",
    history="history",
    hooks="hooks",
    origin="first",
    origin_history="then",
)


@pytest.fixture(params=["native", "python"])
def carry_out(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Carry out instructions on arguments, one way or the other."""
    if request.param == "native" and not layout.LAYOUT_KNOWN:
        pytest.skip("this Python lays objects out in a way that is not known")

    def carry_out(instructions: list[Instruction], *arguments: Any) -> Any:
        routine = Routine(instructions)
        if request.param == "native":
            return routine.call()(*arguments)
        return routine._carry_out(0, arguments)

    return carry_out


def passes(carry_out: Callable[..., Any], look: list[Instruction], *arguments: Any) -> bool:
    """Whether the looks say yes."""
    answer = carry_out([*look, endings.ReturnThis("yes")], *arguments)
    assert answer in ("yes", MISSED)
    return bool(answer == "yes")
