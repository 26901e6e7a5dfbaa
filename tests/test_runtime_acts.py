"""Acts and endings of routines: programs that run, what they leave, what is kept and let go."""

from __future__ import annotations

import gc
import sys
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jitnet.runtime import acts, endings, facts, layout, looks
from jitnet.runtime.cache import compile_cached
from jitnet.runtime.device import host_target
from jitnet.runtime.holders import Pattern
from jitnet.runtime.instruction import Instruction
from jitnet.runtime.memory import Rooms
from jitnet.runtime.program import Program
from jitnet.runtime.routine import MISSED, Routine
from tests.routine_harness import F32, HOLDER, Box, Counter

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
    return acts.FreshInRoom(output, place, Rooms((4,), F32), Pattern(HOLDER, Box(None)))


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


def test_a_program_is_run(carry_out: Callable[..., Any]) -> None:
    routine = [*scaling(), endings.Return(0)]
    for factor in (2.0, 3, np.float64(0.5), -0.0):
        made = carry_out(routine, ones(), factor)
        assert type(made) is Box and (made.array == np.float32(factor)).all()
        assert made.counter.count == 0 and made.slope is None and made.base is None
    assert carry_out(routine, ones()) is MISSED and carry_out(routine, 1, 2.0) is MISSED


def test_errors_reach_the_caller(carry_out: Callable[..., Any]) -> None:
    routine = [*scaling(), endings.Return(0)]
    with pytest.raises(ArithmeticError, match="status 7"):
        carry_out(routine, ones(), -2.0)
    with pytest.raises((TypeError, ValueError)):
        carry_out(routine, ones(), "text")
    with pytest.raises(KeyError, match="rate"):
        carry_out([looks.Object({}), acts.Subscript("rate"), endings.ReturnThis(1)])

    def refuse(shape: Any, dtype: Any) -> Any:
        raise MemoryError("no room")

    full = acts.Fresh(0, 2, (4,), F32, refuse, Pattern(HOLDER, Box(None)))
    with pytest.raises(MemoryError, match="no room"):
        carry_out([*scaling(full), endings.Return(0)], ones(), 2.0)


def test_large_outputs(carry_out: Callable[..., Any]) -> None:
    pattern = Pattern(HOLDER, Box(None))
    large = acts.Fresh(0, 2, (4,), F32, np.empty, pattern)
    made = carry_out([*scaling(large), endings.Return(0)], ones(), 2.0)
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


def test_shapes_of_small_outputs(carry_out: Callable[..., Any]) -> None:
    for shape in ((), (0, 3), (2, 1, 3)):
        for dtype in (np.dtype(bool), np.dtype(np.int64)):
            rooms = Rooms(shape, dtype)
            small = acts.FreshInRoom(0, 0, rooms, Pattern(HOLDER, Box(None)))
            array = carry_out([small, endings.Return(0)]).array
            assert array.shape == shape and array.dtype is dtype and array.flags.c_contiguous
            array[...] = 1


def test_options_are_read_anew(carry_out: Callable[..., Any]) -> None:
    options = {"betas": [0.5, 4.0]}
    sought: list[Instruction] = [looks.Object(options), *map(acts.Subscript, ("betas", 1))]
    routine = [*scaling(*sought, acts.Number(1, 1)), endings.Return(0)]
    assert carry_out(routine, ones(), 2.0).array[0] == 4.0
    options["betas"][1] = 8.0
    assert carry_out(routine, ones(), 2.0).array[0] == 8.0


def test_counts_and_gradients(carry_out: Callable[..., Any]) -> None:
    owner, x = ones(), ones()
    after: list[Instruction] = [looks.Object(owner), endings.Count(HOLDER)]
    after += [looks.Object(owner), endings.Give(0, HOLDER), endings.ReturnThis(None)]
    owner.counter.count = 1 << 40
    assert carry_out([*scaling(), *after], x, 3.0) is None
    assert owner.counter.count == (1 << 40) + 1
    assert owner.slope is not None and owner.slope.array[0] == 3.0


def reusing(owner: Box) -> list[Instruction]:
    like = looks.IsArray(F32, 1, np.array([4, 4], np.int64), 1)
    again = acts.Reuse(0, 2, like, HOLDER)
    give = [looks.Object(owner), endings.Give(0, HOLDER), endings.ReturnThis(None)]
    return [*scaling(looks.Object(owner), again), *give]


def test_a_gradient_that_nobody_holds_is_used_again(carry_out: Callable[..., Any]) -> None:
    owner, x = ones(), ones()
    routine = reusing(owner)
    carry_out(routine, x, 3.0)
    assert owner.slope is not None
    before = id(owner.slope), id(owner.slope.array)
    for factor in (4.0, 5.0, 6.0):
        carry_out(routine, x, factor)
        assert (id(owner.slope), id(owner.slope.array)) == before
        assert owner.slope.array[0] == factor


def test_a_gradient_that_somebody_holds_is_left_alone(carry_out: Callable[..., Any]) -> None:
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
        carry_out(reusing(owner), ones(), 5.0)
        assert id(owner.slope) != before and owner.slope.array[0] == 5.0
    assert (kept[0].array == 1).all() and (kept[1] == 1).all()


def test_results(carry_out: Callable[..., Any]) -> None:
    more = [*scaling(), fresh(1, 3)]
    made = carry_out([*more, endings.ReturnTuple(np.array([1, 0, 0]), 3)], ones(), 2.0)
    assert type(made) is tuple and made[1] is made[2] and made[0] is not made[1]
    assert made[1].array[0] == 2.0
    x = ones()
    finish = endings.Finish(lambda *everything: everything, 2)
    everything = carry_out([*more, finish], x, 2.0)
    assert everything[:2] == (x, 2.0) and [type(each) for each in everything[2:]] == [Box, Box]
    with pytest.raises(ZeroDivisionError):
        carry_out([*more, endings.Finish(lambda *everything: 1 / 0, 2)], x, 2.0)


# -- what is kept -------------------------------------------------------------------------------


def references(*objects: Any) -> list[int]:
    gc.collect()
    return [sys.getrefcount(each) for each in objects]


def test_nothing_leaks(carry_out: Callable[..., Any]) -> None:
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
            carry_out(way, x, factor)
    for _ in range(20):
        with pytest.raises(ArithmeticError):
            carry_out([*scaling(), endings.Return(0)], x, -1.0)
    del way, ways, read, missing
    owner.slope = None
    after = references(*watched)
    assert max(now - then for then, now in zip(before, after, strict=True)) < 10


def test_a_routine_is_kept_by_its_function() -> None:
    call = Routine([*scaling(), endings.Return(0)]).call()
    gc.collect()
    for factor in range(1, 20):
        assert call(ones(), float(factor)).array[0] == factor


def test_instructions_are_replaced_in_place(carry_out: Callable[..., Any]) -> None:
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
