"""What tiles do ahead, as stand-ins for the kernels are told: copy A, or ask for results."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product

import llvmlite.binding as llvm
import numpy as np
import pytest

from jitnet.compiler.codegen.contraction import emit_contraction, scratch_bytes
from jitnet.compiler.codegen.contraction_choice import plan
from jitnet.compiler.codegen.contraction_form import Contraction
from jitnet.compiler.codegen.contraction_plan import Plan
from jitnet.compiler.codegen.emitter import Function, Module
from jitnet.compiler.codegen.microkernels import (
    COPYING_ARGUMENTS,
    LISTED_ARGUMENTS,
)
from jitnet.compiler.codegen.team import Team
from jitnet.compiler.codegen.tiles_ahead import AHEAD_EVERY, AHEAD_LINES, CACHE_LINE
from jitnet.runtime.dtype import DType, float32, float64
from jitnet.runtime.target import Target
from tests.contraction_harness import ARGUMENTS, HOST, check, matrices, results_of

COPYING = [name for name, _ in COPYING_ARGUMENTS]
LISTED = [name for name, _ in LISTED_ARGUMENTS]
WIDTH = AHEAD_LINES * CACHE_LINE  # bytes of each step that tiles copy
CACHE = replace(HOST, cache_bytes=3 << 18)  # of which half a block of A takes a quarter


def far(dtype: DType, rows: int = 480, depth: int = 1024) -> tuple[Contraction, Plan]:
    """Return a weight's gradient, whose first operand no cache holds, and its plan."""
    c = matrices(dtype, "TN", rows, 128, depth * 4 // dtype.size)
    found = plan(c, CACHE)
    assert found.copies_a and found.packs_a
    return c, found


@dataclass
class Copied:
    """A tile that copies, and notes of which block it read and what it copied."""

    a: np.ndarray  # steps along K, each with all rows
    read: list[tuple[int, int]] = field(default_factory=list)
    copied: list[tuple[int, int, int]] = field(default_factory=list)  # tile, row, step

    def __call__(self, *arguments: int) -> None:
        """Do what a copying tile does, but for its products."""
        told = dict(zip(COPYING, arguments, strict=True))
        self.read.append(self._place_of(told["a"], told["a_step"], told["run"]))
        parts = -(-told["run"] // told["every"])
        assert parts * told["each"] >= told["ahead_count"]
        for number in range(told["ahead_count"]):
            source = told["ahead"] + number * told["ahead_step"]
            step, left = divmod(source - self.a.ctypes.data, self.a.strides[0])
            assert left + WIDTH <= self.a.strides[0] and step < len(self.a), "beyond the matrix"
            ctypes.memmove(told["to"] + number * told["to_step"], source, WIDTH)
            self.copied.append((len(self.read) - 1, left // self.a.itemsize, step))

    def _place_of(self, address: int, step: int, run: int) -> tuple[int, int]:
        """Return the row and the step at which packed rows begin, found by their first element."""
        kind = np.ctypeslib.as_ctypes_type(self.a.dtype)
        packed = np.ctypeslib.as_array((kind * (step * (run - 1) + 1)).from_address(address))
        number = int(packed[0]) - 1
        k, row = divmod(number, self.a.shape[1])
        np.testing.assert_array_equal(packed[::step], self.a[k : k + run, row])
        return row, k


def run_with(
    c: Contraction, target: Target, tile: Callable[..., None], a: np.ndarray, out: np.ndarray
) -> None:
    """Run a contraction on one thread, with `tile` in place of every tile kernel."""
    b = np.zeros(c.depth * c.columns, c.dtype.numpy)
    scratch = np.zeros(scratch_bytes(c, target) + CACHE_LINE, np.uint8)
    aligned = scratch.ctypes.data + -scratch.ctypes.data % CACHE_LINE
    kind = plan(c, target).foresees
    arguments = len(COPYING if kind == "block" else LISTED)
    run = with_tiles(c, target, tile, arguments)
    run(a.ctypes.data, b.ctypes.data, out.ctypes.data, aligned, 0, 1)


def with_tiles(
    c: Contraction, target: Target, tile: Callable[..., None], arguments: int
) -> Callable[..., None]:
    """Return a compiled contraction that calls `tile` in place of every tile kernel."""
    module = Module(target)
    f = Function(module, "ahead", ARGUMENTS, internal=False)
    a, b, out, scratch, thread, threads = f.args
    team, ask = Team(thread, threads), results_of(c, out)
    emit_contraction(f, c, a, b, scratch, team, lambda *_: None, ask=ask)
    f.finish()
    parsed = llvm.parse_assembly(module.text())
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=1, jit=True
    )
    stand_in = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments)(tile)
    address = ctypes.cast(stand_in, ctypes.c_void_p).value
    kernels = [each for each in parsed.functions if each.is_declaration]
    engine = llvm.create_mcjit_compiler(parsed, machine)
    for kernel in kernels:
        if not kernel.name.startswith("llvm."):
            engine.add_global_mapping(kernel, address)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(ARGUMENTS))
    run = kind(engine.get_function_address("ahead"))

    def call(*arguments: int) -> None:
        assert engine and stand_in  # which must live as long
        run(*arguments)

    return call


@pytest.mark.parametrize("depth", [1024, 1030])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_tiles_copy_the_next_block(dtype: DType, depth: int) -> None:
    """Of a whole block, each step is copied once; its tiles read what the ones before copied."""
    c, found = far(dtype, 480, depth)
    a = (np.arange(c.depth * c.rows, dtype=dtype.numpy) + 1).reshape(c.depth, c.rows)
    tile = Copied(a)
    run_with(c, CACHE, tile, a, np.zeros(c.rows * c.columns, dtype.numpy))
    order = list(product(range(0, c.rows, found.row_block), range(0, c.depth, found.k.longest)))
    count = len(tile.read) // len(order)
    assert len(order) > 4 and len(tile.read) == count * len(order)
    for number, (row, k) in enumerate(order[1:]):
        steps = min(found.k.longest, c.depth - k)
        in_block = range(number * count, (number + 1) * count)
        copied = [what for teller, *what in tile.copied if teller in in_block]
        assert copied == [[row, k + step] for step in range(steps)]
        begins = [tile.read[(number + 1) * count + each] for each in range(count)]
        assert {at for _, at in begins} == {k}
        assert {at for at, _ in begins} == set(range(row, row + found.row_block, found.rows))


@pytest.mark.parametrize("rows", [480, 1003])
@pytest.mark.parametrize("depth", [1024, 1030])
def test_products_whose_tiles_copy(rows: int, depth: int) -> None:
    """Right for any remainder, the same bits for any number of threads; shares begin at lines."""
    c, found = far(float32, rows, depth)
    assert found.row_unit * 4 == CACHE_LINE
    check(c, CACHE)


def test_batches_whose_tiles_copy() -> None:
    """The same rows of another matrix are others."""
    c = matrices(float32, "TN", 480, 128, 1024, batch=2)
    assert plan(c, CACHE).copies_a
    check(c, CACHE)


def test_what_is_near_is_not_asked_for() -> None:
    """Where level 2 holds A, or rows of it are one piece, tiles ask for no block of it."""
    assert plan(matrices(float32, "TN", 128, 128, 512), CACHE).foresees == ""
    assert plan(matrices(float32, "NN", 480, 128, 1024), CACHE).foresees == ""


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_results_are_asked_for_while_their_sums_are_made(dtype: DType) -> None:
    """The last call for each tile lists the lines of its results; together, all of C, once."""
    c = matrices(dtype, "NN", 30, 96, 1040)
    k, calls = plan(c, HOST).k, list[dict[str, int]]()
    out = np.zeros(c.rows * c.columns + CACHE_LINE, dtype.numpy)
    out = out[-out.ctypes.data % CACHE_LINE // dtype.size :][: c.rows * c.columns]
    asked: list[int] = []

    def tile(*arguments: int) -> None:
        told = dict(zip(LISTED, arguments, strict=True))
        calls.append(told)
        parts = told["tap_count"] * -(-told["run"] // AHEAD_EVERY)
        listed = (ctypes.c_int64 * (told["ahead_last"] + 1)).from_address(told["ahead"])
        assert parts * told["ahead_count"] >= len(listed) or not told["ahead_count"]
        asked.extend(listed if told["ahead_count"] else [])

    run_with(c, HOST, tile, np.zeros(c.rows * c.depth, dtype.numpy), out)
    assert k.count > 1 and len(calls) % k.count == 0
    assert sum(told["ahead_count"] > 0 for told in calls) * k.count == len(calls)
    first = out.ctypes.data
    assert sorted(asked) == list(range(first, first + out.nbytes, HOST.vector_bytes // 2))


@pytest.mark.parametrize(
    ("rows", "columns", "depth"), [(33, 80, 128), (12, 96, 1040), (5, 32, 135)]
)
def test_products_that_ask_for_results(rows: int, columns: int, depth: int) -> None:
    """Right for whole tiles and others, one block of K and several."""
    for layout in ("NN", "TN", "NT"):
        c = matrices(float32, layout, rows, columns, depth, batch=2)
        check(c, asks=True)
