"""Renders the code of kernels as one LLVM function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from jitnet.compiler.ir.kernel import Code
from jitnet.compiler.ir.loops import (
    Accumulate,
    Begin,
    Buffer,
    CallHost,
    Check,
    Contract,
    Define,
    Fetch,
    For,
    Stmt,
    Store,
)
from jitnet.runtime.dtype import int64

from .emitter import I64, Module
from .expressions import Expressions
from .loops import Loops
from .math import emit_cast
from .partials import Partials
from .point import Point

SCRATCH_ALIGN = 64  # of what contractions keep there


def own_scratch(code: Code, offsets: Mapping[Buffer, int]) -> int:
    """Return the bytes of scratch that a code's own buffers take."""
    buffers = [buffer for buffer in code.parameters if buffer.place == "scratch"]
    ends = [offsets[buffer] + buffer.size * buffer.dtype.size for buffer in buffers]
    return -(-max(ends, default=0) // SCRATCH_ALIGN) * SCRATCH_ALIGN


class CodeWriter:
    """Writes one code into a module; `offsets` says where in its scratch buffers lie."""

    def __init__(self, module: Module, code: Code, offsets: Mapping[Buffer, int]) -> None:
        self._point = Point(module, code, offsets)
        self._scratch = own_scratch(code, offsets)  # where that of contractions begins
        self.f = self._point.f
        self._expressions = Expressions(self._point)
        self._partials = Partials(self.f)
        self._loops = Loops(self._point, self._expressions, self._partials, self._statements)

    def write(self) -> int:
        """Write the whole function; return how often its threads share work out."""
        self._statements(self._point.code.body)
        self.f.finish()
        return self._point.turns

    def _statements(self, body: Sequence[Stmt]) -> None:
        for stmt in body:
            match stmt:
                case For():
                    self._loops.write(stmt)
                case Define():
                    self._point.locals[stmt.local] = self._expressions.value(stmt.expr)
                case Begin():
                    self._partials.begin(stmt)
                case Accumulate():
                    self._accumulate(stmt)
                case Store():
                    self._expressions.memory.store(stmt, self._expressions.value(stmt.expr))
                case Fetch():
                    self._expressions.memory.fetch(stmt)
                case Check():
                    self._check(stmt)
                case CallHost():
                    self._call_host(stmt)
                case Contract():
                    self._product(stmt)
                case _:
                    assert_never(stmt)

    def _product(self, stmt: Contract) -> None:
        from .product import ProductWriter  # late, for what has none: it takes 5 ms to import

        writer = ProductWriter(self._point, self._expressions, self._statements, self._scratch)
        writer.write(stmt)

    def _accumulate(self, stmt: Accumulate) -> None:
        items = [self._expressions.value(stmt.expr)]
        if stmt.at is not None:
            items.append(self._expressions.indices.position(stmt.at))
        self._partials.add(stmt.local, items)

    def _check(self, stmt: Check) -> None:
        """Write a test whose first failure sets the status: its code, and the value that failed."""
        f = self.f
        value = emit_cast(f, self._expressions.value(stmt.expr), stmt.expr.dtype, int64)
        shifted = f.binary("sub", value, f.const(value.type, stmt.low))
        bad = f.compare("icmp uge", shifted, f.const(value.type, stmt.high - stmt.low))
        status = self._point.status
        with f.when(bad):
            first = f.compare("icmp eq", f.load(status, I64, 8), f.i64(0))
            with f.when(first):
                f.store(f.i64(stmt.code), status, 8)
                f.store(value, f.gep(status, f.i64(1), I64), 8)

    def _call_host(self, stmt: CallHost) -> None:
        """Write a call of the host, which gets the places of all operands, and says if it fails."""
        f = self.f
        name = f.module.host_function(stmt.call)
        starts = [
            f.gep(self._point.pointer(buffer), f.i64(start * buffer.dtype.size))
            for buffer, start in stmt.operands
        ]
        failed = f.call(name, starts, I64)
        assert failed is not None
        with f.when(f.compare("icmp ne", failed, f.i64(0))):
            f.store(f.i64(stmt.code), self._point.status, 8)
