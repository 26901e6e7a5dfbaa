"""The tile kernels' machine code: nothing spilled, for registers of every size."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace

import llvmlite.binding as llvm
import pytest

from jitnet.compiler.codegen.contraction import (
    Contraction,
    Operand,
    emit_contraction,
)
from jitnet.compiler.codegen.contraction_rows import next_rows, possible_rows, whole_first
from jitnet.compiler.codegen.emitter import I64, PTR, Function, Module, Value
from jitnet.compiler.codegen.library import library, micro_kernels
from jitnet.compiler.codegen.microkernels import tile_rows
from jitnet.compiler.codegen.team import Team
from jitnet.runtime.dtype import float32
from jitnet.runtime.target import Target

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

TRIPLE = "x86_64-unknown-linux-gnu"
TARGETS = {
    "sse": Target("x86-64", "", TRIPLE, 16, 16, has_fma=False),
    "avx2": Target("haswell", "", TRIPLE, 32, 16),
    "avx512": Target("skylake-avx512", "", TRIPLE, 64, 32),
    "zen5": Target("znver5", "", TRIPLE, 64, 32),
}


def assembly_of(text: str, target: Target) -> str:
    """Return a module's assembly."""
    try:
        found = llvm.Target.from_triple(target.triple)
    except RuntimeError:
        pytest.skip(f"this LLVM writes no code for {target.triple}")
    machine = found.create_target_machine(cpu=target.cpu, features=target.features, opt=1, jit=True)
    return machine.emit_assembly(llvm.parse_assembly(text))


def functions(target: Target) -> dict[str, list[str]]:
    """Return the lines of assembly of each function in a target's library."""
    assembly = assembly_of(library(micro_kernels(target), target), target)
    result: dict[str, list[str]] = {}
    for part in re.split(r"^(?=jitnet_\w+:)", assembly, flags=re.M)[1:]:
        name, _, body = part.partition(":")
        result[name] = body.split(".Lfunc_end")[0].splitlines()
    return result


def innermost_loops(lines: list[str]) -> list[list[str]]:
    """Return the blocks that jump back to their own beginning."""
    loops = []
    for at, line in enumerate(lines):
        label = line.partition(":")[0]
        if not line.startswith(".LBB"):
            continue
        for end in range(at + 1, len(lines)):
            if lines[end].startswith(".LBB"):
                break
            if re.search(rf"\bj\w+\s+{re.escape(label)}$", lines[end]):
                loops.append(lines[at:end])
    return loops


@pytest.mark.parametrize("name", TARGETS)
def test_no_tile_kernel_spills(name: str) -> None:
    """No vector goes to the stack or comes from it; the loop along K writes nothing there."""
    target = TARGETS[name]
    code = functions(target)
    assert sorted(code) == sorted(micro_kernels(target))
    for symbol, lines in code.items():
        if "squares" in symbol:
            continue  # masks share the registers with the square below 512 bits
        stack = re.compile(r"[xyz]mm\d.*\(%rsp\)|\(%rsp\).*[xyz]mm")
        spilled = [line for line in lines if stack.search(line)]
        assert not spilled, (symbol, spilled)
        loops = innermost_loops(lines)
        assert any(re.search(r"fmadd|mulp", line) for loop in loops for line in loop), symbol
        for loop in loops:
            written = [line for line in loop if re.search(r"%\w+, -?\d*\(%rsp\)$", line)]
            assert not written, (symbol, written)


@pytest.mark.parametrize(
    ("depth", "a_strides"),
    [(64, (64, 1)), (64, (1, 120)), (1100, (1100, 1))],
    ids=["rows", "columns", "packing"],
)
@pytest.mark.parametrize("name", TARGETS)
def test_no_tile_in_a_kernel_spills(name: str, depth: int, a_strides: tuple[int, int]) -> None:
    """Where sums are finished in registers, no vector of theirs and no pointer goes to memory.

    Not even where a tile packs rows of the next panel, between its multiply-adds.
    """
    target = TARGETS[name]
    module = Module(target)
    names = [
        ("a", PTR),
        ("b", PTR),
        ("c", PTR),
        ("scratch", PTR),
        ("thread", I64),
        ("threads", I64),
    ]
    f = Function(module, "product", names, internal=False)
    a, b, to, scratch, thread, threads = f.args
    first, k = a_strides
    c = Contraction(
        float32, (), (120,), (256,), (depth,),
        Operand(0, (), (first,), (k,)), Operand(0, (), (1,), (1024,)),
    )  # fmt: skip

    def update(f: Function, _: Value, row: Value, column: Value, lanes: int, sums: Value) -> None:
        place = f.gep(to, f.add(f.mul(row, f.i64(256)), column), "float")
        f.store(f.fsub(f.load(place, sums.type, 4), sums), place, 4)

    emit_contraction(f, c, a, b, scratch, Team(thread, threads), update, is_short=True)
    f.finish()
    lines = assembly_of(module.text(), target).splitlines()
    products = [
        loop for loop in innermost_loops(lines) if any(re.search(r"fmadd|mulp", x) for x in loop)
    ]
    assert products
    assert not [line for loop in products for line in loop if "(%rsp)" in line]


def test_tiles_fill_the_registers() -> None:
    """Sums, vectors of B and one element of A fit, and one more row would not (or its pointer)."""
    assert tile_rows(TARGETS["avx2"], 2) == 6
    assert tile_rows(TARGETS["avx512"], 2) == 12
    assert tile_rows(TARGETS["sse"], 2) == 6


def shares(count: int, unit: int, threads: int) -> list[range]:
    """Return the rows of each thread, which are cut as code does it."""
    units = -(-count // unit)
    cuts = [min(units * thread // threads * unit, count) for thread in range(threads + 1)]
    return [range(start, stop) for start, stop in pairwise(cuts)]


def tiles_of(
    share: range, block: int, most: int, choose: Callable[[int, int], int]
) -> Iterator[int]:
    """Yield the rows of each tile of a share."""
    for start in range(share.start, share.stop, block):
        left = min(block, share.stop - start)
        while left:
            yield choose(left, most)
            left -= choose(left, most)


@pytest.mark.parametrize("choose", [next_rows, whole_first])
@pytest.mark.parametrize("split", ["rows", "columns"])
@pytest.mark.parametrize(
    ("rows", "unit", "block"), [(12, 1, 240), (12, 48, 96), (6, 6, 7), (1, 1, 1)]
)
def test_every_tile_that_can_come_is_in_the_table(
    split: str, rows: int, unit: int, block: int, choose: Callable[[int, int], int]
) -> None:
    for count in (1, 3, 5, 12, 13, 97, 240, 250):
        plan = SimpleNamespace(
            c=SimpleNamespace(rows=count), split=split, row_unit=unit, rows=rows, row_block=block
        )
        teams = range(1, 40) if split == "rows" else [1]
        found = {
            tile
            for threads in teams
            for share in shares(count, unit, threads)
            for tile in tiles_of(share, block, rows, choose)
        }
        assert found <= possible_rows(plan, choose)
        if split == "columns":
            assert found == possible_rows(plan, choose)
