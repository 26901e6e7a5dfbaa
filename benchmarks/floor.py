"""What the machine can do at most: two short probes, written in LLVM IR and run by our runtime.

The arithmetic probe keeps 12 independent chains of multiply-adds in vector registers. The memory
probe is a triad, c = a + s b, past the cache (non-temporal) on arrays that no cache holds. The best
of many short runs counts, so that a floor is a floor even on a busy machine.
"""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.workloads import Workload
from jitnet.runtime import cpu
from jitnet.runtime.memory import aligned_empty
from jitnet.runtime.target import Target

HOW = "12 chains of vector multiply-adds; triad past the cache; LLVM IR through jitnet's runtime"
CHAINS = 12
STEPS = 500_000  # of the arithmetic probe
FLOATS = 1 << 23  # of each array of the memory probe, 32 MiB
TRIES = 100


@dataclass(frozen=True)
class Machine:
    """The limits of so many threads of this processor."""

    processor: str
    threads: int
    flops: float  # float32, a second; infinite where products are not bounded
    bandwidth: float  # bytes a second
    how: str = HOW  # it was found out

    def __str__(self) -> str:
        flops = f"{self.flops / 1e9:.0f} GFLOP/s, " if math.isfinite(self.flops) else ""
        threads = f", {self.threads} threads" if flops else ""
        rates = f"{flops}{self.bandwidth / 1e9:.0f} GB/s"
        return f"{self.processor}{threads}: {rates} ({self.how})"

    def floor_ms(self, workload: Workload) -> float:
        """Return the milliseconds that one step takes at least; 0 where nothing is known."""
        return 1e3 * max(workload.flops / self.flops, workload.bytes / self.bandwidth)


def measure(threads: int) -> Machine:
    """Return what `threads` threads reach together."""
    target = cpu.host_target()
    lanes = target.lanes(4)
    module = cpu.load(cpu.compile_object(_text(target, lanes), target), {})
    arithmetic = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64, ctypes.c_float)(
        module.address("multiply_add")
    )
    triad = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, ctypes.c_int64)(module.address("triad"))
    arrays = [[_touched(FLOATS) for _ in range(3)] for _ in range(threads)]
    pointers = [[array.ctypes.data for array in group] for group in arrays]
    compute = _best(threads, lambda thread: arithmetic(STEPS, 1e-9))
    stream = _best(threads, lambda thread: triad(*pointers[thread], FLOATS))
    return Machine(
        processor=f"{target.cpu}, {target.vector_bytes}-byte vectors",
        threads=threads,
        flops=2 * CHAINS * lanes * STEPS * threads / compute,
        bandwidth=3 * 4 * FLOATS * threads / stream,
    )


def _touched(size: int) -> np.ndarray:
    array = aligned_empty((size,), np.dtype(np.float32))
    array.fill(1)
    return array


def _best(threads: int, work: Callable[[int], object]) -> float:
    """Return the seconds of the fastest of several runs on all threads together."""
    gate = threading.Barrier(threads)
    spans: list[list[tuple[float, float]]] = [[] for _ in range(threads)]

    def run(thread: int) -> None:
        for _ in range(TRIES):
            gate.wait()
            start = time.perf_counter()
            work(thread)
            spans[thread].append((start, time.perf_counter()))

    workers = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tries = zip(*spans, strict=True)
    return min(max(end for _, end in each) - min(start for start, _ in each) for each in tries)


def _text(target: Target, lanes: int) -> str:
    vector = f"<{lanes} x float>"
    splat = f"{vector} zeroinitializer"
    phis, updates, sums = [], [], []
    for chain in range(CHAINS):
        phis.append(f"  %a{chain} = phi {vector} [ %v, %entry ], [ %b{chain}, %loop ]")
        updates.append(_multiply_add(target, vector, chain))
    previous = "%b0"
    for chain in range(1, CHAINS):
        sums.append(f"  %s{chain} = fadd {vector} {previous}, %b{chain}")
        previous = f"%s{chain}"
    newline = "\n"
    return f"""
target triple = "{target.triple}"
declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})

define float @multiply_add(i64 %steps, float %x) {{
entry:
  %one = insertelement {splat}, float %x, i32 0
  %v = shufflevector {vector} %one, {splat}, <{lanes} x i32> zeroinitializer
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{newline.join(phis)}
{newline.join(updates)}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %steps
  br i1 %more, label %loop, label %done
done:
{newline.join(sums)}
  %sum = extractelement {vector} {previous}, i32 0
  ret float %sum
}}

define void @triad(ptr noalias %a, ptr noalias %b, ptr noalias %c, i64 %count) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %pa = getelementptr float, ptr %a, i64 %i
  %pb = getelementptr float, ptr %b, i64 %i
  %pc = getelementptr float, ptr %c, i64 %i
  %va = load {vector}, ptr %pa, align {4 * lanes}
  %vb = load {vector}, ptr %pb, align {4 * lanes}
  %twice = fadd {vector} %vb, %vb
  %sum = fadd {vector} %va, %twice
  store {vector} %sum, ptr %pc, align {4 * lanes}, !nontemporal !0
  %next = add i64 %i, {lanes}
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %done
done:
  ret void
}}

!0 = !{{i32 1}}
"""


def _multiply_add(target: Target, vector: str, chain: int) -> str:
    lanes = target.lanes(4)
    if target.has_fma:
        arguments = f"{vector} %v, {vector} %v, {vector} %a{chain}"
        return f"  %b{chain} = call {vector} @llvm.fma.v{lanes}f32({arguments})"
    return f"  %p{chain} = fmul {vector} %a{chain}, %v\n  %b{chain} = fadd {vector} %p{chain}, %v"
