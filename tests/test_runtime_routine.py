"""Routines: every instruction in native code and in Python, what is kept and what is let go."""

from __future__ import annotations

import gc
import re
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jitnet.runtime import acts, endings, facts, layout, looks, routine, routine_ir
from jitnet.runtime.cache import compile_cached
from jitnet.runtime.device import host_target
from jitnet.runtime.holders import Holder, Pattern
from jitnet.runtime.instruction import ABSENT, FUNCTIONS, Instruction
from jitnet.runtime.memory import Rooms
from jitnet.runtime.program import Program
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
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Carry out instructions on arguments, one way or the other."""
    if request.param == "native" and not layout.LAYOUT_KNOWN:
        pytest.skip("this Python lays objects out in a way that is not known")

    def run(instructions: list[Instruction], *arguments: Any) -> Any:
        routine = Routine(instructions)
        if request.param == "native":
            return routine.call()(*arguments)
        return routine._carry_out(0, arguments)

    return run


def passes(run: Callable[..., Any], look: list[Instruction], *arguments: Any) -> bool:
    """Whether the looks say yes."""
    answer = run([*look, endings.ReturnThis("yes")], *arguments)
    assert answer in ("yes", MISSED)
    return bool(answer == "yes")


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
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = routine._Native()
    monkeypatch.setattr(routine, "_native", lambda: fresh)
    assert passes(run, [looks.Arguments(1)], 3) and not passes(run, [looks.Arguments(1)])
    look: list[Instruction] = [looks.Argument(0), looks.IsOf(int)]
    assert passes(run, look, 3) and not passes(run, look, "3")


# -- looks --------------------------------------------------------------------------------------


def test_how_many_arguments(run: Callable[..., Any]) -> None:
    for count in range(4):
        assert passes(run, [looks.Arguments(2)], *range(count)) == (count == 2)


def test_identity_and_type(run: Callable[..., Any]) -> None:
    one, other = [1], [1]
    look: list[Instruction] = [looks.Argument(1), looks.Is(one)]
    assert passes(run, look, None, one) and not passes(run, look, one, other)
    look = [looks.Argument(0), looks.IsOf(int)]
    assert passes(run, look, 3) and not passes(run, look, True) and not passes(run, look, 3.0)
    assert passes(run, [looks.Object(one), looks.Is(one)])


@pytest.mark.parametrize("expected", [3, 1 << 70, "text", True, None])
def test_equal_values_of_the_same_type(run: Callable[..., Any], expected: Any) -> None:
    look: list[Instruction] = [looks.Argument(0), looks.Equals(expected)]
    assert passes(run, look, eval(repr(expected)))
    for other in (4, 3.0, "texts", False, 1, (), 1 << 71):
        assert not passes(run, look, other)


def test_a_predicate_of_pythons(run: Callable[..., Any]) -> None:
    look: list[Instruction] = [looks.Argument(0), looks.Passes(lambda value: value > 2)]
    assert passes(run, look, 3) and not passes(run, look, 2)
    with pytest.raises(TypeError, match="not supported"):
        passes(run, look, "text")


def test_layout_of_arrays(run: Callable[..., Any]) -> None:
    block = np.zeros((4, 6), F32)
    sizes = np.array([2, 3, 48, 8], np.int64)
    look: list[Instruction] = [looks.Argument(0), looks.IsArray(F32, 2, sizes, 1)]
    assert passes(run, look, block[::2, ::2])
    read_only = block[::2, ::2]
    read_only.flags.writeable = False
    wrong = [block, block[:2, :3], block[::2, ::2].copy(), block[0], read_only, None, [1.0]]
    wrong += [block[::2, ::2].astype(np.float64), block[::2, ::2].view(np.int32)]
    wrong.append(block[::2, ::2].view(type("Sub", (np.ndarray,), {})))
    assert not any(passes(run, look, array) for array in wrong)


def test_slots(run: Callable[..., Any]) -> None:
    box = Box(None)
    place = HOLDER.place("wants_gradient")
    look: list[Instruction] = [looks.Argument(0), looks.Keeps(place, False)]
    assert passes(run, look, box)
    other: list[Instruction] = [looks.Argument(0), looks.KeepsOther(place, False)]
    assert not passes(run, other, box)
    box._wants = True
    assert not passes(run, look, box) and passes(run, other, box)
    followed: list[Instruction] = [looks.Argument(0), looks.Slot(place), looks.Is(True)]
    assert passes(run, followed, box)
    del box._wants
    assert not passes(run, followed, box)


def test_history_that_follows_an_origin(run: Callable[..., Any]) -> None:
    first = Box(None)
    view = Box(None, base=first, first=first)
    look: list[Instruction] = [looks.Argument(0), looks.Settled(HOLDER)]
    assert passes(run, look, first) and passes(run, look, view)
    first.history = object()
    assert passes(run, look, first) and not passes(run, look, view)


def test_memory_of_its_own(run: Callable[..., Any]) -> None:
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
    assert passes(run, look, one, two)
    assert passes(run, look, view(one, low), view(two, low))
    assert passes(run, look, view(one, low), view(one, high))
    assert passes(run, look, view(one, high), view(one, low))
    assert not passes(run, look, one, one)
    assert not passes(run, look, one, view(one, low))
    assert not passes(run, look, one, held)
    assert not passes(run, look, view(held, low), two)
    assert not passes(run, look, view(one, low), view(one, slice(2, 6)))
    assert not passes(run, look, view(one, even), view(one, odd))
    one._wants = True
    assert not passes(run, look, view(one, low), view(one, high))


def test_base(run: Callable[..., Any]) -> None:
    base = Box(None)
    look: list[Instruction] = [looks.Argument(0), looks.Base(HOLDER), looks.Is(base)]
    assert passes(run, look, base) and passes(run, look, Box(None, base))
    assert not passes(run, look, Box(None))


# -- facts --------------------------------------------------------------------------------------


def test_entries_of_dicts(run: Callable[..., Any]) -> None:
    value = object()
    mapping = {"a": value}
    assert passes(run, [facts.Entry(mapping, "a", value)])
    assert passes(run, [facts.Entry(mapping, "b", ABSENT)])
    assert not passes(run, [facts.Entry(mapping, "a", ABSENT)])
    assert not passes(run, [facts.Entry(mapping, "b", value)])
    assert not passes(run, [facts.Entry(mapping, "a", object())])
    number = 12345
    assert passes(run, [facts.Entry({"a": number}, "a", number)])
    answers = iter([True, False])
    moved = facts.EntryOr(mapping, "a", object(), lambda: next(answers))
    assert passes(run, [moved]) and not passes(run, [moved])
    assert passes(run, [facts.EntryOr(mapping, "a", value, lambda: 1 / 0 > 0)])


def test_sizes_and_elements(run: Callable[..., Any]) -> None:
    items = [object(), object()]
    expected = list(items)
    look = facts.Elements(items, np.array(list(map(id, expected)), np.int64), 2, expected)
    assert passes(run, [look, facts.Size(items, 2)])
    items.append(None)
    assert not passes(run, [look]) and not passes(run, [facts.Size(items, 2)])
    items[:] = [expected[0], object()]
    assert not passes(run, [look])
    items[:] = expected[:1]
    assert not passes(run, [look])
    with pytest.raises(TypeError, match="len"):
        run([facts.Size(3, 1), endings.ReturnThis(None)])


def test_cells_and_parts_of_functions(run: Callable[..., Any]) -> None:
    cell, value = types.CellType(), object()
    assert passes(run, [facts.Contents(cell, ABSENT)])
    assert not passes(run, [facts.Contents(cell, value)])
    cell.cell_contents = value
    assert passes(run, [facts.Contents(cell, value)])
    assert not passes(run, [facts.Contents(cell, ABSENT)])

    def function(a: int = 1, *, b: int = 2) -> None: ...

    for name in ("__code__", "__defaults__", "__kwdefaults__"):
        look = facts.Part.of(function, name, getattr(function, name))
        assert passes(run, [look])
    function.__defaults__ = None
    assert not passes(run, [facts.Part.of(function, "__defaults__", (1,))])
    assert passes(run, [facts.Part.of(function, "__defaults__", None)])


def test_attributes_and_probes(run: Callable[..., Any]) -> None:
    owner = threading.local()
    owner.now = value = object()
    assert passes(run, [facts.Attribute(owner, "now", value)])
    assert not passes(run, [facts.Attribute(owner, "now", object())])
    with pytest.raises(AttributeError, match="then"):
        passes(run, [facts.Attribute(owner, "then", value)])
    assert passes(run, [facts.Holds(lambda: True)]) and not passes(
        run, [facts.Holds(lambda: False)]
    )
    with pytest.raises(ZeroDivisionError):
        passes(run, [facts.Holds(lambda: 1 / 0 > 0)])


# -- acts and endings ---------------------------------------------------------------------------

# Slot 3 becomes slot 1 times the number in slot 2, for 4 float32; a negative number is an error.
SCALE = """
entry:
  %x_at = getelementptr ptr, ptr %slots, i64 1
  %k_at = getelementptr ptr, ptr %slots, i64 2
  %y_at = getelementptr ptr, ptr %slots, i64 3
  %x = load ptr, ptr %x_at
  %k_place = load ptr, ptr %k_at
  %y = load ptr, ptr %y_at
  %k = load double, ptr %k_place
  %wrong = fcmp olt double %k, 0.0
  br i1 %wrong, label %refuse, label %scale
