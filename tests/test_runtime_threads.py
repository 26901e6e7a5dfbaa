"""The thread pool: regions and barriers on any number of threads, forks, exits, other pools."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from jitnet.runtime import platform_ir, threads
from jitnet.runtime.cache import compile_cached
from jitnet.runtime.device import host_target
from jitnet.runtime.program import Program

ROOT = Path(__file__).parents[1]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

# 1000 rounds: write the round, wait for all, check that all others wrote the same, wait for all.
# Slot 1: an i64 a thread, 128 bytes apart. The status is the number of wrong sights.
ROUNDS = """
declare void @jitnet_barrier(ptr, i64)
define void @program(ptr %slots, ptr %arena, ptr %scratch, ptr %team, i64 %thread, i64 %threads) {
entry:
  %status = load ptr, ptr %slots
  %seats_at = getelementptr ptr, ptr %slots, i64 1
  %seats = load ptr, ptr %seats_at
  %own_at = getelementptr [16 x i64], ptr %seats, i64 %thread
  br label %round
round:
  %i = phi i64 [1, %entry], [%next, %checked]
  store i64 %i, ptr %own_at
  call void @jitnet_barrier(ptr %team, i64 %threads)
  br label %check
check:
  %k = phi i64 [0, %round], [%k_next, %check]
  %seat_at = getelementptr [16 x i64], ptr %seats, i64 %k
  %seen = load i64, ptr %seat_at
  %wrong = icmp ne i64 %seen, %i
  %one = zext i1 %wrong to i64
  %before = atomicrmw add ptr %status, i64 %one monotonic
  %k_next = add i64 %k, 1
  %more = icmp slt i64 %k_next, %threads
  br i1 %more, label %check, label %checked
checked:
  call void @jitnet_barrier(ptr %team, i64 %threads)
  %next = add i64 %i, 1
  %again = icmp sle i64 %next, 1000
  br i1 %again, label %round, label %done
done:
  ret void
}
"""

# Thread t writes the product of slot 1's two floats to element t of slot 2.
PRODUCT = """
define void @program(ptr %slots, ptr %arena, ptr %scratch, ptr %team, i64 %thread, i64 %threads) {
  %a_at = getelementptr ptr, ptr %slots, i64 1
  %a = load ptr, ptr %a_at
  %b_at = getelementptr ptr, ptr %slots, i64 2
  %b = load ptr, ptr %b_at
  %second_at = getelementptr float, ptr %a, i64 1
  %x = load float, ptr %a
  %y = load float, ptr %second_at
  %z = fmul float %x, %y
  %own_at = getelementptr float, ptr %b, i64 %thread
  store float %z, ptr %own_at
  ret void
}
"""

# What scripts below start with: `call(seats)` runs ROUNDS.
PRELUDE = f"""
import os, sys, threading
import numpy as np
from jitnet.runtime import threads
from jitnet.runtime.cache import compile_cached
from jitnet.runtime.device import host_target
from jitnet.runtime.program import Program

code, _ = compile_cached('''{ROUNDS}''', host_target())
call = Program(code, "program", 2, always_all=True).entry([1])
seats = np.zeros((64, 16), np.int64)

def run():
    seats[:] = 0
    assert call(seats) == 0
    assert (seats[:threads.get_num_threads(), 0] == 1000).all()

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""


def rounds() -> Program:
    return Program(compile_cached(ROUNDS, host_target())[0], "program", 2, always_all=True)


