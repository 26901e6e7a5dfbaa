"""Contractions as functions of the operands' memory, and float64 to compare them with."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from functools import cache

import llvmlite.binding as llvm
import numpy as np

from jitnet.compiler.codegen.contraction import (
    Ask,
    Contraction,
    Operand,
    emit_contraction,
    scratch_bytes,
)
from jitnet.compiler.codegen.contraction_form import Sizes
from jitnet.compiler.codegen.emitter import I64, PTR, Function, Module, Value, vector
from jitnet.compiler.codegen.library import library, micro_kernels
from jitnet.compiler.codegen.team import Team
from jitnet.runtime.dtype import DType
from jitnet.runtime.target import Target

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()


def host() -> Target:
    """Return this processor, with the widest registers that it has."""
    features = llvm.get_host_cpu_features()
    wide = features.get("avx512f", False)
    size = 64 if wide else 32 if features.get("avx2") else 16
    name, triple = llvm.get_host_cpu_name(), llvm.get_process_triple()
    x86 = "86" in triple
    fma = features.get("fma", False) or not x86
    registers = 32 if wide or not x86 else 16
    return Target(name, features.flatten(), triple, size, registers, 1 << 19, fma)


HOST = host()


NARROW = replace(HOST, vector_bytes=max(16, HOST.vector_bytes // 2), vector_registers=16)


SMALL_CACHE = replace(HOST, cache_bytes=1 << 13)


SHORT = replace(HOST, vector_bytes=16, vector_registers=16)  # no masks


TARGETS = {"host": HOST, "narrow": NARROW, "short": SHORT, "small cache": SMALL_CACHE}


@cache
def engine_for(target: Target) -> tuple[llvm.ExecutionEngine, llvm.TargetMachine]:
    """Return an engine that has the tile library of a target."""
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=1, jit=True
    )
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(library(micro_kernels(target), target)), machine
    )
    return engine, machine


@dataclass(frozen=True)
class Run:
    """A compiled contraction: call it with the operands' memory."""

    c: Contraction
    target: Target
    address: int
    scratch: int

    def __call__(self, a: np.ndarray, b: np.ndarray, threads: int = 1) -> np.ndarray:
        """Return C; the threads of the team take their turns."""
        c = self.c
        out = np.full((c.batches, c.rows, c.columns), np.nan, c.dtype.numpy)
        guard = 64
        need = self.scratch
        scratch = np.full(need + 2 * guard + 64, 0xA5, np.uint8)
        start = guard + -(scratch.ctypes.data + guard) % 64
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_int64)
        for thread in range(threads):
            kind(self.address)(
                a.ctypes.data, b.ctypes.data, out.ctypes.data,
                scratch.ctypes.data + start, thread, threads,
            )  # fmt: skip
        assert (scratch[:start] == 0xA5).all(), "wrote before its scratch"
        assert (scratch[start + need :] == 0xA5).all(), "wrote beyond its scratch"
        return out


COUNT = iter(range(1 << 30))


POINTERS = [("a", PTR), ("b", PTR), ("out", PTR), ("scratch", PTR)]


ARGUMENTS = [*POINTERS, ("thread", I64), ("threads", I64)]


def build(
    c: Contraction,
    target: Target = HOST,
    doubled: bool = False,
    streams: bool = False,
    is_short: bool = False,
    asks: bool = False,
) -> Run:
    """Compile a contraction whose epilogue stores C row-major; `doubled` packs 2 * B, row-major.

    asks: whether memory of C is asked for ahead.
    """
    module = Module(target)
    name = f"contraction{next(COUNT)}"
    f = Function(module, name, ARGUMENTS, internal=False)
    a, b, out, scratch, thread, threads = f.args
    element, size = c.dtype.llvm, c.dtype.size

    def store(
        f: Function, batch: Value, row: Value, column: Value, lanes: int, sums: Value
    ) -> None:
        assert sums.lanes == lanes
        f.store(sums, place_in(f, c, out, batch, row, column), size)

    def twice(f: Function, batch: Value, k: Value, column: Value, lanes: int) -> Value:
        line = f.add(f.mul(batch, f.i64(c.depth)), k)
        at = f.gep(b, f.add(f.mul(line, f.i64(c.columns)), column), element)
        value = f.load(at, vector(element, lanes), size)
        return f.fadd(value, value)

    hook = twice if doubled else None
    ask = results_of(c, out) if asks else None
    team = Team(thread, threads)
    emit_contraction(f, c, a, b, scratch, team, store, hook, streams, ask, is_short)
    f.finish()
    engine, _ = engine_for(replace(target, cache_bytes=0))  # on which no kernel depends
    parsed = llvm.parse_assembly(module.text())
    parsed.verify()
    engine.add_module(parsed)
    engine.finalize_object()
    scratch_size = scratch_bytes(c, target, doubled, streams)
    return Run(c, target, engine.get_function_address(name), scratch_size)


