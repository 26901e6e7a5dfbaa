"""Kernel: a unit of work on buffers, and the code that it may share with other kernels."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import assert_never

from jitnet.runtime.dataclass import dataclass

from .host import HostCall, spelled
from .index import Var
from .loops import (
    INFIX,
    Accumulate,
    Begin,
    Buffer,
    CallHost,
    Check,
    Contract,
    Define,
    Fetch,
    For,
    Operand,
    Stmt,
    Store,
    loads,
    walk,
    written,
)


@dataclass(frozen=True, eq=False)
class Code:
    """Statements that kernels run, each on memory of its own.

    name: of the function that it becomes.  parameters: the buffers that the statements name, which
    are those of the first of the kernels.  serial: whether one thread does it all.  claims: whether
    threads claim parts of it while they work, instead of taking equal ones.
    """

    name: str
    body: tuple[Stmt, ...]
    parameters: tuple[Buffer, ...]
    serial: bool = False
    claims: bool = False

    @cached_property
    def reads(self) -> frozenset[Buffer]:
        """Parameters that are read."""
        return frozenset(load.buffer for load in loads(self.body))

    @cached_property
    def writes(self) -> frozenset[Buffer]:
        """Parameters that are written."""
        return frozenset(written(self.body))

    @property
    def is_shared(self) -> bool:
        """Whether all threads can share it out: it is one statement that is made for that."""
        return list(map(shares_out, self.body)) == [True]

    @cached_property
    def checks(self) -> bool:
        """Whether it may end the program: it looks at data, or asks the host."""
        return any(isinstance(stmt, Check | CallHost) for stmt in walk(self.body))

    @cached_property
    def host_calls(self) -> tuple[HostCall, ...]:
        """What it asks the host to compute."""
        return tuple(stmt.call for stmt in walk(self.body) if isinstance(stmt, CallHost))


@dataclass(frozen=True, eq=False)
class Kernel:
    """A unit of work that all threads run together, with no barrier inside.

    buffers: the memory that takes the place of each of the code's parameters.
    fused: names of the ops inside.  lines: the user's source lines, most telling first.
    """

    name: str
    code: Code
    buffers: tuple[Buffer, ...]
    fused: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def serial(self) -> bool:
        """Whether one thread does it all."""
        return self.code.serial

    @property
    def is_first(self) -> bool:
        """Whether the code was made for this kernel."""
        return self.buffers == self.code.parameters

    @cached_property
    def reads(self) -> frozenset[Buffer]:
        """Buffers that are read."""
        return frozenset(self._given(self.code.reads))

    @cached_property
    def writes(self) -> frozenset[Buffer]:
        """Buffers that are written."""
        return frozenset(self._given(self.code.writes))

    def _given(self, wanted: frozenset[Buffer]) -> Iterable[Buffer]:
        pairs = zip(self.code.parameters, self.buffers, strict=True)
        return (buffer for parameter, buffer in pairs if parameter in wanted)

    def __str__(self) -> str:
        return print_kernel(self)


def shares_out(stmt: Stmt) -> bool:
    """Return whether threads share out a statement, if there are several."""
    return isinstance(stmt, Contract) or (
        isinstance(stmt, For) and stmt.kind.startswith("parallel")
    )


def parameters_of(body: tuple[Stmt, ...]) -> tuple[Buffer, ...]:
    """Return the buffers that statements name, in an order that the statements decide."""
    read = [load.buffer for load in loads(body)]
    return tuple(dict.fromkeys([*read, *written(body)]))


def print_kernel(kernel: Kernel) -> str:
    """Return the kernel as text; of one that shares its code, what it does that on."""
    head = f"kernel {kernel.name}" + ("  (one thread)" if kernel.serial else "")
    if kernel.code.claims:
        head += "  (claimed)"
    if not kernel.is_first:
        head += f"  (same code as {kernel.code.name})"
    lines = [head]
    if kernel.lines:
        lines.append(f"  # from {', '.join(kernel.lines[:4])}")
    lines.append(f"  # fuses {' '.join(kernel.fused)}")
    if not kernel.is_first:
        pairs = zip(kernel.buffers, kernel.code.parameters, strict=True)
        return "\n".join([*lines, "  with " + ", ".join(f"{own} as {its}" for own, its in pairs)])
    for stmt in kernel.code.body:
        lines.extend(_print_stmt(stmt, "  "))
    return "\n".join(lines)


def _print_stmt(stmt: Stmt, pad: str) -> list[str]:
    match stmt:
        case For():
            head = f"{pad}{stmt.kind} for {stmt.var} in {stmt.var.extent}:"
            return [head, *(line for s in stmt.body for line in _print_stmt(s, pad + "  "))]
        case Define():
            return [f"{pad}{stmt.local}: {stmt.local.dtype.short} = {stmt.expr}"]
        case Begin():
            return [f"{pad}{stmt.local}: {stmt.local.dtype.short} = start of {stmt.fn}"]
        case Accumulate():
            at = f" at {stmt.at}" if stmt.at is not None else ""
            if stmt.fn in INFIX:
                return [f"{pad}{stmt.local} {INFIX[stmt.fn]}= {stmt.expr}"]
            return [f"{pad}{stmt.local} = {stmt.fn}({stmt.local}, {stmt.expr}{at})"]
        case Store():
            sign = "+=" if stmt.accumulate else "="
            return [f"{pad}{stmt.buffer}[{stmt.index}] {sign} {stmt.expr}"]
        case Fetch():
            return [f"{pad}fetch {stmt.buffer}[{stmt.index}]"]
        case Check():
            return [f"{pad}check {stmt.low} <= {stmt.expr} < {stmt.high}, else status {stmt.code}"]
        case CallHost():
            return [f"{pad}{_print_call(stmt)}"]
        case Contract():
            return _print_contract(stmt, pad)
        case _:
            assert_never(stmt)


def _print_call(stmt: CallHost) -> str:
    blocks = (*stmt.call.args, stmt.call.result)
    named = [
        f"{buffer}{f'[{start}...]' if start else ''}: {block}"
        for (buffer, start), block in zip(stmt.operands, blocks, strict=True)
    ]
    args = ", ".join([*named[:-1], *spelled(stmt.call)])
    return f"{named[-1]} = host {stmt.call.op}({args}), else status {stmt.code}"


def _print_contract(stmt: Contract, pad: str) -> list[str]:
    def names(group: tuple[Var, ...]) -> str:
        return " ".join(f"{var}:{var.extent}" for var in group) or "-"

    def operand(item: Operand, groups: tuple[Var, ...]) -> str:
        strides = (*item.batch, *item.outer, *item.inner)
        terms = [
            f"{var}" if step == 1 else f"{var}*{step}"
            for var, step in zip(groups, strides, strict=True)
            if step and var.extent > 1
        ]
        if item.offset or not terms:
            terms.append(str(item.offset))
        return f"{item.buffer}[{' + '.join(terms)}]"

    a = operand(stmt.a, (*stmt.batch, *stmt.rows, *stmt.inner))
    b = operand(stmt.b, (*stmt.batch, *stmt.columns, *stmt.inner))
    who = " by the GPU's library," if stmt.library else ""
    head = f"{pad}contract{who} batch {names(stmt.batch)}, rows {names(stmt.rows)}, "
    head += f"columns {names(stmt.columns)}, over {names(stmt.inner)}:"
    where = f" where {' and '.join(map(str, stmt.within))}" if stmt.within else ""
    lines = [head, f"{pad}  {stmt.result}: {stmt.result.dtype.short} = sum {a} * {b}{where}"]
    return [*lines, *(line for s in stmt.body for line in _print_stmt(s, pad + "  "))]
