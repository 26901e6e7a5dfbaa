"""Renders a program as one module of Numba CUDA kernels, and the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from jitnet.compiler.codegen.contract import as_loops
from jitnet.compiler.ir.kernel import Code, Kernel, parameters_of
from jitnet.compiler.ir.loops import Buffer, CallHost, Check, Contract, walk
from jitnet.runtime.cuda.building import MOST_THREADS
from jitnet.runtime.cuda.gemm import Gemm
from jitnet.runtime.dataclass import dataclass

from .calls import Native, Site, named
from .contraction import Product
from .counts import COUNTS
from .expressions import Calls, Expressions
from .lanes import Lanes, has_lanes
from .library import request_of
from .nests import Nest, nests_of
from .prelude import FUNCTIONS, device_function, libdevice_of, needed
from .sorts import SORTS
from .text import INDENT, Names, Source
from .tiling import Cores, Tiling, has_tiles, tiling_of
from .turns import Turns
from .types import stored

_RESERVED = (
    "cuda", "math", "status", "thread", "start", "row", "column", "k", "tx", "ty", "tiles",
    "done", "part", "slot", "local", "first_row", "first_column", "stage", "a_at", "b_at",
    "warp", "warp_row", "warp_column", "tile",
)  # fmt: skip
_TYPES = "float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64"

NATIVE: dict[str, Native] = {**SORTS, **COUNTS}


@dataclass(frozen=True)
class Launch:
    """One run of a CUDA function.

    function: its name.  grid, block: how many blocks, and threads of a block, in each direction.
    buffers: what its parameters after the status are.
    """

    function: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    buffers: tuple[Buffer, ...]

    def __str__(self) -> str:
        names = ", ".join(["status", *(buffer.name for buffer in self.buffers)])
        return f"{self.function}[{self.grid}, {self.block}]({names})"


@dataclass(frozen=True)
class LibraryCall:
    """One product of the vendor's library; see Request."""

    gemm: Gemm
    operands: tuple[tuple[Buffer, int], ...]

    def __str__(self) -> str:
        names = [
            f"{buffer.name}{f'[{start}:]' if start else ''}" for buffer, start in self.operands
        ]
        return self.gemm.called(*names)


@dataclass(frozen=True)
class CudaFunction:
    """A CUDA function.

    elements: the Numba types that its pointers lead to, after that to the status.
    """

    name: str
    text: str
    elements: tuple[str, ...]
    grid: tuple[int, ...]
    block: tuple[int, ...]


@dataclass(frozen=True)
class CudaProgram:
    """Source of a module, its functions, and what is launched in order."""

    source: str
    functions: tuple[CudaFunction, ...]
    launches: tuple[Launch | LibraryCall, ...]

    def __str__(self) -> str:
        lines = ["", "", "# Launched in this order, with [blocks, threads]:"]
        return "\n".join([self.source.rstrip(), *lines, *(f"#   {each}" for each in self.launches)])


def render_cuda(kernels: Sequence[Kernel], cores: Cores = frozenset()) -> CudaProgram:
    """Return the source of kernels and how they are launched.

    cores: what the GPU's tensor cores may multiply.
    """
    calls = Calls()
    functions: dict[Code, list[CudaFunction]] = {}
    guarded = False
    launches: list[Launch | LibraryCall] = []
    for kernel in kernels:
        code = kernel.code
        if _is_librarys(code):
            launches.append(_library_call(kernel, cores))
            continue
        if code not in functions:
            functions[code] = _Functions(kernel, calls, guarded, cores).functions
        guarded = guarded or any(isinstance(stmt, Check) for stmt in walk(code.body))
        buffers = tuple(buffer for buffer in kernel.buffers if buffer.place != "scratch")
        launches.extend(
            Launch(function.name, function.grid, function.block, buffers)
            for function in functions[code]
        )
    written = tuple(function for each in functions.values() for function in each)
    texts = [function.text for function in written]
    source = "\n\n".join([_header(calls), *_prelude(calls), *texts])
    return CudaProgram(source, written, tuple(launches))


def with_spare(kernel: Kernel) -> Kernel:
    """Return a kernel that calls the host with what memory a GPU needs to do it itself."""
    match kernel.code.body:
        case (CallHost(call=call) as stmt,) if call.op in NATIVE:
            spare = tuple(
                Buffer(f"spare{number}", dtype, size, "arena")
                for number, (dtype, size) in enumerate(NATIVE[call.op].spare(call))
            )
            body = (replace(stmt, spare=spare),)
            buffers = parameters_of(body)
            code = replace(kernel.code, body=body, parameters=buffers)
            return replace(kernel, code=code, buffers=buffers)
    return kernel


def _is_librarys(code: Code) -> bool:
    return any(isinstance(stmt, Contract) and stmt.library for stmt in code.body)


def _library_call(kernel: Kernel, cores: Cores) -> LibraryCall:
    (stmt,) = kernel.code.body
    assert isinstance(stmt, Contract)
    request = request_of(stmt, cores)
    assert request is not None, "the library does not do what it was to do"
    own = dict(zip(kernel.code.parameters, kernel.buffers, strict=True))
    return LibraryCall(request.gemm, tuple((own[b], start) for b, start in request.operands))


