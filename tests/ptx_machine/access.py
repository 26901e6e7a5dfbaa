"""Loads and stores, and what is checked of each: place, alignment, what was written, races."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.ptx_machine.arithmetic import TYPES
from tests.ptx_machine.lanes import Lanes, Where
from tests.ptx_machine.link import MODULE
from tests.ptx_machine.memory import OutOfBounds, Region
from tests.ptx_machine.parse import SPACES, Address, Group, Instruction, Name, Operand, PtxError

Array = np.ndarray

SHARED_WINDOW, LOCAL_WINDOW = 1 << 36, 1 << 37  # where generic addresses lead to these
_DRIVERS = 1 << 40  # what the driver allocates lies above
_WINDOWS = {"shared": SHARED_WINDOW, "local": LOCAL_WINDOW}
_KNOWN = {*SPACES, "v2", "v4", "nc"}


class Fault(Exception):
    """What some lane did wrong."""

    def __init__(self, lane: int, problem: str) -> None:
        super().__init__(problem)
        self.lane = lane
        self.problem = problem


class Access:
    """How an instruction reaches memory.

    size: bytes of one element.  count: elements side by side.
    cached: whether by way of the read-only cache, which does not see what kernels write.
    """

    def __init__(self, space: str, size: int, count: int, text: str, cached: bool = False) -> None:
        self.space = space
        self.size = size
        self.count = count
        self._text = text
        self._cached = cached

    @property
    def reach(self) -> int:
        """All bytes."""
        return self.size * self.count

    def places(
        self, lanes: Lanes, where: Where, addresses: Array
    ) -> Iterator[tuple[Region, Array | slice, Array]]:
        """Yield regions, which of the addresses lie there, and at which bytes; checks both."""
        off = addresses % np.uint64(self.reach) != 0
        if off.any():
            place = int(np.flatnonzero(off)[0])
            raise Fault(
                int(lanes.chosen(where)[place]),
                f"misaligned: {int(addresses[place]):#x} is no multiple of {self.reach}",
            )
        try:
            yield from self._places(lanes, where, addresses)
        except OutOfBounds as error:
            address = int(addresses[error.lane])
            raise Fault(
                int(lanes.chosen(where)[error.lane]),
                f"out of bounds: {self.reach} bytes of {self.space} memory at {address:#x}: "
                f"{error.problem}",
            ) from None

    def _places(
        self, lanes: Lanes, where: Where, addresses: Array
    ) -> Iterator[tuple[Region, Array | slice, Array]]:
        space = self.space
        if space == "generic":
            space, addresses = self._of_generic(addresses)
        if space in _WINDOWS:
            own = lanes.spaces[space]
            owners = lanes.block if space == "shared" else lanes.own
            chosen = owners if where is None else owners[where]
            yield own.region, slice(None), own.places(addresses, chosen, self.reach)
            return
        constant = addresses < _DRIVERS
        if self._cached and not constant.all():
            raise PtxError(f"the read-only cache, of memory that may be written: {self._text}")
        memory = lanes.constants if constant.any() else lanes.memory
        yield from memory.split(addresses, self.reach)

    def _of_generic(self, addresses: Array) -> tuple[str, Array]:
        low, high = int(addresses.min()), int(addresses.max())
        for space, window in _WINDOWS.items():
            if window <= low and high < 2 * window:
                return space, addresses - np.uint64(window)
        if low < MODULE and low >= SHARED_WINDOW:
            raise PtxError(f"generic addresses of several spaces at once: {self._text}")
        return "global", addresses

    # -- checks -------------------------------------------------------------------------------

    def note(self, lanes: Lanes, chosen: Array, region: Region, at: Array, writes: bool) -> None:
        """Check for races, copies under way and what was never written."""
        flying = region.check_flight(at, self.reach)
        self._fail(flying, chosen, "touches what cp.async copies and nobody has waited for")
        if not writes:
            fresh = ~region.check_written(at, self.reach)
            self._fail(~fresh, chosen, "reads what was never written")
        if region is lanes.spaces["local"].region:
            return
        if region.start <= lanes.unordered.start < region.start + len(region.data):
            first = lanes.unordered.start - region.start
            ordered = (at < first) | (at >= first + len(lanes.unordered))
            chosen, at = chosen[ordered], at[ordered]
        hazards = region.hazards(lanes.program.cell)
        note = hazards.write if writes else hazards.read
        raced = note(at, self.reach, lanes.stamps[chosen], lanes.first_serial)
        if len(raced):
            kind = "writes" if writes else "reads"
            touched = "touched" if writes else "wrote"
            raise Fault(
                int(chosen[raced[0]]),
                f"a race: it {kind} what another thread {touched}, with no barrier between",
            )

    def _fail(self, bad: Array, chosen: Array, problem: str) -> None:
        if bad.any():
            raise Fault(int(chosen[np.flatnonzero(bad)[0]]), problem)

    # -- loads and stores ---------------------------------------------------------------------

    def load(self, lanes: Lanes, where: Where, addresses: Array, dtype: np.dtype) -> list[Array]:
        """Return elements."""
        found = [np.empty(len(addresses), dtype) for _ in range(self.count)]
        own = lanes.chosen(where)
        for region, select, at in self.places(lanes, where, addresses):
            self.note(lanes, own[select], region, at, writes=False)
            for number, values in enumerate(found):
                values[select] = region.load(at + number * self.size, dtype)
        return found

    def store(self, lanes: Lanes, where: Where, addresses: Array, values: list[Array]) -> None:
        """Write elements."""
        own = lanes.chosen(where)
        for region, select, at in self.places(lanes, where, addresses):
            self.note(lanes, own[select], region, at, writes=True)
            for number, value in enumerate(values):
                whole = np.broadcast_to(value, len(addresses))
                region.store(at + number * self.size, whole[select])


def space_of(parts: list[str]) -> str:
    """Return the space that an instruction's name says."""
    return next((part for part in parts if part in SPACES), "generic")