def place_in(
    f: Function, c: Contraction, out: Value, batch: Value, row: Value, column: Value
) -> Value:
    """Write the address of an element of C, row-major."""
    line = f.add(f.mul(batch, f.i64(c.rows)), row)
    return f.gep(out, f.add(f.mul(line, f.i64(c.columns)), column), c.dtype.llvm)


def results_of(c: Contraction, out: Value) -> Ask:
    """Return that the epilogue touches C alone: both halves of a vector, as if in two places."""

    def find(f: Function, batch: Value, row: Value, column: Value, lanes: int) -> list[Value]:
        place = place_in(f, c, out, batch, row, column)
        return [place, f.gep(place, f.i64(lanes // 2), c.dtype.llvm)]

    return Ask(find, 2)


def matrices(dtype: DType, layout: str, m: int, n: int, k: int, batch: int = 1) -> Contraction:
    """Return a batched matrix product; layout NT has B stored [n, k], and so on."""
    a = (k, 1) if layout[0] == "N" else (1, m)
    b = (n, 1) if layout[1] == "N" else (1, k)
    return Contraction(
        dtype, (batch,), (m,), (n,), (k,),
        Operand(0, (m * k,), a[:1], a[1:]),
        Operand(0, (n * k,), b[1:], b[:1]),
    )  # fmt: skip


def view(flat: np.ndarray, offset: int, sizes: Sizes, strides: Sizes) -> np.ndarray:
    """Return an affine view of flat memory."""
    steps = tuple(stride * flat.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(flat[offset:], sizes, steps)


def expected(c: Contraction, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return C in float64."""
    va = view(a.astype("f8"), c.a.offset, (*c.batch, *c.m, *c.k), (*c.a.batch, *c.a.free, *c.a.k))
    vb = view(b.astype("f8"), c.b.offset, (*c.batch, *c.n, *c.k), (*c.b.batch, *c.b.free, *c.b.k))
    va = va.reshape(c.batches, c.rows, c.depth)
    vb = vb.reshape(c.batches, c.columns, c.depth)
    return np.matmul(va, vb.transpose(0, 2, 1))


def memory(c: Contraction, operand: Operand, free: Sizes, seed: int) -> np.ndarray:
    """Return random memory, exactly as long as an operand's reads reach."""
    last = operand.offset
    for sizes, strides in ((c.batch, operand.batch), (free, operand.free), (c.k, operand.k)):
        for size, stride in zip(sizes, strides, strict=True):
            last += max(0, (size - 1) * stride)
    return np.random.default_rng(seed).standard_normal(last + 1).astype(c.dtype.numpy)


def check(
    c: Contraction,
    target: Target = HOST,
    threads: tuple[int, ...] = (1, 2, 3),
    streams: bool = False,
    asks: bool = False,
) -> None:
    """Compare a contraction with float64, and its bits among thread counts."""
    run = build(c, target, streams=streams, asks=asks)
    a, b = memory(c, c.a, c.m, 1), memory(c, c.b, c.n, 2)
    want = expected(c, a, b)
    got = [run(a, b, count) for count in threads]
    bound = expected(c, np.abs(a), np.abs(b)) * (np.finfo(c.dtype.numpy).eps * 4 + 1e-30)
    bound *= max(1.0, c.depth**0.5)
    assert (np.abs(got[0] - want) <= bound).all(), (c, np.abs(got[0] - want).max())
    for other in got[1:]:
        np.testing.assert_array_equal(got[0], other)
