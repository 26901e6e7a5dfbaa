"""What the host computes for the CPU's programs and a GPU computes itself: sorts, counts, bits.

Each such op is a Native: the memory it needs besides its operands, and its functions, one after
another on the same operands. What has none (solving, decompositions, rare functions) has no CUDA
kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

from jitnet.compiler.ir.host import Block, HostCall
from jitnet.compiler.ir.loops import Buffer, CallHost
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType

from .expressions import Calls, divided, remainder
from .nests import THREADS, WARP
from .scalars import write_scalar
from .text import INDENT
from .types import from_memory


@dataclass(frozen=True)
class Step:
    """One function: its statements, one a line, and how it is launched.

    turns: how many threads there are at least.  team: threads of a block; as many as fit, if None.
    """

    text: str
    turns: int
    team: int | None = None

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.team or min(THREADS, max(1, -(-self.turns // WARP)) * WARP)

    @property
    def blocks(self) -> int:
        """Blocks of the grid."""
        return max(1, -(-self.turns // self.threads))

    @property
    def lines(self) -> list[str]:
        """The statements, inside a function."""
        return [INDENT + line if line else "" for line in self.text.strip("\n").splitlines()]


@dataclass(frozen=True)
class Native:
    """How a GPU computes an op of the host.

    arguments: their names in the source; after them comes `result`.
    spare: dtype and elements of what memory it needs; its names are spare0, spare1 ...
    steps: its functions, in order.
    """

    arguments: tuple[str, ...]
    steps: Callable[[Site], list[Step]]
    spare: Callable[[HostCall], list[tuple[DType, int]]] = lambda call: []


class Site:
    """A call of an op: its operands in memory, and what its source calls."""

    def __init__(self, stmt: CallHost, names: dict[Buffer, str], calls: Calls) -> None:
        self.params: dict[str, Any] = dict(stmt.call.params)
        self.args, self.result = stmt.call.args, stmt.call.result
        self._operands = stmt.operands
        self._names = names
        self._calls = calls

    def use(self, libdevice: Iterable[str] = (), prelude: Iterable[str] = ()) -> None:
        """Remember functions that the source calls."""
        self._calls.add(libdevice, prelude)

    def place(self, number: int, parts: Sequence[str]) -> str:
        """Return the place of an operand's element, its own number in each dim given as text.

        The result is number -1.
        """
        block = (*self.args, self.result)[number]
        terms = [
            part if stride == 1 else f"{part} * {stride}"
            for part, stride, size in zip(parts, block.strides, block.shape, strict=True)
            if stride and size > 1
        ]
        offset = self._operands[number][1]
        if offset:
            terms.append(str(offset))
        return " + ".join(terms) or "0"

    def element(self, number: int, parts: Sequence[str]) -> str:
        """Return an operand's element as memory has it."""
        return f"{self._names[self._operands[number][0]]}[{self.place(number, parts)}]"

    def value(self, number: int, parts: Sequence[str]) -> str:
        """Return an argument's element as it is computed with."""
        dtype = self.args[number].dtype
        assert not dtype.narrow, "the pass `widen` makes them wider"
        return from_memory(self.element(number, parts), dtype)

    def combined(self, function: str, a: str, b: str, dtype: DType) -> str:
        """Return a scalar function of two values."""
        written = write_scalar(function, (a, b), dtype)
        self.use(written.libdevice, written.prelude)
        return written.text


def unflattened(number: str, shape: Sequence[int]) -> list[str]:
    """Return the parts, one for each dim, of a flat number that stands in a variable."""
    parts: list[str] = []
    behind = 1
    for place, size in reversed(list(enumerate(shape))):
        part = number if behind == 1 else divided(number, behind)
        parts.append("0" if size == 1 else part if place == 0 else remainder(part, size))
        behind *= size
    return parts[::-1]


def along(number: str, block: Block, axis: int, inside: str) -> list[str]:
    """Return the parts of an element: of the line with a number, the place inside it."""
    shape = list(block.shape)
    outer = unflattened(number, [*shape[:axis], *shape[axis + 1 :]])
    return [*outer[:axis], inside, *outer[axis:]]


def lines_of(block: Block, axis: int) -> int:
    """Return how many lines along an axis a value has."""
    return prod(size for place, size in enumerate(block.shape) if place != axis)


def named(native: Native, stmt: CallHost) -> dict[Buffer, str]:
    """Return what each buffer of a call is called; a buffer that is read twice has its first."""
    names: dict[Buffer, str] = {}
    spares = [f"spare{number}" for number in range(len(stmt.spare))]
    buffers = [buffer for buffer, _ in stmt.operands]
    for buffer, name in zip(
        (*buffers, *stmt.spare), (*native.arguments, "result", *spares), strict=True
    ):
        names.setdefault(buffer, name)
    return names
