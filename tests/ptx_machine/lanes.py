"""The lanes of some blocks: their registers, where each is, and what each lane's memory is."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tests.ptx_machine.arithmetic import TYPES
from tests.ptx_machine.hazards import MOST_BARRIERS, stamp
from tests.ptx_machine.link import Program
from tests.ptx_machine.memory import GlobalMemory, OwnMemory
from tests.ptx_machine.parse import Name, Number, Operand, PtxError, Register

Array = np.ndarray
Where = Array | None  # which lanes; None is all of them
WARP = 32
RUNNING, WAITING, ENDED = 0, 1, 2

_STORED = {0: np.dtype(bool), **{size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}}


class Lanes:
    """Blocks that run side by side.

    numbers: which blocks of the grid.  serials: of each, for Hazards; first_serial: of the launch's
    first block.  unordered: addresses where threads may write over each other.
    constants: what the kernel's own variables hold.
    """

    def __init__(
        self,
        program: Program,
        memory: GlobalMemory,
        grid: Sequence[int],
        block: Sequence[int],
        numbers: range,
        serials: Array,
        first_serial: int,
    ) -> None:
        self.program = program
        self.memory = memory
        self.threads = prod(block)
        self.count = self.threads * len(numbers)
        lane = np.arange(self.count)
        self.block = lane // self.threads
        self.thread = lane % self.threads
        self.warps_each = -(-self.threads // WARP)
        self.warp = self.block * self.warps_each + self.thread // WARP
        self.lane = self.thread % WARP
        self.own = lane
        self.blocks = len(numbers)
        self.state = np.zeros(self.count, np.int8)
        self.pc = np.zeros(self.count, np.int64)
        self._registers: dict[str, Array] = {}
        self._special = self._places(grid, block, numbers)
        self._serial = serials[self.block]
        self._barriers = np.zeros(self.blocks, np.int64)
        self._meetings = np.zeros(self.blocks * self.warps_each, np.int64)
        self._restamp()
        self.spaces = {
            "shared": self._memory("shared", self.blocks),
            "local": self._memory("local", self.count),
        }
        self.copies: list[Any] = []
        self.first_serial = first_serial
        self.unordered = range(0)
        self.constants = _constants(program)

    def _memory(self, space: str, owners: int) -> OwnMemory:
        layout = self.program.spaces[space]
        places = list(layout.places.values())
        return OwnMemory(space, places, layout.first, layout.end, owners)

    def _places(
        self, grid: Sequence[int], block: Sequence[int], numbers: range
    ) -> dict[str, Array]:
        """Return the registers that say where a lane is."""
        found = {"%laneid": self.lane, "%warpid": self.thread // WARP}
        thread, number = self.thread, np.asarray(numbers)[self.block]
        for axis, threads, blocks in zip("xyz", block, grid, strict=True):
            found[f"%tid.{axis}"], thread = thread % threads, thread // threads
            found[f"%ctaid.{axis}"], number = number % blocks, number // blocks
            found[f"%ntid.{axis}"] = np.full(self.count, threads)
            found[f"%nctaid.{axis}"] = np.full(self.count, blocks)
        return {name: values.astype(np.uint32) for name, values in found.items()}

    # -- order ----------------------------------------------------------------------------------

    def _restamp(self) -> None:
        self.stamps = stamp(
            self._serial,
            self._barriers[self.block],
            self.thread // WARP,
            self._meetings[self.warp],
            self.lane,
        )

    def met(self, blocks: Array) -> None:
        """Note that all threads of blocks have met."""
        self._barriers[blocks] += 1
        self._meetings.reshape(self.blocks, -1)[blocks] = 0
        self._check_counts()

    def met_in_warps(self, warps: Array) -> None:
        """Note that the threads of warps have met."""
        self._meetings[warps] += 1
        self._check_counts()

    def _check_counts(self) -> None:
        if max(self._barriers.max(), self._meetings.max()) >= MOST_BARRIERS:
            raise PtxError(f"more than {MOST_BARRIERS} barriers: choose a smaller case")
        self._restamp()

    # -- registers ------------------------------------------------------------------------------

    def _width(self, name: str) -> int:
        widths = self.program.widths
        if name in widths:
            return widths[name]
        return widths[name.rstrip("0123456789")]

    def register(self, name: str) -> Array:
        """Return a register of all lanes; what was never written holds nonsense."""
        if name not in self._registers:
            if name in self._special:
                return self._special[name]
            kind = _STORED[self._width(name)]
            nonsense = np.frombuffer(b"\xa5" * 8, kind)[0] if kind.kind != "b" else np.bool_(False)
            self._registers[name] = np.full(self.count, nonsense)
        return self._registers[name]

    def set(self, name: str, values: Array, where: Where) -> None:
        """Write a register of some lanes, from values of a type of at most its size."""
        kind = _STORED[self._width(name)]
        if values.dtype.itemsize < kind.itemsize and kind.kind != "b":
            if values.dtype.kind == "f":
                values = values.view(f"u{values.dtype.itemsize}")
            wide = np.dtype(f"{values.dtype.kind}{kind.itemsize}")
            values = values.astype(wide)
        values = np.asarray(values)
        if values.ndim == 0:
            values = np.full(self.count if where is None else len(where), values)
        if values.dtype.itemsize != kind.itemsize:
            raise PtxError(f"{name} has {kind.itemsize} bytes, not {values.dtype.itemsize}")
        values = np.ascontiguousarray(values).view(kind)
        if where is not None:
            whole = self.register(name).copy()
            whole[where] = values
            values = whole
        self._registers[name] = values

    def get(self, operand: Operand, kind: str, where: Where) -> Array:
        """Return an operand of some lanes as a type; of a larger register, its lowest bits."""
        dtype = TYPES[kind]
        match operand:
            case Number():
                return _constant(operand, dtype)
            case Register(name):
                found = self.register(name)
                if where is not None:
                    found = found[where]
                if found.dtype.itemsize > dtype.itemsize:
                    found = found.astype(f"u{dtype.itemsize}")
                if found.dtype.itemsize != dtype.itemsize:
                    raise PtxError(f"{name} is read as {kind}, which is larger")
                return found if dtype.kind == "b" else found.view(dtype)
            case Name(name):
                return np.array(self.place(name), np.uint64).astype(dtype)
        raise PtxError(f"no operand for arithmetic: {operand}")

    def special(self, name: str) -> Array:
        """Return a register that says where lanes are."""
        return self._special[name]

    def place(self, name: str) -> int:
        """Return the address of a variable, in its own space."""
        for layout in self.program.spaces.values():
            if name in layout.places:
                return layout.places[name][0]
        raise PtxError(f"an unknown name: {name}")

    def chosen(self, where: Where) -> Array:
        """Return the numbers of some lanes."""
        return self.own if where is None else where


def _constants(program: Program) -> GlobalMemory:
    memory = GlobalMemory()
    for space in ("global", "const"):
        for at, size in program.spaces[space].places.values():
            data = np.frombuffer(program.initial.get(at, bytes(size)), np.uint8).copy()
            memory.add(at, data)
    return memory


def _constant(number: Number, dtype: np.dtype) -> Array:
    if number.kind != "int":
        size = 4 if number.kind == "f32" else 8
        return np.frombuffer(number.bits.to_bytes(size, "little"), dtype)[0]
    if dtype.kind == "b":
        return np.bool_(number.bits)
    mask = (1 << 8 * dtype.itemsize) - 1
    return np.frombuffer((number.bits & mask).to_bytes(dtype.itemsize, "little"), dtype)[0]
