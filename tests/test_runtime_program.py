"""Programs: calls by both entries, slots, status, arena, scratch, turns taken, Python going on."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from jitnet.runtime import entry, layout, threads
from jitnet.runtime.cache import compile_cached
from jitnet.runtime.device import host_target
from jitnet.runtime.entry import Call
from jitnet.runtime.program import Program

ABI = "ptr %slots, ptr %arena, ptr %scratch, ptr %team, i64 %thread, i64 %threads"

# Thread t adds slot 1 and slot 2 into slot 3 at elements t, t + threads, ... of 12 int64.
ADD = """
entry:
  %a_at = getelementptr ptr, ptr %slots, i64 1
  %b_at = getelementptr ptr, ptr %slots, i64 2
  %c_at = getelementptr ptr, ptr %slots, i64 3
  %a = load ptr, ptr %a_at
  %b = load ptr, ptr %b_at
  %c = load ptr, ptr %c_at
  %some = icmp slt i64 %thread, 12
  br i1 %some, label %loop, label %done
loop:
  %i = phi i64 [%thread, %entry], [%next, %loop]
  %x_at = getelementptr i64, ptr %a, i64 %i
  %y_at = getelementptr i64, ptr %b, i64 %i
  %z_at = getelementptr i64, ptr %c, i64 %i
  %x = load i64, ptr %x_at
  %y = load i64, ptr %y_at
  %z = add i64 %x, %y
  store i64 %z, ptr %z_at
  %next = add i64 %i, %threads
  %more = icmp slt i64 %next, 12
  br i1 %more, label %loop, label %done
done:
  ret void
"""

# Thread 0 copies the first i64 of slot 1 into the status' code, and its double into a detail.
REPORT = """
entry:
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %tell, label %done
tell:
  %status = load ptr, ptr %slots
  %a_at = getelementptr ptr, ptr %slots, i64 1
  %a = load ptr, ptr %a_at
  %code = load i64, ptr %a
  store i64 %code, ptr %status
  %twice = add i64 %code, %code
  %detail_at = getelementptr i64, ptr %status, i64 3
  store i64 %twice, ptr %detail_at
  br label %done
done:
  ret void
"""

# Thread 0 counts calls in the arena, and gives the count to slot 1.
COUNT = """
entry:
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %tell, label %done
tell:
  %a_at = getelementptr ptr, ptr %slots, i64 1
  %a = load ptr, ptr %a_at
  %before = load i64, ptr %arena
  %after = add i64 %before, 1
  store i64 %after, ptr %arena
  store i64 %after, ptr %a
  br label %done
done:
  ret void
"""

# Each thread tells slot 1 where its scratch memory starts, and slot 2 how many threads there are.
SCRATCH = """
  %a_at = getelementptr ptr, ptr %slots, i64 1
  %a = load ptr, ptr %a_at
  %b_at = getelementptr ptr, ptr %slots, i64 2
  %b = load ptr, ptr %b_at
  %own_at = getelementptr ptr, ptr %a, i64 %thread
  store ptr %scratch, ptr %own_at
  store i8 %mark, ptr %scratch
  %last_at = getelementptr i8, ptr %scratch, i64 999
  store i8 %mark, ptr %last_at
  store atomic i64 %threads, ptr %b monotonic, align 8
  ret void
""".replace("%mark", "7")

# Add the first i64 of slot 1 to the first of slot 2 a thousand times, slowly and not atomically.
SLOW = """
entry:
  %a_at = getelementptr ptr, ptr %slots, i64 1
  %b_at = getelementptr ptr, ptr %slots, i64 2
  %a = load ptr, ptr %a_at
  %b = load ptr, ptr %b_at
  %first = icmp eq i64 %thread, 0
  br i1 %first, label %loop, label %done
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  %x = load volatile i64, ptr %a
  %y = load volatile i64, ptr %b
  %z = add i64 %x, %y
  store volatile i64 %z, ptr %b
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, 1000
  br i1 %more, label %loop, label %done
done:
  ret void
"""

# Wait until the first i64 of slot 1 is not 0: only another Python thread can make it so.
AWAIT = """
entry:
  %a_at = getelementptr ptr, ptr %slots, i64 1
  %a = load ptr, ptr %a_at
  br label %loop
loop:
  %x = load atomic i64, ptr %a monotonic, align 8
  %still = icmp eq i64 %x, 0
  br i1 %still, label %loop, label %done
done:
  ret void
