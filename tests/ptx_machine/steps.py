"""Instructions as functions of lanes: everything but branches and meetings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.ptx_machine.access import (
    Access,
    Fault,
    access_of,
    address_of,
    items_of,
    moved_between,
)
from tests.ptx_machine.arithmetic import TYPES, meaning_of
from tests.ptx_machine.carries import Carried, is_carried
from tests.ptx_machine.lanes import Lanes, Where
from tests.ptx_machine.parse import Group, Instruction, Number, PtxError, Register

Array = np.ndarray
Step = Callable[[Lanes, Where], None]


def step_of(instruction: Instruction) -> Step:
    """Return what an instruction does to some lanes."""
    op = instruction.parts[0]
    if op in _MEMORY:
        return _MEMORY[op](instruction)
    if op == "mov" and any(isinstance(each, Group) for each in instruction.operands):
        return _packed(instruction)
    if is_carried(instruction):
        return Carried(instruction)
    if op in ("membar", "fence"):
        return lambda lanes, where: None  # blocks are in no order, with it or without
    return _arithmetic(instruction)


def _arithmetic(instruction: Instruction) -> Step:
    meaning = meaning_of(instruction.name)
    target, *sources = instruction.operands
    if not isinstance(target, Register) or len(sources) != len(meaning.reads):
        raise PtxError(f"an unknown form: {instruction.text}")
    pairs = list(zip(sources, meaning.reads, strict=True))

    def step(lanes: Lanes, where: Where) -> None:
        values = [lanes.get(source, kind, where) for source, kind in pairs]
        lanes.set(target.name, meaning.compute(*values), where)

    return step


def _packed(instruction: Instruction) -> Step:
    """A move of several registers into one, or of one into several."""
    target, source = instruction.operands
    whole = TYPES[instruction.parts[-1]].itemsize
    several = target if isinstance(target, Group) else source
    part = f"b{8 * whole // len(items_of(several))}"

    def step(lanes: Lanes, where: Where) -> None:
        count = lanes.count if where is None else len(where)
        if isinstance(target, Group):
            found = np.broadcast_to(lanes.get(source, f"b{8 * whole}", where), count)
            parts = np.ascontiguousarray(found).view(TYPES[part]).reshape(count, -1)
            for number, item in enumerate(target.items):
                if isinstance(item, Register) and item.name != "%_":
                    lanes.set(item.name, parts[:, number], where)
            return
        assert isinstance(target, Register)
        given = [np.broadcast_to(lanes.get(i, part, where), count) for i in items_of(source)]
        both = np.ascontiguousarray(np.stack(given, 1)).view(TYPES[f"b{8 * whole}"])
        lanes.set(target.name, both[:, 0], where)

    return step


# -- memory -----------------------------------------------------------------------------------


def _load(instruction: Instruction) -> Step:
    access, kind = access_of(instruction)
    target, address = instruction.operands
    items = items_of(target)

    def step(lanes: Lanes, where: Where) -> None:
        found = access.load(lanes, where, address_of(lanes, address, where), TYPES[kind])
        for item, values in zip(items, found, strict=True):
            assert isinstance(item, Register)
            lanes.set(item.name, values, where)

    return step


def _store(instruction: Instruction) -> Step:
    access, kind = access_of(instruction)
    address, source = instruction.operands
    items = items_of(source)

    def step(lanes: Lanes, where: Where) -> None:
        values = [lanes.get(item, kind, where) for item in items]
        access.store(lanes, where, address_of(lanes, address, where), values)

    return step


def _convert_address(instruction: Instruction) -> Step:
    target, source = instruction.operands
    assert isinstance(target, Register)
    parts = instruction.parts

    def step(lanes: Lanes, where: Where) -> None:
        found = np.atleast_1d(lanes.get(source, "u64", where))
        lanes.set(target.name, moved_between(parts, found), where)

    return step


@dataclass
class Copy:
    """An asynchronous copy under way: of these lanes, to these bytes of the blocks' memory.

    group: which of a lane's groups of copies it belongs to; -1 for none yet.
    """

    lanes: Array
    at: Array
    data: Array
    group: int = -1


def _copy_later(instruction: Instruction) -> Step:
    """cp.async: bytes leave global memory, and come when somebody waits for them."""
    words = instruction.parts
    if words[2] == "wait_all":
        return lambda lanes, where: _arrive(lanes, where, 0, everything=True)
    if words[2] == "commit_group":
        return _commit
    if words[2] == "wait_group":
        (number,) = instruction.operands
        assert isinstance(number, Number)
        return lambda lanes, where: _arrive(lanes, where, number.bits, everything=False)
    if words[2:] not in (["cg", "shared", "global"], ["ca", "shared", "global"]):
        raise PtxError(f"an unknown form: {instruction.text}")
    target, source, size = instruction.operands
    assert isinstance(size, Number)
    from_global = Access("global", size.bits, 1, instruction.text)
    to_shared = Access("shared", size.bits, 1, instruction.text)

    def step(lanes: Lanes, where: Where) -> None:
        own = lanes.chosen(where)
        data = np.empty((len(own), size.bits), np.uint8)
        for region, select, at in from_global.places(
            lanes, where, address_of(lanes, source, where)
        ):
            from_global.note(lanes, own[select], region, at, writes=False)
            data[select] = region.data[at[:, None] + np.arange(size.bits)]
        (place,) = to_shared.places(lanes, where, address_of(lanes, target, where))
        region, _, at = place
        to_shared.note(lanes, own, region, at, writes=True)
        region.fly(at, size.bits, on=True)
        lanes.copies.append(Copy(own, at, data))

    return step


def _commit(lanes: Lanes, where: Where) -> None:
    """Make a group of what is under way."""
    if where is not None:
        raise PtxError("cp.async.commit_group by a part of the lanes is not known")
    number = 1 + max((copy.group for copy in lanes.copies), default=-1)
    for copy in lanes.copies:
        copy.group = number if copy.group < 0 else copy.group


def _arrive(lanes: Lanes, where: Where, but: int, everything: bool) -> None:
    """Let the copies of some lanes come, all or those before the last groups."""
    waits = np.zeros(lanes.count, bool)
    waits[lanes.chosen(where)] = True
    region = lanes.spaces["shared"].region
    groups = sorted({copy.group for copy in lanes.copies if copy.group >= 0})
    late = groups[len(groups) - but :] if but else []
    kept = []
    for copy in lanes.copies:
        comes = waits[copy.lanes] & (everything or (copy.group >= 0 and copy.group not in late))
        at, size = copy.at[comes], copy.data.shape[1]
        if comes.any():
            region.fly(at, size, on=False)
            access = Access("shared", size, 1, "cp.async")
            access.note(lanes, copy.lanes[comes], region, at, writes=True)
            places = at[:, None] + np.arange(size)
            region.data[places] = copy.data[comes]
            assert region.written is not None
            region.written[places] = True
        if not comes.all():
            kept.append(Copy(copy.lanes[~comes], copy.at[~comes], copy.data[~comes], copy.group))
    lanes.copies = kept


def _trap(instruction: Instruction) -> Step:
    def step(lanes: Lanes, where: Where) -> None:
        raise Fault(int(lanes.chosen(where)[0]), "a trap")

    return step


_MEMORY: dict[str, Callable[[Instruction], Step]] = {
    "ld": _load,
    "st": _store,
    "cvta": _convert_address,
    "cp": _copy_later,
    "trap": _trap,
}