def script(text: str, before: str = "", **environment: str) -> str:
    """Run a script in a new process, which must end well and soon; return what it prints."""
    # Python 3.12 and later warn at a fork beside threads; some scripts do just that.
    options = ["-X", "faulthandler", "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *options, "-c", before + PRELUDE + text],
        cwd=ROOT,
        env={**os.environ, **environment},
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


# -- regions and barriers -----------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_barriers_back_to_back(count: int) -> None:
    threads.set_num_threads(count)
    call, seats = rounds().entry([1]), np.zeros((count + 1, 16), np.int64)
    for _ in range(3):
        seats[:] = 0
        assert call(seats) == 0
        assert (seats[:count, 0] == 1000).all() and seats[count, 0] == 0


def test_the_number_of_threads_changes_between_calls() -> None:
    call = rounds().entry([1])
    for count in (2, 1, 4, 2, 3, 1, 2):
        threads.set_num_threads(count)
        assert threads.get_num_threads() == count
        for _ in range(2):
            seats = np.zeros((8, 16), np.int64)
            assert call(seats) == 0
            assert np.count_nonzero(seats[:, 0]) == count


def test_surplus_workers_end() -> None:
    call, seats = rounds().entry([1]), np.zeros((8, 16), np.int64)
    threads.set_num_threads(4)
    assert call(seats) == 0
    assert len(workers()) == 3
    threads.set_num_threads(2)
    assert workers() == []
    assert call(seats) == 0
    assert len(workers()) == 1


def test_one_thread_needs_no_worker() -> None:
    threads.set_num_threads(1)
    assert rounds().entry([1])(np.zeros((1, 16), np.int64)) == 0
    assert workers() == []


def workers() -> list[threading.Thread]:
    names = {f"jitnet-{index}" for index in range(threads.MAX_THREADS)}  # not data workers
    return [thread for thread in threading.enumerate() if thread.name in names]


def test_programs_of_few_and_many_threads_alternate() -> None:
    threads.set_num_threads(4)
    code, _ = compile_cached(ROUNDS, host_target())
    programs = {
        limit: Program(code, "program", 2, max_threads=limit, always_all=True)
        for limit in (1, 2, 3, 4)
    }
    calls = {limit: program.entry([1]) for limit, program in programs.items()}
    for limit in (4, 2, 1, 3, 2, 4, 1, 1, 3, 4):
        seats = np.zeros((8, 16), np.int64)
        assert calls[limit](seats) == 0
        assert np.count_nonzero(seats[:, 0]) == limit


def test_parked_workers_wake() -> None:
    threads.set_num_threads(3)
    call, seats = rounds().entry([1]), np.zeros((3, 16), np.int64)
    for _ in range(5):
        threading.Event().wait(0.01)  # far longer than workers spin
        seats[:] = 0
        assert call(seats) == 0 and (seats[:, 0] == 1000).all()


def test_threads_treat_denormals_as_the_caller_does() -> None:
    torch = pytest.importorskip("torch", reason="sets the mode of the calling thread")
    threads.set_num_threads(3)
    program = Program(compile_cached(PRODUCT, host_target())[0], "program", 3, always_all=True)
    call, factors = program.entry([1, 2]), np.array([1e-30, 1e-10], np.float32)
    tiny = np.float32(1e-30) * np.float32(1e-10)
    try:
        for flush in (False, True, False):
            if not torch.set_flush_denormal(flush):
                pytest.skip("this processor cannot flush denormals")
            out = np.zeros(3, np.float32)
            assert call(factors, out) == 0
            assert out.view(np.int32).tolist() == [0 if flush else int(tiny.view(np.int32))] * 3
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("other", ["numpy", "torch"])
def test_other_pools_live_beside_ours(other: str) -> None:
    module = pytest.importorskip(other, reason="its threads are to be in the way")
    threads.set_num_threads(2)
    call, seats = rounds().entry([1]), np.zeros((2, 16), np.int64)
    a = module.ones((300, 300))
    for _ in range(10):
        assert float((a @ a)[0, 0]) == 300
        seats[:] = 0
        assert call(seats) == 0 and (seats[:, 0] == 1000).all()


# -- how many -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -1, 100_000])
def test_a_senseless_number_of_threads_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="the number of threads must be 1 to 1024"):
        threads.set_num_threads(count)


@pytest.mark.parametrize("count", [2.0, "2", True, None])
def test_a_number_of_threads_is_an_int(count: object) -> None:
    with pytest.raises(TypeError, match="the number of threads must be an int"):
        threads.set_num_threads(count)  # type: ignore[arg-type]


