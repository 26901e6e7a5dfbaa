"""Compiled to Programs: machine code into this process, with the micro-kernels that it calls."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from jitnet.compiler.binary import Binary
from jitnet.compiler.compiled import Compiled
from jitnet.compiler.identity import key_of
from jitnet.compiler.ir.host import HostCall, host_symbol
from jitnet.compiler.ops import HOST_OPS
from jitnet.runtime import cache, cpu
from jitnet.runtime.cpu import NativeModule
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.host import HostFunction, Place
from jitnet.runtime.memory import aligned_empty
from jitnet.runtime.pool_layout import MAX_THREADS
from jitnet.runtime.program import Program
from jitnet.runtime.target import Target


@lru_cache(maxsize=None)
def _modules(target: Target) -> dict[str, NativeModule]:
    """Return the modules of the micro-kernels that this process has loaded, by their symbols."""
    return {}


def _micro_kernels(names: Iterable[str], target: Target) -> dict[str, int]:
    """Return where micro-kernels lie; those that are not loaded are, those of a kind together."""
    modules = _modules(target)
    missing: dict[str, list[str]] = {}
    for name in sorted(names):
        if name not in modules:
            missing.setdefault(_kind(name), []).append(name)
    for together in missing.values():
        modules |= dict.fromkeys(together, _loaded(together, target))
    return {name: modules[name].address(name) for name in names}


def _kind(name: str) -> str:
    """Return what the symbols of tiles that differ in their rows share."""
    return re.sub(r"\d+x", "x", name)


def _loaded(names: list[str], target: Target) -> NativeModule:
    def compile_kernels() -> bytes:
        from jitnet.compiler.codegen.library import library

        return cpu.compile_object(library(names, target), target)

    object_code, _ = cache.keep(key_of("library", " ".join(names), target), compile_kernels)
    return cpu.load(object_code, {})


@dataclass(frozen=True)
class Loaded:
    """The program of every call, and the one that makes what it keeps from call to call, if any.

    An input has the same slot in both.
    """

    always: Program
    once: Program | None = None


def load(compiled: Compiled) -> Loaded:
    """Return the programs ready to run: constants, and what is kept, are bound to their slots."""
    binary, target = compiled.binary, compiled.target
    inputs = len(compiled.graph.inputs)
    fresh = sum(1 for output in compiled.graph.outputs if output.into is None)
    if binary.once is None:
        return Loaded(_program(binary, inputs + fresh, target))
    kept = [aligned_empty((size,), np.dtype(np.uint8)) for size in binary.once.kept]
    always = _program(binary, inputs + len(kept) + fresh, target)
    once = _program(binary.once.binary, inputs + len(kept), target)
    for number, memory in enumerate(kept, start=1 + inputs):
        always.bind_array(number, memory)
        once.bind_array(number, memory)
    return Loaded(always, once)


def _host_function(call: HostCall) -> HostFunction:
    """Return what computes a call; the op is looked up in the table of those that the host has."""
    op, params = HOST_OPS[call.op], dict(call.params)
    blocks = [Place(b.dtype.numpy, b.shape, b.strides) for b in (*call.args, call.result)]
    return HostFunction(lambda *arrays: op.eval(*arrays, **params), blocks)


def _program(binary: Binary, given: int, target: Target) -> Program:
    """Return the program of a binary that is given so many inputs and outputs."""
    imports = _micro_kernels(binary.imports, target)
    hosts = {
        host_symbol(number, call): _host_function(call)
        for number, call in enumerate(binary.host_calls)
    }
    imports |= {name: function.address for name, function in hosts.items()}
    program = Program(
        binary.object_code,
        binary.symbol,
        1 + given + len(binary.constants),
        binary.arena_bytes,
        binary.scratch_bytes,
        imports,
        max_threads=1 if binary.serial else MAX_THREADS,
        keeps=tuple(hosts.values()),
    )
    for number, array in enumerate(binary.constants, start=1 + given):
        program.bind_array(number, array)
    return program
