"""Looks and facts of routines, in native code and in Python."""

from __future__ import annotations

import re
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jitnet.runtime import acts, endings, facts, looks, routine, routine_ir
from jitnet.runtime.instruction import ABSENT, FUNCTIONS, Instruction
from tests.routine_harness import F32, HOLDER, Box, passes


def test_every_instruction_says_what_it_does() -> None:
    assert len(FUNCTIONS) > 25
    for kind in FUNCTIONS:
        assert kind.__doc__ and kind.ir.strip(), kind
        assert kind.do is not Instruction.do, kind


def test_instructions_bring_the_functions_that_they_call() -> None:
    text = routine_ir.instructions_text([acts.Fresh])
    for name in ("put_out", "made_like", "shared"):  # each calls the next
        assert len(re.findall(rf"define .* @{name}\(", text)) == 1
    assert "@is_among" not in text


def test_instructions_are_compiled_when_a_routine_has_them(
    carry_out: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = routine._Native()
    monkeypatch.setattr(routine, "_native", lambda: fresh)
    assert passes(carry_out, [looks.Arguments(1)], 3)
    assert not passes(carry_out, [looks.Arguments(1)])
    look: list[Instruction] = [looks.Argument(0), looks.IsOf(int)]
    assert passes(carry_out, look, 3) and not passes(carry_out, look, "3")


# -- looks --------------------------------------------------------------------------------------


def test_how_many_arguments(carry_out: Callable[..., Any]) -> None:
    for count in range(4):
        assert passes(carry_out, [looks.Arguments(2)], *range(count)) == (count == 2)


def test_identity_and_type(carry_out: Callable[..., Any]) -> None:
    one, other = [1], [1]
    look: list[Instruction] = [looks.Argument(1), looks.Is(one)]
    assert passes(carry_out, look, None, one) and not passes(carry_out, look, one, other)
    look = [looks.Argument(0), looks.IsOf(int)]
    assert (
        passes(carry_out, look, 3)
        and not passes(carry_out, look, True)
        and not passes(carry_out, look, 3.0)
    )
    assert passes(carry_out, [looks.Object(one), looks.Is(one)])


@pytest.mark.parametrize("expected", [3, 1 << 70, "text", True, None])
def test_equal_values_of_the_same_type(carry_out: Callable[..., Any], expected: Any) -> None:
    look: list[Instruction] = [looks.Argument(0), looks.Equals(expected)]
    assert passes(carry_out, look, eval(repr(expected)))
    for other in (4, 3.0, "texts", False, 1, (), 1 << 71):
        assert not passes(carry_out, look, other)


def test_a_predicate_of_pythons(carry_out: Callable[..., Any]) -> None:
    look: list[Instruction] = [looks.Argument(0), looks.Passes(lambda value: value > 2)]
    assert passes(carry_out, look, 3) and not passes(carry_out, look, 2)
    with pytest.raises(TypeError, match="not supported"):
        passes(carry_out, look, "text")


def test_layout_of_arrays(carry_out: Callable[..., Any]) -> None:
    block = np.zeros((4, 6), F32)
    sizes = np.array([2, 3, 48, 8], np.int64)
    look: list[Instruction] = [looks.Argument(0), looks.IsArray(F32, 2, sizes, 1)]
    assert passes(carry_out, look, block[::2, ::2])
    read_only = block[::2, ::2]
    read_only.flags.writeable = False
    wrong = [block, block[:2, :3], block[::2, ::2].copy(), block[0], read_only, None, [1.0]]
    wrong += [block[::2, ::2].astype(np.float64), block[::2, ::2].view(np.int32)]
    wrong.append(block[::2, ::2].view(type("Sub", (np.ndarray,), {})))
    assert not any(passes(carry_out, look, array) for array in wrong)


def test_slots(carry_out: Callable[..., Any]) -> None:
    box = Box(None)
    place = HOLDER.place("wants_gradient")
    look: list[Instruction] = [looks.Argument(0), looks.Keeps(place, False)]
    assert passes(carry_out, look, box)
    other: list[Instruction] = [looks.Argument(0), looks.KeepsOther(place, False)]
    assert not passes(carry_out, other, box)
    box._wants = True
    assert not passes(carry_out, look, box) and passes(carry_out, other, box)
    followed: list[Instruction] = [looks.Argument(0), looks.Slot(place), looks.Is(True)]
    assert passes(carry_out, followed, box)
    del box._wants
    assert not passes(carry_out, followed, box)


def test_history_that_follows_an_origin(carry_out: Callable[..., Any]) -> None:
    first = Box(None)
    view = Box(None, base=first, first=first)
    look: list[Instruction] = [looks.Argument(0), looks.Settled(HOLDER)]
    assert passes(carry_out, look, first) and passes(carry_out, look, view)
    first.history = object()
    assert passes(carry_out, look, first) and not passes(carry_out, look, view)


def test_memory_of_its_own(carry_out: Callable[..., Any]) -> None:
    block = np.zeros((6, 4), F32)
    held, one, two = Box(block), Box(block), Box(block)
    addresses = np.array([id(held)], np.int64)
    look: list[Instruction] = []
    for number in range(2):
        apart = looks.Apart(HOLDER, number, addresses, 1, 2, 4)
        look += [looks.Argument(number), apart]

    def view(of: Box, part: slice) -> Box:
        return Box(block[part], base=of)

    low, high, even, odd = slice(0, 3), slice(3, 6), slice(0, 6, 2), slice(1, 6, 2)
    assert passes(carry_out, look, one, two)
    assert passes(carry_out, look, view(one, low), view(two, low))
    assert passes(carry_out, look, view(one, low), view(one, high))
    assert passes(carry_out, look, view(one, high), view(one, low))
    assert not passes(carry_out, look, one, one)
    assert not passes(carry_out, look, one, view(one, low))
    assert not passes(carry_out, look, one, held)
    assert not passes(carry_out, look, view(held, low), two)
    assert not passes(carry_out, look, view(one, low), view(one, slice(2, 6)))
    assert not passes(carry_out, look, view(one, even), view(one, odd))
    one._wants = True
    assert not passes(carry_out, look, view(one, low), view(one, high))


def test_base(carry_out: Callable[..., Any]) -> None:
    base = Box(None)
    look: list[Instruction] = [looks.Argument(0), looks.Base(HOLDER), looks.Is(base)]
    assert passes(carry_out, look, base) and passes(carry_out, look, Box(None, base))
    assert not passes(carry_out, look, Box(None))


# -- facts --------------------------------------------------------------------------------------


def test_entries_of_dicts(carry_out: Callable[..., Any]) -> None:
    value = object()
    mapping = {"a": value}
    assert passes(carry_out, [facts.Entry(mapping, "a", value)])
    assert passes(carry_out, [facts.Entry(mapping, "b", ABSENT)])
    assert not passes(carry_out, [facts.Entry(mapping, "a", ABSENT)])
    assert not passes(carry_out, [facts.Entry(mapping, "b", value)])
    assert not passes(carry_out, [facts.Entry(mapping, "a", object())])
    number = 12345
    assert passes(carry_out, [facts.Entry({"a": number}, "a", number)])
    answers = iter([True, False])
    moved = facts.EntryOr(mapping, "a", object(), lambda: next(answers))
    assert passes(carry_out, [moved]) and not passes(carry_out, [moved])
    assert passes(carry_out, [facts.EntryOr(mapping, "a", value, lambda: 1 / 0 > 0)])


def test_sizes_and_elements(carry_out: Callable[..., Any]) -> None:
    items = [object(), object()]
    expected = list(items)
    look = facts.Elements(items, np.array(list(map(id, expected)), np.int64), 2, expected)
    assert passes(carry_out, [look, facts.Size(items, 2)])
    items.append(None)
    assert not passes(carry_out, [look]) and not passes(carry_out, [facts.Size(items, 2)])
    items[:] = [expected[0], object()]
    assert not passes(carry_out, [look])
    items[:] = expected[:1]
    assert not passes(carry_out, [look])
    with pytest.raises(TypeError, match="len"):
        carry_out([facts.Size(3, 1), endings.ReturnThis(None)])


def test_cells_and_parts_of_functions(carry_out: Callable[..., Any]) -> None:
    cell, value = types.CellType(), object()
    assert passes(carry_out, [facts.Contents(cell, ABSENT)])
    assert not passes(carry_out, [facts.Contents(cell, value)])
    cell.cell_contents = value
    assert passes(carry_out, [facts.Contents(cell, value)])
    assert not passes(carry_out, [facts.Contents(cell, ABSENT)])

    def function(a: int = 1, *, b: int = 2) -> None: ...

    for name in ("__code__", "__defaults__", "__kwdefaults__"):
        look = facts.Part.of(function, name, getattr(function, name))
        assert passes(carry_out, [look])
    function.__defaults__ = None
    assert not passes(carry_out, [facts.Part.of(function, "__defaults__", (1,))])
    assert passes(carry_out, [facts.Part.of(function, "__defaults__", None)])


def test_attributes_and_probes(carry_out: Callable[..., Any]) -> None:
    owner = threading.local()
    owner.now = value = object()
    assert passes(carry_out, [facts.Attribute(owner, "now", value)])
    assert not passes(carry_out, [facts.Attribute(owner, "now", object())])
    with pytest.raises(AttributeError, match="then"):
        passes(carry_out, [facts.Attribute(owner, "then", value)])
    assert passes(carry_out, [facts.Holds(lambda: True)]) and not passes(
        carry_out, [facts.Holds(lambda: False)]
    )
    with pytest.raises(ZeroDivisionError):
        passes(carry_out, [facts.Holds(lambda: 1 / 0 > 0)])