def test_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JITNET_NUM_THREADS", raising=False)
    assert threads.default_num_threads() >= 1
    if hasattr(os, "sched_getaffinity"):
        assert threads.default_num_threads() <= len(os.sched_getaffinity(0))
    monkeypatch.setenv("JITNET_NUM_THREADS", "5")
    assert threads.default_num_threads() == 5
    for wrong in ("many", "-1", "", "1.5"):
        monkeypatch.setenv("JITNET_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match="JITNET_NUM_THREADS must be a whole number"):
            threads.default_num_threads()
    monkeypatch.setenv("JITNET_NUM_THREADS", "0")
    with pytest.raises(ValueError, match="must be 1 to 1024"):
        threads.default_num_threads()


@pytest.mark.parametrize(
    ("text", "processors"),
    [("max 100000\n", 16), ("150000 100000\n", 2), ("50000 100000\n", 1), ("what\n", 16)],
)
def test_a_quota_bounds_how_many(tmp_path: Path, text: str, processors: int) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert threads.processor_quota(tmp_path, 16) == processors
    assert threads.processor_quota(tmp_path / "absent", 16) == 16


# -- forks and exits ----------------------------------------------------------------------------


@needs_fork
def test_a_child_runs_regions_too() -> None:
    script("run(); in_child(run); run(); in_child(run); run()", JITNET_NUM_THREADS="2")


@needs_fork
def test_a_fork_before_the_first_region() -> None:
    script("in_child(run); run()", JITNET_NUM_THREADS="3")


@needs_fork
def test_forks_while_another_thread_runs_regions() -> None:
    text = """
stop = threading.Event()
busy = Program(code, "program", 2, always_all=True).entry([1])
def work():
    own = np.zeros((64, 16), np.int64)
    while not stop.is_set():
        assert busy(own) == 0
others = [threading.Thread(target=work) for _ in range(2)]
for other in others:
    other.start()
for _ in range(5):
    in_child(run)
    run()
stop.set()
for other in others:
    other.join()
run()
"""
    script(text, JITNET_NUM_THREADS="2")


@needs_fork
def test_a_fork_while_garbage_of_llvm_is_collected_among_the_workers() -> None:
    """Whoever starts workers may run a finalizer that calls LLVM; a fork must not wait for both."""
    text = """
import llvmlite.binding as llvm
from jitnet.runtime import threads
run()
llvm.parse_assembly("")
pool, inside = threads.pool(), threading.Event()
def collect():
    with pool._lifecycle:
        inside.set()
        time.sleep(0.2)  # while the main thread begins to fork
        llvm.parse_assembly("").close()
other = threading.Thread(target=collect)
other.start()
inside.wait()
in_child(run)
other.join()
run()
"""
    script(text, before="import time\n", JITNET_NUM_THREADS="2")


@needs_fork
def test_a_child_may_exit_as_a_whole_interpreter() -> None:
    text = """
run()
child = os.fork()
if child == 0:
    run()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
run()
"""
    script(text, JITNET_NUM_THREADS="2")


@pytest.mark.parametrize("count", ["1", "2", "8"])
def test_the_interpreter_exits_cleanly(count: str) -> None:
    assert script("run(); print('ran')", JITNET_NUM_THREADS=count) == "ran\n"


def test_exit_does_not_wait_for_a_daemon_that_runs_regions() -> None:
    text = """
def work():
    own = np.zeros((64, 16), np.int64)
    while True:
        call(own)
threading.Thread(target=work, daemon=True).start()
run()
print('ran')
"""
    assert script(text, JITNET_NUM_THREADS="2") == "ran\n"


def test_regions_after_the_pool_has_closed_run_on_one_thread() -> None:
    text = """
import atexit
def late():
    seats[:] = 0
    assert call(seats) == 0
    print(np.count_nonzero(seats[:, 0]))
atexit._clear()
atexit.register(late)
atexit.register(threads.pool().close)
run()
"""
    assert script(text, JITNET_NUM_THREADS="2") == "1\n"


def test_setting_the_number_first_makes_no_pool() -> None:
    text = """
import sys
from jitnet.runtime import threads
threads.set_num_threads(3)
assert threads.get_num_threads() == 3 and threads._pool is None
assert "llvmlite.binding" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", text], check=True, timeout=60, cwd=ROOT)


# -- other systems ------------------------------------------------------------------------------

TRIPLES = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "arm64-apple-darwin24.0.0"]


@pytest.mark.parametrize("triple", TRIPLES)
@pytest.mark.parametrize("waiting", ["_WAIT_LINUX", "_WAIT_MACOS", "_WAIT_SLEEPING"])
def test_code_for_other_systems_is_valid(triple: str, waiting: str) -> None:
    llvm = pytest.importorskip("llvmlite.binding")
    text = getattr(platform_ir, waiting).replace("FUTEX", "98")
    text += platform_ir._pause(triple) + platform_ir._float_mode(triple)
    llvm.parse_assembly(text).verify()


def test_code_for_windows_is_valid() -> None:
    llvm = pytest.importorskip("llvmlite.binding")
    llvm.parse_assembly(platform_ir._WAIT_WINDOWS).verify()


def test_waiting_without_futexes_works_too() -> None:
    before = "from jitnet.runtime import platform_ir\nplatform_ir._FUTEX_CALL.clear()\n"
    script("for _ in range(3): run()", before=before, JITNET_NUM_THREADS="3")


def test_calls_whose_threads_wait_long_run_alone_for_a_while() -> None:
    """With far more threads than processors, waiting asleep is certain: calls alone must come."""
    threads.set_num_threads(16)
    program = Program(compile_cached(ROUNDS, host_target())[0], "program", 2)
    call = program.entry([1])
    counts = set()
    for _ in range(50):
        seats = np.zeros((64, 16), np.int64)
        assert call(seats) == 0
        counts.add(int(np.count_nonzero(seats[:, 0])))
    assert counts == {1, 16}
