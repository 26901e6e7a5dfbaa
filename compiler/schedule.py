"""The order of kernels, and before which of them threads wait for one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from jitnet.compiler.codegen.program import Step
from jitnet.compiler.codegen.shares import EVERY, NOBODY, Part, parts_of, sizes_that_meet
from jitnet.compiler.ir.kernel import Code, Kernel
from jitnet.compiler.ir.loops import Buffer
from jitnet.compiler.passes.assemble import Plan
from jitnet.compiler.passes.memory import SMALL, MemoryPlan, common, conflicts, plan_memory
from jitnet.compiler.passes.name import name_kernels
from jitnet.runtime.target import Target

USUAL = 1 << 2  # the team that decides the order: of two threads
WINDOW = 16  # kernels among which one is looked for that need not wait


def schedule(plan: Plan, target: Target | None = None) -> tuple[tuple[Step, ...], MemoryPlan]:
    """Return the kernels in order, before which of them threads wait, and memory.

    target: whose threads share the kernels out. Without it nothing is known of who touches what,
    and the order stays as it is.
    """
    kernels: Sequence[Kernel] = plan.kernels
    if target is None or all(kernel.serial for kernel in kernels):
        kernels = name_kernels(kernels)
        memory = plan_memory(kernels)
    else:
        kernels = name_kernels(list(_Arrangement(kernels, target).kernels()))
        memory = plan_memory(kernels, _ends(_barriers(kernels, target, {})))
    waits = _barriers(kernels, target, memory.offsets)
    return tuple(map(Step, kernels, waits)), memory


def _barriers(
    kernels: Sequence[Kernel], target: Target | None, offsets: Mapping[Buffer, int]
) -> list[int]:
    """Return the sizes of the teams that wait before each kernel."""
    running = _Running(_Meetings(target, offsets))
    return [running.begin(kernel) for kernel in kernels]


def _ends(waits: Sequence[int]) -> list[int]:
    """Return for each kernel the last, but not far from it, of those that run before all wait."""
    ends: list[int] = []
    end = len(waits) - 1
    for number in reversed(range(len(waits))):
        ends.append(min(end, number + WINDOW))
        end = number - 1 if waits[number] & USUAL else end
    return ends[::-1]


class _Meetings:
    """Says which teams' threads meet in memory if two kernels run at the same time.

    offsets: where buffers lie in the arena; those that are missing lie apart.
    """

    def __init__(self, target: Target | None, offsets: Mapping[Buffer, int]) -> None:
        self._target = target
        self._offsets = offsets

    def of(self, one: Kernel, other: Kernel) -> int:
        """Return the sizes of those teams."""
        found = NOBODY
        if one.serial and other.serial:
            return found
        for buffer in one.reads | one.writes:
            partners = other.reads | other.writes if buffer in one.writes else other.writes
            for partner in partners:
                if found != EVERY:
                    found |= self._in((one, buffer), (other, partner))
        return found

    def _in(self, one: tuple[Kernel, Buffer], other: tuple[Kernel, Buffer]) -> int:
        """Return the sizes of teams whose threads meet in what two buffers have in common."""
        places = common(one[1], other[1], self._offsets)
        if places is None:
            return NOBODY
        own, its = self._parts(*one), self._parts(*other)
        if own is None or its is None:
            return EVERY
        # Counted from where the first one's whole value begins: so periods begin alike.
        origin = places[0] - one[1].offset * one[1].dtype.size
        found = NOBODY
        for part in own:
            for partner in its:
                moved = (part.moved(places[0] - origin), partner.moved(places[1] - origin))
                found |= sizes_that_meet(*moved)
        return found

    def _parts(self, kernel: Kernel, buffer: Buffer) -> tuple[Part, ...] | None:
        """Return what a thread touches of a buffer; None where that is not known."""
        if self._target is None:
            return None
        parts = parts_of(kernel.code, self._target)
        found: list[Part] = []
        for parameter, given in zip(kernel.code.parameters, kernel.buffers, strict=True):
            if given is buffer:
                each = parts[parameter]
                if each is None:
                    return None
                found += each
        return tuple(found)


class _Running:
    """The kernels that may still be running on some thread, each in teams of which sizes."""

    def __init__(self, meetings: _Meetings) -> None:
        self._meetings = meetings
        self._kernels: list[tuple[Kernel, int]] = []

    def waits(self, kernel: Kernel) -> int:
        """Return the sizes of teams that wait before a kernel."""
        found = NOBODY
        for other, sizes in self._kernels:
            if sizes & ~found:
                found |= sizes & self._meetings.of(kernel, other)
        return found

    def begin(self, kernel: Kernel) -> int:
        """Let a kernel run after a barrier, if it needs one; return the teams that wait there."""
        waits = self.waits(kernel)
        left = ((other, sizes & ~waits) for other, sizes in self._kernels)
        self._kernels = [(other, sizes) for other, sizes in left if sizes]
        self._kernels.append((kernel, EVERY))
        return waits


class _Arrangement:
    """Orders kernels so that few wait: what is small is done before a barrier, or after it.

    Small kernels are those that one thread does. One of them may be done before its turn, or
    after, and by all threads if each then finds what it has written itself.
    """

    def __init__(self, kernels: Sequence[Kernel], target: Target) -> None:
        self._left = list(kernels)
        self._meetings = _Meetings(target, {})
        self._running = _Running(self._meetings)
        self._shared: dict[Code, Code] = {}  # what one thread does -> the same done by all

    def kernels(self) -> Iterator[Kernel]:
        """Yield the kernels in order."""
        checks = sum(1 for kernel in self._left if kernel.code.checks)
        while self._left:
            kernel = self._left[0] if checks else self._next()
            checks -= kernel.code.checks
            self._left.remove(kernel)
            chosen = self._as_is_best(kernel)
            self._running.begin(chosen)
            yield chosen

    def _next(self) -> Kernel:
        """Return the first kernel, or one that may pass those before it and need not wait."""
        first, *others = self._left[:WINDOW]
        if not self._waits(self._as_is_best(first)):
            return first
        before = [first]
        for kernel in others:
            if (_is_small(kernel) or all(map(_is_small, before))) and self._may_pass(
                kernel, before
            ):
                return kernel
            before.append(kernel)
        return first

    def _may_pass(self, kernel: Kernel, before: Sequence[Kernel]) -> bool:
        """Whether a kernel need not wait, for those before it neither."""
        if self._waits(self._as_is_best(kernel)):
            return False
        return not any(conflicts(kernel, each, {}) for each in before)

    def _as_is_best(self, kernel: Kernel) -> Kernel:
        """Return the kernel done by one thread, or by all where only so it need not wait."""
        if not (kernel.serial and kernel.code.is_shared and self._waits(kernel)):
            return kernel
        if kernel.code not in self._shared:
            self._shared[kernel.code] = replace(kernel.code, serial=False)
        shared = replace(kernel, code=self._shared[kernel.code])
        return kernel if self._waits(shared) else shared

    def _waits(self, kernel: Kernel) -> bool:
        return bool(self._running.waits(kernel) & USUAL)


def _is_small(kernel: Kernel) -> bool:
    """Whether one thread does all of a kernel, on little memory: moving it costs none."""
    touched = kernel.reads | kernel.writes
    return kernel.serial and sum(each.size * each.dtype.size for each in touched) <= SMALL
