"""Shows what a compiled function became, stage by stage: `fn.dump(stage)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jitnet.compiler.codegen.shares import SIZES
from jitnet.compiler.compiled import Compiled
from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.passes.memory import MemoryPlan
from jitnet.compiler.pipeline import Stages
from jitnet.runtime import cpu
from jitnet.runtime.routine import Routine
from jitnet.runtime.target import Target

from .. import switches
from ..device import CPU
from .acting import Executable
from .costs import cost_of, size

if TYPE_CHECKING:
    from jitnet.compiler.codegen.cuda.program import CudaProgram

    from ..compile import CompiledFunction

_ONCE = "; ==== once, and again after a write into what it reads ===="
_ALWAYS = "; ==== in every call ===="
SUFFIXES = {
    "trace": "txt",
    "graph": "txt",
    "kernels": "txt",
    "llvm": "ll",
    "asm": "s",
    "call": "txt",
    "cuda": "py",
    "ptx": "ptx",
}


def _halves(compiled: Compiled, text_of: Callable[[Stages], str]) -> str:
    """Return the text of the stages of every call, after that of those that seldom run."""
    always = text_of(compiled.stages)
    once = compiled.stages.once
    if once is None:
        return always
    return f"{_ONCE}\n\n{text_of(once)}\n\n\n{_ALWAYS}\n\n{always}"


def _kernels(stages: Stages) -> str:
    """Return every kernel with its cost, its share of the arena and the barriers between them."""
    parts: list[str] = []
    for kernel, waits in zip(stages.kernels, stages.barriers, strict=True):
        if waits:
            parts.append(f"--- {_who(waits)} here ---")
        parts.append(kernel_text(kernel, stages.memory))
    return "\n\n".join(parts)


def _who(sizes: int) -> str:
    """Return who waits at a barrier of teams of these sizes."""
    free = [size for size in SIZES if not sizes >> size & 1]
    if not free:
        return "all threads wait"
    if len(free) == len(SIZES):
        return f"all threads wait, if they are more than {SIZES[-1]},"
    return f"all threads wait, unless they are {', '.join(map(str, free))},"


def kernel_text(kernel: Kernel, memory: MemoryPlan) -> str:
    """Return a kernel with its cost and its share of the arena."""
    arena = sum(
        buffer.size * buffer.dtype.size for buffer in kernel.writes if buffer.place == "arena"
    )
    head, *rest = str(kernel).splitlines()
    share = f", {size(arena)} of the arena's {size(memory.arena_bytes)}" if arena else ""
    return "\n".join([head, f"  # {cost_of(kernel)}{share}", *rest])


def _asm(stages: Stages, target: Target) -> str:
    """Return the assembly, each kernel under its loops and the user's lines."""
    printed = {f"{kernel.name}:": str(kernel) for kernel in stages.kernels}
    lines: list[str] = []
    for line in cpu.assembly(stages.llvm, target).splitlines():
        if line in printed:
            lines.extend(f"# {text}".rstrip() for text in printed[line].splitlines())
        lines.append(line)
    return "\n".join(lines)


def _cuda(compiled: Compiled) -> str:
    """Return the source of the CUDA kernels, and how a call would launch them."""
    return str(_cuda_program(compiled))


def _ptx(compiled: Compiled) -> str:
    """Return what numba-cuda makes of each kernel, under the kernel's source."""
    from .dump_on_gpu import ptx_text

    return ptx_text(_cuda_program(compiled))


def _cuda_program(compiled: Compiled) -> CudaProgram:
    """Return what a GPU would run, with the libraries that are installed here."""
    from jitnet.compiler.cuda import lower_cuda
    from jitnet.runtime.cuda import cublas

    library = switches.may_ask_library() and cublas.find() is not None
    return lower_cuda(compiled.graph, switches.may_round_products(), library).program


Table = Mapping[str, Callable[[Any, Routine], str]]  # a stage -> its text, of what was compiled

STAGES: Table = {
    "trace": lambda compiled, routine: str(compiled.graph),
    "graph": lambda compiled, routine: _halves(compiled, lambda each: str(each.optimized)),
    "kernels": lambda compiled, routine: _halves(compiled, _kernels),
    "llvm": lambda compiled, routine: _halves(compiled, lambda each: each.llvm),
    "asm": lambda compiled, routine: _halves(compiled, lambda each: _asm(each, compiled.target)),
    "call": lambda compiled, routine: str(routine),
    "cuda": lambda compiled, routine: _cuda(compiled),
    "ptx": lambda compiled, routine: _ptx(compiled),
}
_FOR_GPUS = ("cuda", "ptx")  # not among "all" of a program that runs on the CPU
_TITLES = {
    "trace": "trace: the ops that the function did",
    "graph": "graph: after simplification",
    "kernels": "kernels: the loops that the program runs, in order",
    "llvm": "llvm: the program as LLVM IR",
    "asm": "asm: the program as machine code",
    "call": "call: what a call looks at, and does",
    "cuda": "cuda: the kernels as Numba CUDA source",
    "ptx": "ptx: the kernels as numba-cuda compiles them",
}


def check_stage(stage: str) -> None:
    """Raise ValueError for a stage that there is not."""
    if stage != "all" and stage not in STAGES:
        raise ValueError(f"stage must be one of {', '.join(STAGES)} or all, got {stage!r}")


def _table(executable: Executable) -> Table:
    """Return the stages of a program, where it runs."""
    if executable.device is CPU:
        return STAGES
    from .dump_on_gpu import STAGES_ON_GPU

    return STAGES_ON_GPU


def _wanted(executable: Executable, stage: str) -> tuple[str, ...]:
    """Return the stages that a name means for a program; none if it has no such."""
    table = _table(executable)
    if stage != "all":
        return (stage,) if stage in table else ()
    return tuple(name for name in table if executable.device is not CPU or name not in _FOR_GPUS)


def pieces(function: CompiledFunction, stage: str) -> Iterator[tuple[str, str, str]]:
    """Yield (program, stage, text) for every program of a function: "1", "2", "2 backward"."""
    check_stage(stage)
    for number, variant in enumerate(function.variants, 1):
        names = (f"{number}", f"{number} backward")
        for name, launch in zip(names, variant.programs, strict=False):
            executable = launch.executable
            for each in _wanted(executable, stage):
                yield name, each, _table(executable)[each](executable.compiled, launch.routine)


def dump(function: CompiledFunction, stage: str) -> str:
    """Return one stage (or "all") of every variant of a function as text."""
    parts = [
        f"{_title(function, program, each)}\n\n{text}"
        for program, each, text in pieces(function, stage)
    ]
    if parts:
        return "\n\n\n".join(parts)
    if not function.variants:
        return f"{function.__qualname__}: not called yet, nothing compiled"
    there = function.variants[0].executable
    return (
        f"{function.__qualname__}: its programs have no stage {stage!r}; "
        f"on {there.device} there are {', '.join(_table(there))}"
    )


def _title(function: CompiledFunction, program: str, stage: str) -> str:
    number, _, backward = program.partition(" ")
    variant = function.variants[int(number) - 1]
    head = f"{function.__qualname__}, variant {number}{', backward' if backward else ''}"
    lines = [head, f"because: {variant.reason}", _TITLES[stage]]
    width = max(map(len, lines))
    return "\n".join(["=" * width, *lines, "=" * width])