refuse:
  %status = load ptr, ptr %slots
  store i64 7, ptr %status
  ret void
scale:
  %short = fptrunc double %k to float
  %one = insertelement <4 x float> zeroinitializer, float %short, i32 0
  %all = shufflevector <4 x float> %one, <4 x float> zeroinitializer, <4 x i32> zeroinitializer
  %values = load <4 x float>, ptr %x, align 4
  %scaled = fmul <4 x float> %values, %all
  store <4 x float> %scaled, ptr %y, align 4
  ret void
"""
ABI = "ptr %slots, ptr %arena, ptr %scratch, ptr %team, i64 %thread, i64 %threads"


def scale() -> acts.Run:
    target = host_target()
    text = f'target triple = "{target.triple}"\ndefine void @program({ABI}) {{{SCALE}}}\n'
    program = Program(compile_cached(text, target)[0], "program", 4, max_threads=1)
    return program.instruction([1, 2, 3])


def fresh(output: int, place: int) -> Instruction:
    return acts.FreshSmall(output, place, Rooms((4,), F32), Pattern(HOLDER, Box(None)))


def scaling(*more: Instruction) -> list[Instruction]:
    """Return what scales the array of argument 0 by argument 1 into output 0."""
    array = looks.Slot(HOLDER.place("array"))
    return [
        *(looks.Arguments(2), looks.Argument(0), looks.IsOf(Box)),
        *(looks.Argument(0), array, acts.Pointer(0), looks.Argument(1), acts.Number(1, 0)),
        *more,
        *(fresh(0, 2), scale(), acts.Check(complain)),
    ]


def complain(status: int) -> None:
    raise ArithmeticError(f"status {status}")


def ones() -> Box:
    return Box(np.ones(4, F32))


def test_a_program_is_run(run: Callable[..., Any]) -> None:
    routine = [*scaling(), endings.Return(0)]
    for factor in (2.0, 3, np.float64(0.5), -0.0):
        made = run(routine, ones(), factor)
        assert type(made) is Box and (made.array == np.float32(factor)).all()
        assert made.counter.count == 0 and made.slope is None and made.base is None
    assert run(routine, ones()) is MISSED and run(routine, 1, 2.0) is MISSED


def test_errors_reach_the_caller(run: Callable[..., Any]) -> None:
    routine = [*scaling(), endings.Return(0)]
    with pytest.raises(ArithmeticError, match="status 7"):
        run(routine, ones(), -2.0)
    with pytest.raises((TypeError, ValueError)):
        run(routine, ones(), "text")
    with pytest.raises(KeyError, match="rate"):
        run([looks.Object({}), acts.Subscript("rate"), endings.ReturnThis(1)])

    def refuse(shape: Any, dtype: Any) -> Any:
        raise MemoryError("no room")

    full = acts.Fresh(0, 2, (4,), F32, refuse, Pattern(HOLDER, Box(None)))
    with pytest.raises(MemoryError, match="no room"):
        run([*scaling(full), endings.Return(0)], ones(), 2.0)


def test_large_outputs(run: Callable[..., Any]) -> None:
    pattern = Pattern(HOLDER, Box(None))
    large = acts.Fresh(0, 2, (4,), F32, np.empty, pattern)
    made = run([*scaling(large), endings.Return(0)], ones(), 2.0)
    assert type(made) is Box and (made.array == 2).all() and made.array.flags.owndata


def test_small_outputs_lie_in_memory_that_nobody_has() -> None:
    call = Routine([*scaling(), endings.Return(0)]).call()
    x = ones()

    def made(factor: float) -> np.ndarray:
        array: np.ndarray = call(x, factor).array
        assert array.shape == (4,) and array.dtype is F32 and array.flags.carray
        assert array.ctypes.data % 64 == 0
        return array

    kept = [made(float(factor)) for factor in range(6)]
    parts = [made(float(factor))[1:3] for factor in range(6)]
    buffers = [memoryview(made(float(factor))) for factor in range(6)]
    for factor in range(6):
        assert (kept[factor] == factor).all() and (parts[factor] == factor).all()
        assert buffers[factor].tolist() == [factor] * 4
    assert len({array.ctypes.data for array in kept}) == 6
    if layout.LAYOUT_KNOWN:
        assert len({made(1.0).ctypes.data for _ in range(20)}) <= 2
    gone = weakref.ref(made(1.0))
    assert gone() is None


def test_shapes_of_small_outputs(run: Callable[..., Any]) -> None:
    for shape in ((), (0, 3), (2, 1, 3)):
        for dtype in (np.dtype(bool), np.dtype(np.int64)):
            rooms = Rooms(shape, dtype)
            small = acts.FreshSmall(0, 0, rooms, Pattern(HOLDER, Box(None)))
            array = run([small, endings.Return(0)]).array
            assert array.shape == shape and array.dtype is dtype and array.flags.c_contiguous
            array[...] = 1


def test_options_are_read_anew(run: Callable[..., Any]) -> None:
    options = {"betas": [0.5, 4.0]}
    sought: list[Instruction] = [looks.Object(options), *map(acts.Subscript, ("betas", 1))]
    routine = [*scaling(*sought, acts.Number(1, 1)), endings.Return(0)]
    assert run(routine, ones(), 2.0).array[0] == 4.0
    options["betas"][1] = 8.0
    assert run(routine, ones(), 2.0).array[0] == 8.0


def test_counts_and_gradients(run: Callable[..., Any]) -> None:
    owner, x = ones(), ones()
    after: list[Instruction] = [looks.Object(owner), endings.Count(HOLDER)]
    after += [looks.Object(owner), endings.Give(0, HOLDER), endings.ReturnThis(None)]
    owner.counter.count = 1 << 40
    assert run([*scaling(), *after], x, 3.0) is None
    assert owner.counter.count == (1 << 40) + 1
    assert owner.slope is not None and owner.slope.array[0] == 3.0


def reusing(owner: Box) -> list[Instruction]:
    like = looks.IsArray(F32, 1, np.array([4, 4], np.int64), 1)
    again = acts.Reuse(0, 2, like, HOLDER)
    give = [looks.Object(owner), endings.Give(0, HOLDER), endings.ReturnThis(None)]
    return [*scaling(looks.Object(owner), again), *give]


def test_a_gradient_that_nobody_holds_is_used_again(run: Callable[..., Any]) -> None:
    owner, x = ones(), ones()
    routine = reusing(owner)
    run(routine, x, 3.0)
    assert owner.slope is not None
    before = id(owner.slope), id(owner.slope.array)
    for factor in (4.0, 5.0, 6.0):
        run(routine, x, factor)
        assert (id(owner.slope), id(owner.slope.array)) == before
        assert owner.slope.array[0] == factor


def test_a_gradient_that_somebody_holds_is_left_alone(run: Callable[..., Any]) -> None:
    def shaped(box: Box) -> None:
        box.array = np.ones((2, 2), F32)

    def base(box: Box) -> None:
        box.base = ones()

    def wanting(box: Box) -> None:
        box._wants = True

    def read_only(box: Box) -> None:
        box.array.flags.writeable = False

    kept: list[Any] = []
    holds = [kept.append, lambda box: kept.append(box.array), shaped, base, wanting, read_only]
    for hold in holds:
        owner = ones()
        owner.slope = ones()
        hold(owner.slope)
        before = id(owner.slope)
        run(reusing(owner), ones(), 5.0)
        assert id(owner.slope) != before and owner.slope.array[0] == 5.0
    assert (kept[0].array == 1).all() and (kept[1] == 1).all()


def test_results(run: Callable[..., Any]) -> None:
    more = [*scaling(), fresh(1, 3)]
    made = run([*more, endings.ReturnTuple(np.array([1, 0, 0]), 3)], ones(), 2.0)
    assert type(made) is tuple and made[1] is made[2] and made[0] is not made[1]
    assert made[1].array[0] == 2.0
    x = ones()
    finish = endings.Finish(lambda *everything: everything, 2)
    everything = run([*more, finish], x, 2.0)
    assert everything[:2] == (x, 2.0) and [type(each) for each in everything[2:]] == [Box, Box]
    with pytest.raises(ZeroDivisionError):
        run([*more, endings.Finish(lambda *everything: 1 / 0, 2)], x, 2.0)


# -- what is kept -------------------------------------------------------------------------------


def references(*objects: Any) -> list[int]:
    gc.collect()
    return [sys.getrefcount(each) for each in objects]


def test_nothing_leaks(run: Callable[..., Any]) -> None:
    owner, x, factor, shared = ones(), ones(), 2.5, [1]
    array, options = x.array, {"k": factor}
    read: list[Instruction] = [looks.Object(options), acts.Subscript("k"), acts.Number(1, 1)]
    missing: list[Instruction] = [looks.Argument(0), looks.Is(shared)]
    ways: list[list[Instruction]] = [
        [*scaling(*read), endings.Return(0)],
        [*scaling(*read), endings.ReturnThis(shared)],
        [*scaling(*read), endings.ReturnTuple(np.array([0, 0]), 2)],
        [*scaling(*read), endings.Finish(lambda *everything: everything, 1)],
        reusing(owner),
        [*missing, *scaling()],
        [facts.Contents(types.CellType(shared), None), endings.ReturnThis(None)],
        [facts.Attribute(types.SimpleNamespace(a=shared), "a", 1), endings.ReturnThis(None)],
    ]
    watched = (x, array, factor, shared, owner, Box, Counter, None, F32)
    before = references(*watched)
    for way in ways:
        for _ in range(20):
            run(way, x, factor)
    for _ in range(20):
        with pytest.raises(ArithmeticError):
            run([*scaling(), endings.Return(0)], x, -1.0)
    del way, ways, read, missing
    owner.slope = None
    after = references(*watched)
    assert max(now - then for then, now in zip(before, after, strict=True)) < 10


def test_a_routine_is_kept_by_its_function() -> None:
    call = Routine([*scaling(), endings.Return(0)]).call()
    gc.collect()
    for factor in range(1, 20):
        assert call(ones(), float(factor)).array[0] == factor


def test_instructions_are_replaced_in_place(run: Callable[..., Any]) -> None:
    mapping = {"a": 1}
    routine = Routine([facts.Entry(mapping, "a", 2), endings.ReturnThis("yes")])
    call = routine.call()
    assert call() is MISSED
    routine.replace(0, [facts.Entry(mapping, "a", mapping["a"])])
    assert call() == "yes" and "Entry(<dict of 1>, 'a', 1)" in str(routine)


def test_a_routine_in_several_threads() -> None:
    call = Routine([*scaling(), endings.Return(0)]).call()
    wrong: list[Any] = []

    def work(factor: float) -> None:
        x = ones()
        for _ in range(2000):
            made = call(x, factor)
            if not (made.array == factor).all():
                wrong.append((factor, made.array))

    threads = [threading.Thread(target=work, args=(float(number),)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
