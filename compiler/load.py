"""Compiled to Program: machine code into this process, with the micro-kernels that it calls."""

from __future__ import annotations

from functools import lru_cache

from jitnet.compiler.codegen.library import Part, library, parts, symbols
from jitnet.compiler.identity import key_of
from jitnet.compiler.pipeline import Compiled
from jitnet.runtime import cache, cpu
from jitnet.runtime.cpu import NativeModule
from jitnet.runtime.pool_ir import MAX_THREADS
from jitnet.runtime.program import Program
from jitnet.runtime.target import Target


@lru_cache(maxsize=None)
def _parts(target: Target) -> dict[str, Part]:
    """Return the part of the library that each micro-kernel is in."""
    return {name: part for part in parts(target) for name in symbols(part, target)}


@lru_cache(maxsize=None)
def _loaded(part: Part, target: Target) -> NativeModule:
    """Return a part of the library in memory, for the life of the process."""

    def compile_part() -> bytes:
        return cpu.compile_object(library([part], target), target)

    object_code, _ = cache.keep(key_of("library", str(part), target), compile_part)
    return cpu.load(object_code, {})


def load(compiled: Compiled) -> Program:
    """Return the program ready to run, its constants bound to their slots."""
    binary, target = compiled.binary, compiled.target
    imports = {name: _loaded(_parts(target)[name], target).address(name) for name in binary.imports}
    fresh = sum(1 for output in compiled.graph.outputs if output.into is None)
    first_constant = 1 + len(compiled.graph.inputs) + fresh
    program = Program(
        binary.object_code,
        binary.symbol,
        first_constant + len(binary.constants),
        binary.arena_bytes,
        binary.scratch_bytes,
        imports,
        max_threads=1 if binary.serial else MAX_THREADS,
    )
    for number, array in enumerate(binary.constants):
        program.bind_array(first_constant + number, array)
    return program
