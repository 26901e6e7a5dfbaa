"""Shows what a compiled function became, stage by stage: `fn.dump(stage)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from jitnet.compiler.compiled import Compiled
from jitnet.compiler.pipeline import Stages
from jitnet.runtime import cpu
from jitnet.runtime.routine import Routine
from jitnet.runtime.target import Target

from . import switches
from .costs import cost_of, size
from .native import Native

if TYPE_CHECKING:
    from .compile import CompiledFunction

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
            parts.append("--- all threads wait here ---")
        arena = sum(
            buffer.size * buffer.dtype.size for buffer in kernel.writes if buffer.place == "arena"
        )
        head, *rest = str(kernel).splitlines()
        share = f", {size(arena)} of the arena's {size(stages.memory.arena_bytes)}" if arena else ""
        parts.append("\n".join([head, f"  # {cost_of(kernel)}{share}", *rest]))
    return "\n\n".join(parts)


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
    from jitnet.compiler.cuda import lower_cuda

    return str(lower_cuda(compiled.graph, switches.may_round_products()).program)


def _ptx(compiled: Compiled) -> str:
    """Return what numba-cuda makes of each kernel, under the kernel's source."""
    from jitnet.compiler.cuda import lower_cuda
    from jitnet.runtime.cuda import compile_ptx

    program = lower_cuda(compiled.graph, switches.may_round_products()).program
    functions = {function.name: function.elements for function in program.functions}
    texts = compile_ptx(program.source, functions)
    parts = [
        "\n".join([*(f"// {line}".rstrip() for line in function.text.splitlines()), texts[name]])
        for name, function in zip(texts, program.functions, strict=True)
    ]
    return "\n\n".join(parts)


STAGES: dict[str, Callable[[Compiled, Routine], str]] = {
    "trace": lambda compiled, routine: str(compiled.graph),
    "graph": lambda compiled, routine: _halves(compiled, lambda each: str(each.optimized)),
    "kernels": lambda compiled, routine: _halves(compiled, _kernels),
    "llvm": lambda compiled, routine: _halves(compiled, lambda each: each.llvm),
    "asm": lambda compiled, routine: _halves(compiled, lambda each: _asm(each, compiled.target)),
    "call": lambda compiled, routine: str(routine),
    "cuda": lambda compiled, routine: _cuda(compiled),
    "ptx": lambda compiled, routine: _ptx(compiled),
}
_FOR_GPUS = ("cuda", "ptx")  # not among "all": programs run on the CPU
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


def check_stage(stage: str) -> tuple[str, ...]:
    """Return the stages that a name asks for; ValueError for one that there is not."""
    if stage == "all":
        return tuple(name for name in STAGES if name not in _FOR_GPUS)
    if stage not in STAGES:
        raise ValueError(f"stage must be one of {', '.join(STAGES)} or all, got {stage!r}")
    return (stage,)


def pieces(function: CompiledFunction, stage: str) -> Iterator[tuple[str, str, str]]:
    """Yield (program, stage, text) for every program of a function: "1", "2", "2 backward"."""
    stages = check_stage(stage)
    for number, variant in enumerate(function.variants, 1):
        names = (f"{number}", f"{number} backward")
        for name, launch in zip(names, variant.programs, strict=False):
            if isinstance(launch.executable, Native):
                for each in stages:
                    yield name, each, STAGES[each](launch.executable.compiled, launch.routine)


def dump(function: CompiledFunction, stage: str) -> str:
    """Return one stage (or "all") of every variant of a function as text."""
    parts = [
        f"{_title(function, program, each)}\n\n{text}"
        for program, each, text in pieces(function, stage)
    ]
    if not parts:
        return f"{function.__qualname__}: not called yet, nothing compiled"
    return "\n\n\n".join(parts)


def _title(function: CompiledFunction, program: str, stage: str) -> str:
    number, _, backward = program.partition(" ")
    variant = function.variants[int(number) - 1]
    head = f"{function.__qualname__}, variant {number}{', backward' if backward else ''}"
    lines = [head, f"because: {variant.reason}", _TITLES[stage]]
    width = max(map(len, lines))
    return "\n".join(["=" * width, *lines, "=" * width])
