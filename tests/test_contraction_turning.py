"""Products that are computed transposed: which tiles they take, and what these ask for."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import llvmlite.binding as llvm
import numpy as np
import pytest

from jitnet.compiler.codegen.contraction import (
    Ask,
    Contraction,
    emit_contraction,
    plan,
    scratch_bytes,
)
from jitnet.compiler.codegen.emitter import F32, Function, Module, Value
from jitnet.compiler.codegen.microkernels import line_vectors
from jitnet.compiler.codegen.team import Team
from jitnet.runtime.dtype import float32
from jitnet.runtime.target import Target
from tests.contraction_harness import ARGUMENTS, HOST, check, engine_for, matrices, place_in


def turned(rows: int, columns: int, depth: int) -> tuple[Contraction, Target]:
    """Return a product with a matrix that lies along K, and a target whose cache it does not fit.

    Half of level 2 holds a block of the rows of the other operand, 512 steps long.
    """
    target = replace(HOST, cache_bytes=max(512 * 2 * rows * 4, columns * depth))
    c = matrices(float32, "NT", rows, columns, depth)
    assert plan(c, target).turned and plan(c, target).kind == "broad"
    return c, target


@pytest.mark.parametrize("rows", [32, 47, 48, 64, 79, 80, 95, 128])
def test_panels_are_near_equal(rows: int) -> None:
    """As broad as registers allow, and no thin one at the end; all tails are right."""
    c, target = turned(rows, 8 * rows + 205, 640)
    found = plan(c, target)
    most = line_vectors(target)
    assert 1 < found.vectors <= most
    panels = -(-found.lines.count // found.vectors)
    assert panels == -(-found.lines.count // most)
    check(c, target, asks=True)


def test_tiles_ask_for_what_their_block_touches() -> None:
    """Each vector of C in a whole block is asked for once, before its sums are turned back."""
    c, target = turned(64, 4 * plan(*turned(64, 640, 1030)).row_block, 1030)
    assert plan(c, target).k.count > 1
    asked = np.zeros((c.rows, c.columns), np.float32)
    module = Module(target)
    f = Function(module, "asking", ARGUMENTS, internal=False)
    a, b, out, scratch, thread, threads = f.args

    def find(f: Function, batch: Value, row: Value, column: Value, lanes: int) -> list[Value]:
        """Count the asking where what is asked for lies."""
        place = place_in(f, c, out, batch, row, column)
        f.store(f.fadd(f.load(place, F32, 4), f.const(F32, 1.0)), place, 4)
        return [place]

    emit_contraction(
        f, c, a, b, scratch, Team(thread, threads), lambda *_: None, ask=Ask(find, 1)
    )  # fmt: skip
    f.finish()
    engine, _ = engine_for(target)
    engine.add_module(llvm.parse_assembly(module.text()))
    engine.finalize_object()
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4, *[ctypes.c_int64] * 2)(
        engine.get_function_address("asking")
    )
    operands = [np.ones(count, np.float32) for count in (c.rows * c.depth, c.columns * c.depth)]
    space = np.zeros(scratch_bytes(c, target) + 64, np.uint8)
    aligned = space.ctypes.data + -space.ctypes.data % 64
    for number in range(2):
        run(*(each.ctypes.data for each in operands), asked.ctypes.data, aligned, number, 2)
    want = np.zeros_like(asked)
    want[:, :: plan(c, target).width] = 1
    np.testing.assert_array_equal(asked, want)