"""

MakeCall = Callable[[Program, list[int]], Call]


def make(body: str, slots: int, **options: int) -> Program:
    """Return a Program whose function has this body."""
    target = host_target()
    text = f'target triple = "{target.triple}"\ndefine void @program({ABI}) {{{body}}}\n'
    return Program(compile_cached(text, target)[0], "program", slots, always_all=True, **options)


def native(program: Program, slots: list[int]) -> Call:
    if not layout.LAYOUT_KNOWN:
        pytest.skip("this Python lays objects out in a way that is not known")
    return entry.native_call(program._record(slots))


def through_ctypes(program: Program, slots: list[int]) -> Call:
    return entry.ctypes_call(program._record(slots))


both = pytest.mark.parametrize("make_call", [native, through_ctypes])


@pytest.fixture(autouse=True)
def two_threads() -> None:
    """Run on two threads, whatever the machine has."""
    threads.set_num_threads(2)


def test_the_layout_is_known_here() -> None:
    assert layout.LAYOUT_KNOWN, "no supported Python should need the slow way"


@both
def test_a_call_binds_arrays_and_runs(make_call: MakeCall) -> None:
    call = make_call(make(ADD, 4), [1, 2, 3])
    for factor in range(5):
        a, b, c = np.arange(12), np.full(12, factor), np.zeros(12, np.int64)
        assert call(a, b, c) == 0
        assert (c == a + factor).all()


@both
def test_slots_may_come_in_any_order(make_call: MakeCall) -> None:
    call = make_call(make(ADD, 4), [3, 1, 2])
    a, b, c = np.arange(12), np.full(12, 5), np.zeros(12, np.int64)
    assert call(c, a, b) == 0
    assert (c == a + 5).all()


@both
def test_bound_slots_stay(make_call: MakeCall) -> None:
    program = make(ADD, 4)
    state = np.full(12, 7)
    program.bind(2, state.ctypes.data)
    call = make_call(program, [1, 3])
    a, c = np.arange(12), np.zeros(12, np.int64)
    assert call(a, c) == 0 and (c == a + 7).all()
    state[:] = 9
    assert call(a, c) == 0 and (c == a + 9).all()


@both
def test_bound_arrays_are_kept(make_call: MakeCall) -> None:
    program = make(ADD, 4)
    program.bind_array(2, np.full(12, 7))
    call = make_call(program, [1, 3])
    state = weakref.ref(program._bound[2])
    a, c = np.arange(12), np.zeros(12, np.int64)
    del program
    assert state() is not None
    assert call(a, c) == 0 and (c == a + 7).all()


def test_arrays_bound_anew_are_let_go() -> None:
    program = make(ADD, 4)
    for again in (lambda: program.bind_array(2, np.zeros(12)), lambda: program.bind(2, 0)):
        program.bind_array(2, np.full(12, 7))
        state = weakref.ref(program._bound[2])
        again()
        assert state() is None


@both
def test_views_are_read_from_their_first_element(make_call: MakeCall) -> None:
    call = make_call(make(REPORT, 2), [1])
    block = np.arange(24).reshape(4, 6)
    for view in (block, block[1:, 2:], block[::-1, ::-1], block.T[3:], block[2, 5:6]):
        assert call(view) == view.flat[0]
    zero_d = np.array(41)
    assert call(zero_d) == 41


@both
def test_status_codes_are_returned_with_details(make_call: MakeCall) -> None:
    program = make(REPORT, 2)
    call = make_call(program, [1])
    for code in (3, -(2**62), 0, 2**40, 0):
        assert call(np.array([code])) == code
        assert program.status.tolist() == [code, 0, 0, 2 * code]


@both
def test_no_arguments(make_call: MakeCall) -> None:
    program = make(COUNT, 2)
    out = np.zeros(1, np.int64)
    program.bind(1, out.ctypes.data)
    call = make_call(program, [])
    assert call() == 0 and call() == 0 and out[0] == 2


@both
def test_what_is_no_array_is_refused(make_call: MakeCall) -> None:
    class Sub(np.ndarray):
        pass

    program = make(ADD, 4)
    call = make_call(program, [1, 2, 3])
    good = np.zeros(12, np.int64)
    for bad in (1, None, [1.0], np.int64(3), good.view(Sub), memoryview(good)):
        message = "argument 1 of a program must be exactly a numpy.ndarray, got"
        with pytest.raises(TypeError, match=message) as caught:
            call(good, bad, good)
        assert repr(type(bad)) in str(caught.value)
    for count in (0, 2, 4):
        with pytest.raises(TypeError, match=f"this program takes 3 arrays, got {count}"):
            call(*[good] * count)
    with pytest.raises(TypeError):
        call(good, good, good, extra=1)


@both
def test_a_call_keeps_what_it_needs(make_call: MakeCall) -> None:
    program = make(COUNT, 2, arena_bytes=64)
    call = make_call(program, [1])
    gone = weakref.ref(program)
    del program
    gc.collect()
    assert gone() is None
    out = np.zeros(1, np.int64)
    for expected in range(1, 20):
        assert call(out) == 0 and out[0] == expected


def test_a_program_goes_without_the_garbage_collector() -> None:
    program = make(COUNT, 2, arena_bytes=64)
    out = np.zeros(1, np.int64)
    gc.disable()
    try:
        assert program.run([out.ctypes.data]) == 0 and program.entry([1])(out) == 0
        arena = weakref.ref(program.arena)
        del program
        assert arena() is None
    finally:
        gc.enable()


def test_run_takes_addresses() -> None:
    program = make(ADD, 4)
    a, b, c = np.arange(12), np.full(12, 3), np.zeros(12, np.int64)
    assert program.run([array.ctypes.data for array in (a, b, c)]) == 0
    assert (c == a + 3).all()
    with pytest.raises(TypeError, match="takes 2 arrays, got 3"):
        program.pointer_entry([1, 2])([1, 2, 3])


@pytest.mark.parametrize("slot", [0, -1, 4])
def test_slots_that_do_not_exist_are_refused(slot: int) -> None:
    program = make(ADD, 4)
    with pytest.raises(IndexError, match=f"slot {slot} is not one of this program's 1..3"):
        program.bind(slot, 0)
    with pytest.raises(IndexError, match=f"slot {slot}"):
        program.entry([slot])


def test_the_arena_starts_zero_and_keeps_its_contents() -> None:
    program = make(COUNT, 2, arena_bytes=1000)
    assert program.arena.address % 64 == 0 and not program.arena.array.any()
    call, out = program.entry([1]), np.zeros(1, np.int64)
    assert [(call(out), int(out[0])) for _ in range(3)] == [(0, 1), (0, 2), (0, 3)]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_each_thread_has_scratch_memory_of_its_own(count: int) -> None:
    threads.set_num_threads(count)
    call = make(SCRATCH, 3, scratch_bytes=1000).entry([1, 2])
    starts, used = np.zeros(count, np.uintp), np.zeros(1, np.int64)
    assert call(starts, used) == 0
    assert used[0] == count
    assert (starts % 64 == 0).all()
    assert (np.diff(np.sort(starts)) >= 1000).all()


def test_scratch_memory_grows_for_all_programs() -> None:
    small = make(SCRATCH, 3, scratch_bytes=1000)
    large = make(SCRATCH, 3, scratch_bytes=3 << 20)
    starts, used = np.zeros(2, np.uintp), np.zeros(1, np.int64)
    for program in (small, large, small):
        assert program.entry([1, 2])(starts, used) == 0
        assert abs(int(starts[1]) - int(starts[0])) >= 3 << 20


def test_a_small_program_does_not_wake_other_threads() -> None:
    call = make(SCRATCH, 3, scratch_bytes=1000, max_threads=1).entry([1, 2])
    starts, used = np.zeros(2, np.uintp), np.zeros(1, np.int64)
    assert call(starts, used) == 0
    assert used[0] == 1 and starts[1] == 0


@both
def test_python_goes_on_during_a_call(make_call: MakeCall) -> None:
    gate = np.zeros(1, np.int64)
    call = make_call(make(AWAIT, 2), [1])
    opener = threading.Thread(target=gate.fill, args=(1,))
    starter = threading.Timer(0.01, opener.start)
    starter.start()
    assert call(gate) == 0  # comes back only because Python ran meanwhile
    starter.join()
    opener.join()


@both
def test_one_program_in_several_python_threads(make_call: MakeCall) -> None:
    call = make_call(make(SLOW, 3), [1, 2])
    sums = [np.zeros(1, np.int64) for _ in range(4)]

    def work(number: int) -> None:
        step = np.array([number + 1])
        for _ in range(50):
            assert call(step, sums[number]) == 0

    run_in_threads([lambda number=number: work(number) for number in range(4)])
    assert [int(total[0]) for total in sums] == [50_000, 100_000, 150_000, 200_000]


def test_two_programs_in_two_python_threads() -> None:
    totals = np.zeros((2, 8), np.int64)
    calls = [make(SLOW, 3).entry([1, 2]), make(SLOW, 3, max_threads=1).entry([1, 2])]

    def work(number: int) -> None:
        for _ in range(100):
            assert calls[number](np.array([number + 1]), totals[number]) == 0

    run_in_threads([lambda: work(0), lambda: work(1)])
    assert totals[:, 0].tolist() == [100_000, 200_000]


def run_in_threads(tasks: list[Callable[[], None]]) -> None:
    """Run tasks at the same time; raise what one of them raised."""
    errors: list[BaseException] = []

    def guarded(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a call never came back"
    if errors:
        raise errors[0]


def test_an_error_while_starting_threads_reaches_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    call = make(ADD, 4).entry([1, 2, 3])
    threads.set_num_threads(3)
    a, c = np.arange(12), np.zeros(12, np.int64)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="only 0 of 2 worker threads could be started"):
            call(a, a, c)
    assert call(a, a, c) == 0 and (c == 2 * a).all()
