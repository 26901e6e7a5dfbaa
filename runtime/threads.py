"""The pool of threads that Programs run on: how many, when they start, when they go."""

from __future__ import annotations

import atexit
import ctypes
import math
import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

from . import cpu
from .cache import compile_cached
from .memory import Arena
from .pool_ir import pool_code
from .pool_layout import (
    CONTROL_BYTES,
    LINE,
    LOCK,
    MAX_THREADS,
    NO_SPINS,
    PATIENCE,
    REGION_PATIENCE,
    REGION_SPINS,
    SCRATCH,
    SCRATCH_BYTES,
    SPINS,
    THREADS,
    WORD,
    WORKERS,
)

_Word = ctypes.c_int64 | ctypes.c_uint64 | ctypes.c_void_p  # what native functions take


def default_num_threads() -> int:
    """Return JITNET_NUM_THREADS, or else how many processors this process may use."""
    wanted = os.environ.get("JITNET_NUM_THREADS")
    if wanted is None:
        return min(_available_processors(), MAX_THREADS)
    if not wanted.isdecimal():
        raise ValueError(f"JITNET_NUM_THREADS must be a whole number from 1, got {wanted!r}")
    return _checked(int(wanted))


def _available_processors() -> int:
    """Return the processors that this process is scheduled on, and no more than its quota."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, processor_quota(Path("/sys/fs/cgroup"), count)))


def processor_quota(group: Path, unlimited: int) -> int:
    """Return the processors that a Linux control group's quota amounts to, rounded up."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):  # no control groups of version 2 here
        return unlimited
    return unlimited if quota == "max" else max(1, math.ceil(int(quota) / int(period)))


def _checked(count: int) -> int:
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"the number of threads must be an int, got {type(count).__name__}")
    if not 1 <= count <= MAX_THREADS:
        raise ValueError(f"the number of threads must be 1 to {MAX_THREADS}, got {count}")
    return count


