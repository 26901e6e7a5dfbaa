"""A compiled program in memory: its code, its arena, its table of pointers, and how to call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import cpu
from .acts import Run
from .entry import Call, PointerCall, ctypes_call, native_call, pointer_call, run_instruction
from .layout import LAYOUT_KNOWN, address_of
from .memory import Arena
from .pool_layout import MAX_THREADS, OFFERED, RECORD_TRUST, RECORD_WORDS
from .threads import pool

STATUS_WORDS = 4


class _Record(np.ndarray[Any, np.dtype[np.int64]]):
    """What native code must know to make one kind of call; see RECORD_* in pool_layout.py."""

    keeps: tuple[object, ...]  # what lies at the addresses in the record


class Program:
    """Object code that runs on all threads, and the memory that it works in.

    `symbol` is a function with the ABI of docs/architecture.md. `slots` counts the table's
    pointers, slot 0 (the status) among them. `arena_bytes` are zeroed once, now, and kept from call
    to call; `scratch_bytes` of each thread hold anything at the start of a call. `imports` gives
    the addresses of external symbols that the pool does not offer. `max_threads` keeps a program
    whose work is small from waking others; a program whose threads had to wait long for each other,
    because others use the processors, runs some calls on one, unless `always_all`. `keeps` live as
    long as it can be called: what lies at the addresses of `imports`.

    Calls from several Python threads take turns.
    """

    def __init__(
        self,
        object_code: bytes,
        symbol: str,
        slots: int,
        arena_bytes: int = 0,
        scratch_bytes: int = 0,
        imports: Mapping[str, int] | None = None,
        max_threads: int = MAX_THREADS,
        always_all: bool = False,
        keeps: tuple[object, ...] = (),
    ) -> None:
        assert slots >= 1 and arena_bytes >= 0 and scratch_bytes >= 0 and max_threads >= 1
        self._pool = pool()
        self._pool.reserve_scratch(scratch_bytes)
        offered = {name: self._pool.address(name) for name in OFFERED}
        self.module = cpu.load(object_code, {**offered, **(imports or {})})
        self.arena = Arena(arena_bytes)
        self._keeps = keeps
        self.max_threads = max_threads
        self._trust = (1 << 62) if always_all else 0
        self._function = self.module.address(symbol)
        self._status = np.zeros(STATUS_WORDS, np.int64)
        self._slots = np.zeros(slots, np.uintp)
        self._slots[0] = address_of(self._status)
        self._bound: dict[int, NDArray[Any]] = {}
        self._pointer_calls: dict[int, PointerCall] = {}

    def __repr__(self) -> str:
        return f"Program({len(self._slots)} slots, arena of {self.arena.size} bytes)"

    @property
    def status(self) -> NDArray[np.int64]:
        """The status of the last call: its code, 0 if all went well, and three details."""
        return self._status.copy()

    def bind(self, slot: int, pointer: int) -> None:
        """Let a slot point to state; the memory must live until the slot is bound anew."""
        self._check_slot(slot)
        self._pool.store(address_of(self._slots) + slot * self._slots.itemsize, pointer)
        self._bound.pop(slot, None)

    def bind_array(self, slot: int, array: NDArray[Any]) -> None:
        """Let a slot point to an array's first element; it is kept until the slot is bound anew."""
        before = self._bound.get(slot)  # lives until no region can read it any more
        self.bind(slot, address_of(array))
        self._bound[slot] = array
        del before

    def entry(self, slots: Sequence[int]) -> Call:
        """Return a function that takes one array for each of these slots, runs, returns the status.

        Of each array only the address of its first element is used: who calls has checked shapes,
        strides and dtypes, and that what the program writes is writeable. TypeError for another
        number of arguments, and for anything but exactly an ndarray.
        """
        record = self._record(slots)
        return native_call(record) if LAYOUT_KNOWN else ctypes_call(record)

    def instruction(self, slots: Sequence[int]) -> Run:
        """Return what runs it in a routine, whose pointers go to these slots."""
        return run_instruction(self._record(slots))

    def run(self, pointers: Sequence[int]) -> int:
        """Run with these addresses in slots 1, 2, ... and return the status."""
        call = self._pointer_calls.get(len(pointers))
        if call is None:
            call = self.pointer_entry(range(1, len(pointers) + 1))
            self._pointer_calls[len(pointers)] = call
        return call(pointers)

    def pointer_entry(self, slots: Sequence[int]) -> PointerCall:
        """Return a function that takes one address for each of these slots, and runs."""
        return pointer_call(self._record(slots), len(slots))

    def _record(self, slots: Sequence[int]) -> _Record:
        for slot in slots:
            self._check_slot(slot)
        which = np.array(slots, np.int64)
        table = address_of(self._slots)
        addresses = (self._function, table, self.arena.address, self.max_threads)
        values = (*addresses, len(slots), address_of(which))
        record = np.zeros(RECORD_WORDS, np.int64).view(_Record)
        record[: len(values)] = values
        record[RECORD_TRUST // record.itemsize] = self._trust
        tables = (self._status, self._slots, self._bound, which)
        record.keeps = (self._keeps, self.module, self.arena, *tables)
        return record

    def _check_slot(self, slot: int) -> None:
        if not 1 <= slot < len(self._slots):
            raise IndexError(f"slot {slot} is not one of this program's 1..{len(self._slots) - 1}")
