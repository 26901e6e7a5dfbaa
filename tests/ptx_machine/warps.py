"""What the lanes of a warp do together: exchanges, votes, products on tensor cores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.ptx_machine.access import Fault, items_of
from tests.ptx_machine.lanes import WARP, Lanes, Where
from tests.ptx_machine.parse import Instruction, Number, Operand, PtxError, Register
from tests.ptx_machine.tensor_cores import SHAPES, multiply

Array = np.ndarray
Step = Callable[[Lanes, Where], None]


def is_together(instruction: Instruction) -> bool:
    """Whether a warp's lanes wait for one another here."""
    parts = instruction.parts
    return parts[0] in ("shfl", "vote", "mma") or parts[:2] == ["bar", "warp"]


def named(instruction: Instruction, lanes: Lanes, where: Array) -> Array:
    """Return, for each lane, the bits of those that it says take part."""
    if instruction.parts[0] == "mma":
        return np.full(len(where), 0xFFFFFFFF, np.uint32)
    return np.broadcast_to(lanes.get(instruction.operands[-1], "u32", where), len(where))


def together_of(instruction: Instruction) -> Step:
    """Return what an instruction does to lanes that are all here."""
    parts = instruction.parts
    if parts[0] == "mma":
        return _multiply(instruction)
    if parts[0] == "shfl":
        return _exchange(instruction)
    if parts[0] == "vote":
        return _vote(instruction)
    return lambda lanes, where: lanes.met_in_warps(np.unique(lanes.warp[lanes.chosen(where)]))


def _multiply(instruction: Instruction) -> Step:
    if instruction.name not in SHAPES:
        raise PtxError(f"an instruction that this machine does not know: {instruction.name}")
    shape = SHAPES[instruction.name]
    target, *sources = map(items_of, instruction.operands)

    def step(lanes: Lanes, where: Where) -> None:
        own = lanes.chosen(where)
        whole = np.bincount(lanes.warp[own], minlength=int(lanes.warp[own].max()) + 1)
        short = own[whole[lanes.warp[own]] != WARP]
        if len(short):
            raise Fault(int(short[0]), "lanes of its warp are not here, or there are none")

        def values(operands: tuple[Operand, ...], kind: str) -> list[Array]:
            found = [lanes.get(each, kind, where) for each in operands]
            return [np.broadcast_to(each, len(own)) for each in found]

        a, b, c = (
            values(operands, kind)
            for operands, kind in zip(sources, ("u32", "u32", "f32"), strict=True)
        )
        for item, sums in zip(target, multiply(shape, a, b, c), strict=True):
            assert isinstance(item, Register)
            lanes.set(item.name, sums, where)

    return step


def _exchange(instruction: Instruction) -> Step:
    """shfl.sync: the value of another lane, or the lane's own where there is no such lane."""
    mode = instruction.parts[2]
    target, source, distance, clamp, _ = instruction.operands
    into = items_of(target)
    if instruction.parts[1:] != ["sync", mode, "b32"] or mode not in _SOURCES:
        raise PtxError(f"an instruction that this machine does not know: {instruction.name}")

    def step(lanes: Lanes, where: Where) -> None:
        own = lanes.chosen(where)
        values, step_, limit = (
            np.broadcast_to(lanes.get(each, "u32", where), len(own))
            for each in (source, distance, clamp)
        )
        lane = lanes.lane[own]
        segment = (limit >> np.uint32(8)) & 0x1F
        last = (lane & segment) | (limit & 0x1F & ~segment)
        other, there = _SOURCES[mode](lane, step_.astype(np.int64), segment, last)
        other = np.where(there, other, lane)
        held = np.zeros(lanes.count + WARP, np.uint32)
        here = np.zeros(len(held), bool)
        held[own], here[own] = values, True
        place = own - lane + other
        reached = here[place] & (lanes.warp[np.minimum(place, lanes.count - 1)] == lanes.warp[own])
        if not reached.all():
            lost = int(np.flatnonzero(~reached)[0])
            raise Fault(int(own[lost]), f"it asks lane {int(other[lost])}, which is not here")
        assert isinstance(into[0], Register)
        lanes.set(into[0].name, held[place], where)
        for item in into[1:]:
            assert isinstance(item, Register)
            lanes.set(item.name, there, where)

    return step


def _sources(mode: str) -> Callable[[Array, Array, Array, Array], tuple[Array, Array]]:
    def find(lane: Array, step: Array, segment: Array, last: Array) -> tuple[Array, Array]:
        if mode == "up":
            return lane - step, lane - step >= last
        if mode == "idx":
            other = (lane & segment) | (step & ~segment & 0x1F)
        else:
            other = lane + step if mode == "down" else lane ^ step
        return other, other <= last

    return find


_SOURCES = {mode: _sources(mode) for mode in ("bfly", "up", "down", "idx")}


def _vote(instruction: Instruction) -> Step:
    _, sync, mode, _ = instruction.parts
    target, predicate, members = instruction.operands
    if sync != "sync" or mode not in ("all", "any", "uni", "ballot"):
        raise PtxError(f"an instruction that this machine does not know: {instruction.name}")
    assert isinstance(target, Register)
    assert isinstance(members, Number | Register)

    def step(lanes: Lanes, where: Where) -> None:
        own = lanes.chosen(where)
        says = np.broadcast_to(lanes.get(predicate, "pred", where), len(own))
        bits = np.zeros(lanes.blocks * lanes.warps_each, np.uint32)
        here = np.zeros_like(bits)
        one = np.uint32(1) << lanes.lane[own].astype(np.uint32)
        np.bitwise_or.at(bits, lanes.warp[own], np.where(says, one, np.uint32(0)))
        np.bitwise_or.at(here, lanes.warp[own], one)
        found = {
            "ballot": bits,
            "all": bits == here,
            "any": bits != 0,
            "uni": (bits == here) | (bits == 0),
        }[mode]
        lanes.set(target.name, found[lanes.warp[own]], where)

    return step
