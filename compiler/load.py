"""Compiled to Program: machine code into this process, with the micro-kernels that it calls."""

from __future__ import annotations

import re
from functools import lru_cache

from jitnet.compiler.pipeline import Compiled
from jitnet.runtime import cache, cpu
from jitnet.runtime.cpu import NativeModule
from jitnet.runtime.pool_ir import MAX_THREADS
from jitnet.runtime.program import Program
from jitnet.runtime.target import Target

_TILE = re.compile(r"^declare .*@(jitnet_(?!barrier)\w+)\(", re.MULTILINE)


@lru_cache(maxsize=None)
def _library(text: str, target: Target) -> NativeModule:
    """Return the micro-kernels in memory; one module for the life of the process."""
    object_code, _ = cache.compile_cached(text, target)
    return cpu.load(object_code, {})


def load(compiled: Compiled) -> Program:
    """Return the program ready to run, its constants bound to their slots."""
    wanted = sorted(set(_TILE.findall(compiled.llvm)))
    imports: dict[str, int] = {}
    if wanted:
        module = _library(compiled.library, compiled.target)
        imports = {name: module.address(name) for name in wanted}
    fresh = sum(1 for output in compiled.graph.outputs if output.into is None)
    first_constant = 1 + len(compiled.graph.inputs) + fresh
    program = Program(
        compiled.object_code,
        compiled.symbol,
        first_constant + len(compiled.constants),
        compiled.arena_bytes,
        compiled.scratch_bytes,
        imports,
        max_threads=1 if all(kernel.serial for kernel in compiled.kernels) else MAX_THREADS,
    )
    for number, array in enumerate(compiled.constants):
        program.bind_array(first_constant + number, array)
    return program