def access_of(instruction: Instruction) -> tuple[Access, str]:
    """Return how a load or a store reaches memory, and the type of its elements."""
    _, *parts, kind = instruction.parts
    if not set(parts) <= _KNOWN:
        raise PtxError(f"an unknown form: {instruction.text}")
    count = {"v2": 2, "v4": 4}.get(next((p for p in parts if p in ("v2", "v4")), ""), 1)
    size, cached = TYPES[kind].itemsize, "nc" in parts
    return Access(space_of(parts), size, count, instruction.text, cached), kind


def address_of(lanes: Lanes, operand: Operand, where: Where) -> Array:
    """Return the addresses of what stands in brackets."""
    assert isinstance(operand, Address)
    base = operand.base
    if isinstance(base, Name):
        count = lanes.count if where is None else len(where)
        return np.full(count, lanes.place(base.name) + operand.offset, np.uint64)
    kind = "u64"
    if not isinstance(base, Name) and hasattr(base, "name"):
        kind = f"u{8 * lanes.register(base.name).dtype.itemsize}"
    found = np.atleast_1d(lanes.get(base, kind, where)).astype(np.uint64)
    return found + np.uint64(operand.offset % (1 << 64))


def moved_between(parts: list[str], addresses: Array) -> Array:
    """Return what cvta makes of addresses: generic ones, or of one space."""
    space = space_of(parts)
    window = np.uint64(_WINDOWS.get(space, 0))
    if "to" not in parts:
        return addresses + window
    if space in _WINDOWS:
        inside = (addresses >= window) & (addresses < 2 * window)
    else:
        inside = (addresses < SHARED_WINDOW) | (addresses >= MODULE)
    if not inside.all():
        raise Fault(int(np.flatnonzero(~inside)[0]), f"an address that leads not to {space} memory")
    return addresses - window


def items_of(operand: Operand) -> tuple[Operand, ...]:
    """Return the operands in braces, or one by itself."""
    return operand.items if isinstance(operand, Group) else (operand,)