class _Functions:
    """The functions that a kernel's code becomes."""

    def __init__(self, kernel: Kernel, calls: Calls, guarded: bool, cores: Cores) -> None:
        self.functions: list[CudaFunction] = []
        self._kernel = kernel
        self._calls = calls
        self._guarded = guarded
        self._cores = cores
        self._parameters = [b for b in kernel.code.parameters if b.place != "scratch"]
        match kernel.code.body:
            case (CallHost(call=call) as stmt,) if call.op in NATIVE:
                self._call(stmt, NATIVE[call.op])
            case body:
                parts = nests_of(body)
                for name, part in zip(self._names(len(parts)), parts, strict=True):
                    self._write(name, part)

    def _names(self, count: int) -> list[str]:
        name = self._kernel.code.name or self._kernel.name
        return [name] if count == 1 else [f"{name}_{number}" for number in range(count)]

    def _call(self, stmt: CallHost, native: Native) -> None:
        """Write the functions that compute what NumPy computes for the CPU."""
        buffers = named(native, stmt)
        steps = native.steps(Site(stmt, buffers, self._calls))
        guard = [f"{INDENT}if status[0] != 0:", f"{INDENT * 2}return"] if self._guarded else []
        for name, step in zip(self._names(len(steps)), steps, strict=True):
            self._add(name, buffers, [*guard, *step.lines], (step.blocks,), (step.threads,))

    def _write(self, name: str, part: Nest | Contract) -> None:
        names, source = Names(_RESERVED), Source()
        buffers = {buffer: names.new(buffer.name) for buffer in self._parameters}
        expressions = Expressions(source, names, self._calls, buffers)
        if isinstance(part, Contract) and not has_tiles(part):
            (part,) = nests_of((as_loops(part),))
        if isinstance(part, Nest):
            part = self._nest(part, source, names, expressions)
            grid: tuple[int, ...] = (part.blocks,)
            block: tuple[int, ...] = part.threads
        else:
            tiling = tiling_of(part, self._cores)
            self._product(tiling, source, names, expressions)
            grid, block = (tiling.blocks,), (tiling.threads,)
        self._add(name, buffers, source.lines, grid, block)

    def _add(
        self,
        name: str,
        buffers: dict[Buffer, str],
        lines: Sequence[str],
        grid: tuple[int, ...],
        block: tuple[int, ...],
    ) -> None:
        """Add a function to those of the kernel."""
        assert prod(block) <= MOST_THREADS, f"{name} has blocks of {block} threads"
        signature = ", ".join(["status", *(buffers[buffer] for buffer in self._parameters)])
        head = f"def {name}({signature}):"
        text = "\n".join(["@cuda.jit", head, *_described(self._kernel), *lines]) + "\n"
        elements = tuple(stored(buffer.dtype) for buffer in self._parameters)
        self.functions.append(CudaFunction(name, text, elements, grid, block))

    def _nest(self, nest: Nest, source: Source, names: Names, expressions: Expressions) -> Nest:
        """Write a nest, and return it as the grid counts it."""
        if not has_lanes(nest):
            Turns(nest, source, names, expressions, self._guarded).write()
            return nest
        lanes = Lanes(nest, source, names, expressions)
        turns = Turns(lanes.turns, source, names, expressions, self._guarded)
        turns.begin()
        with turns.turn():
            lanes.write()
        return lanes.turns

    def _product(
        self, tiling: Tiling, source: Source, names: Names, expressions: Expressions
    ) -> None:
        turns = Turns(Nest((), tiling.stmt.body), source, names, expressions, self._guarded)
        turns.begin()
        Product(tiling, source, names, expressions, turns.statements).write()


def _described(kernel: Kernel) -> list[str]:
    """Return the docstring of a kernel: what it fuses, and the user's lines."""
    lines = [f'{INDENT}"""{" ".join(kernel.fused)}']
    if kernel.lines:
        lines += ["", *(f"{INDENT}{line}" for line in kernel.lines), INDENT.rstrip()]
        lines[-1] = f'{INDENT}"""'
        return lines
    return [f'{lines[0]}"""']


def _header(calls: Calls) -> str:
    """Return the imports."""
    found = needed(calls.prelude)
    library = sorted({*calls.libdevice, *(name for each in found for name in libdevice_of(each))})
    lines = ["import math", "", "from numba import cuda", "from numba.cuda.types import ("]
    lines += [f"{INDENT}{_TYPES},", ")"]
    if library:
        lines += [
            "from numba.cuda.libdevice import (",
            *(f"{INDENT}{name}," for name in library),
            ")",
        ]
    if calls.instructions:
        lines += ["", "from jitnet.runtime.cuda.instructions import ("]
        lines += [*(f"{INDENT}{name}," for name in sorted(calls.instructions)), ")"]
    return "\n".join(lines) + "\n"


def _prelude(calls: Calls) -> list[str]:
    texts = [FUNCTIONS[name] for name in needed(calls.prelude)]
    return [device_function(text) for text in (*texts, *calls.own.values())]