class Pool:
    """Worker threads that live in native code, and the lock under which one region runs.

    `_lifecycle` guards what Python knows of the workers; the native lock guards regions, and is
    held by native code only, which never waits for Python: so it is always given back.
    """

    def __init__(self, threads: int) -> None:
        self._control = Arena(CONTROL_BYTES)
        self._lifecycle = threading.RLock()
        self._workers: list[threading.Thread] = []
        self._complete = False  # all workers run
        self._closed = False
        self._scratch = Arena(0)
        self._scratch_bytes = 0
        self._num_threads = threads
        target = cpu.host_target()
        code = pool_code(target)
        object_code, _ = compile_cached(code.text, target, cpu.FAST_COMPILE)
        imports = {**code.imports, "jitnet_control": self._control.address}
        self._module = cpu.load(object_code, imports)
        self._lock = self._native("jitnet_lock")
        self._unlock = self._native("jitnet_unlock")
        self._send_home = self._native("jitnet_stop", ctypes.c_int64)
        self._work = self._native("jitnet_worker", ctypes.c_int64, ctypes.c_int64)
        pointer, word = ctypes.c_void_p, ctypes.c_uint64
        self._store = self._native("jitnet_store", pointer, word)
        self._store_pair = self._native("jitnet_store_pair", pointer, word, word)
        self._tell_num_threads()

    def _tell_num_threads(self) -> None:
        """Let native code know how many threads there are, and how long each may spin."""
        crowded = self._num_threads > _available_processors()
        patience = (NO_SPINS, NO_SPINS) if crowded else (SPINS, REGION_SPINS)
        assert REGION_PATIENCE == PATIENCE + 8
        self._store_pair(self._control.address + PATIENCE, *patience)
        self.store(self._control.address + THREADS, self._num_threads)

    def _native(self, symbol: str, *types: type[_Word]) -> Callable[..., None]:
        return ctypes.CFUNCTYPE(None, *types)(self.address(symbol))

    def address(self, symbol: str) -> int:
        """Return the address of a function of the pool: jitnet_barrier, jitnet_call ..."""
        return self._module.address(symbol)

    @property
    def control_address(self) -> int:
        """Where the control block lies (see pool_layout.py)."""
        return self._control.address

    def store(self, address: int, value: int) -> None:
        """Write a 64-bit word while no region runs."""
        self._store(address, value)

    # -- how many ---------------------------------------------------------------------------

    @property
    def num_threads(self) -> int:
        """How many threads a region may use."""
        return self._num_threads

    def set_num_threads(self, count: int) -> None:
        """Use this many threads from the next region on; surplus workers end."""
        with self._lifecycle:
            if count == self._num_threads:
                return
            self._stop()
            self._num_threads = count
            self._allocate_scratch()
            self._tell_num_threads()

    # -- scratch memory ---------------------------------------------------------------------

    def reserve_scratch(self, size: int) -> None:
        """Give every thread at least `size` bytes of scratch memory, shared by all Programs."""
        with self._lifecycle:
            if size > self._scratch_bytes:
                self._scratch_bytes = -(-size // LINE) * LINE
                self._allocate_scratch()

    def _allocate_scratch(self) -> None:
        scratch = Arena(self._scratch_bytes * self._num_threads)
        assert SCRATCH_BYTES == SCRATCH + 8
        self._store_pair(self._control.address + SCRATCH, scratch.address, self._scratch_bytes)
        self._scratch = scratch  # only now may the memory before it go

    # -- workers ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the workers that are missing; until then regions run on one thread."""
        with self._lifecycle:
            if self._complete or self._closed or self._num_threads == 1:
                return
            self._stop()  # what an interrupted start may have left
            # Nothing is published while no worker is counted, so nobody can miss a word.
            seen = ctypes.c_uint64.from_address(self._control.address + WORD).value
            for index in range(1, self._num_threads):
                self._start_one(index, seen)
            self.store(self._control.address + WORKERS, len(self._workers))
            self._complete = True

    def _start_one(self, index: int, seen: int) -> None:
        thread = threading.Thread(
            target=self._work, args=(index, seen), name=f"jitnet-{index}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            self._stop()
            raise RuntimeError(
                f"only {index - 1} of {self._num_threads - 1} worker threads could be started"
                f" ({error}); call jitnet.set_num_threads or set JITNET_NUM_THREADS lower"
            ) from error
        self._workers.append(thread)

    def _stop(self) -> None:
        """Send the workers home and wait until they are; the next region starts new ones."""
        self._complete = False
        if not self._workers:
            return
        self._send_home(len(self._workers))
        for thread in self._workers:
            thread.join()
        self._workers.clear()

    def close(self) -> None:
        """Send the workers home for good, before the interpreter goes; later regions run alone."""
        with self._lifecycle:
            self._closed = True
            self._stop()

    # -- forks ------------------------------------------------------------------------------

    def before_fork(self) -> None:
        """Let no worker exist while the process is copied; `hold_regions` is next."""
        self._lifecycle.acquire()
        self._stop()

    def hold_regions(self) -> None:
        """Let no region run while the process is copied."""
        self._lock()

    def after_in_parent(self) -> None:
        """Go on; workers start again when a region needs them."""
        self._unlock()
        self._lifecycle.release()

    def after_in_child(self) -> None:
        """Go on in the copy, which has none of the threads that waited for the lock."""
        ctypes.c_uint64.from_address(self._control.address + LOCK).value = 0
        self._lifecycle.release()


@cache
def _num_threads_at_start() -> int:
    return default_num_threads()


_creating = threading.Lock()
_pool: Pool | None = None
_wanted: int | None = None  # set before there was a pool


def pool() -> Pool:
    """Return the process's pool, made on first use."""
    global _pool
    if _pool is None:
        with _creating:
            if _pool is None:
                _pool = _make_pool()
    return _pool


def _make_pool() -> Pool:
    made = Pool(get_num_threads())
    atexit.register(made.close)
    return made


def get_num_threads() -> int:
    """Return how many threads a compiled function may use."""
    if _pool is not None:
        return _pool.num_threads
    return _wanted if _wanted is not None else _num_threads_at_start()


def set_num_threads(count: int) -> None:
    """Let compiled functions use `count` threads, 1 to 1024; results do not depend on it."""
    global _wanted
    count = _checked(count)
    with _creating:
        _wanted = count
        if _pool is not None:
            _pool.set_num_threads(count)


# -- forks --------------------------------------------------------------------------------------
# Locks are taken in the order in which everybody takes them: the pool's, its workers', LLVM's,
# regions'. Whoever starts or ends workers may find garbage to collect, which calls LLVM.


def _before_fork() -> None:
    _creating.acquire()
    if _pool is not None:
        _pool.before_fork()
    cpu.hold_llvm()
    if _pool is not None:
        _pool.hold_regions()


def _after_fork_in_parent() -> None:
    if _pool is not None:
        _pool.after_in_parent()
    cpu.release_llvm()
    _creating.release()


def _after_fork_in_child() -> None:
    if _pool is not None:
        _pool.after_in_child()
    cpu.release_llvm()
    _creating.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
