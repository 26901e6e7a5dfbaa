"""Work that threads claim: each unit once, whoever is held up; the same bits as equal parts."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import llvmlite.binding as llvm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitnet
from jitnet.compiler.codegen.contraction import Contraction, emit_contraction, scratch_bytes
from jitnet.compiler.codegen.contraction_choice import plan
from jitnet.compiler.codegen.emitter import I64, PTR, Function, Module, Value
from jitnet.compiler.codegen.team import Claims
from jitnet.runtime import threads
from jitnet.runtime.dtype import float32
from jitnet.runtime.pool_layout import CLAIM, LINE, MOST_UNITS, SHARES_IN_TEAM
from jitnet.runtime.target import Target
from tests.contraction_harness import ARGUMENTS, TARGETS, build, engine_for, matrices, memory
from tests.test_contraction_numeric import convolution

WORD = ctypes.c_int64
CLAIMS = ctypes.CFUNCTYPE(WORD, ctypes.c_void_p, *[WORD] * 6)


@pytest.fixture
def claim() -> Callable[..., range]:
    """Return the runtime's claim, with shares of its own: number, units, least, most, thread."""
    native = CLAIMS(threads.pool().address(CLAIM))
    shares = np.zeros(SHARES_IN_TEAM + 64 * LINE, np.uint8)

    def call(*asked: int) -> range:
        part = native(shares.ctypes.data, *asked)
        return range(part & 0xFFFFFFFF, part >> 32)

    return call


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_each_unit_is_claimed_once(data: st.DataObject) -> None:
    """Whatever the order in which threads ask, and however far one is ahead of others."""
    count = data.draw(st.integers(1, 5), "threads")
    works = data.draw(
        st.lists(
            st.tuples(st.integers(1, 90), st.integers(1, 7), st.integers(1, 40)),
            min_size=1,
            max_size=4,
        ),
        "units, least, most",
    )
    native = CLAIMS(threads.pool().address(CLAIM))
    shares = np.zeros(SHARES_IN_TEAM + count * LINE, np.uint8)
    seen: list[list[int]] = [[] for _ in works]
    at = [0] * count  # what each thread works at
    while any(number < len(works) for number in at):
        thread = data.draw(st.sampled_from([t for t in range(count) if at[t] < len(works)]))
        units, least, most = works[at[thread]]
        part = native(shares.ctypes.data, at[thread] + 1, units, least, most, thread, count)
        first, stop = part & 0xFFFFFFFF, part >> 32
        if part == 0:
            at[thread] += 1
            continue
        assert 0 <= first < stop <= units and stop - first <= most
        seen[at[thread]].extend(range(first, stop))
    for (units, _, _), found in zip(works, seen, strict=True):
        assert sorted(found) == list(range(units))


def test_shares_are_left_in_order_and_by_halves(claim: Callable[..., range]) -> None:
    """A thread takes its own share from the front, then half of another's from the back."""
    own = [claim(1, 64, 2, 8, 0, 2) for _ in range(6)]
    assert own[:4] == [range(8), range(8, 16), range(16, 24), range(24, 28)]
    assert own[4:] == [range(28, 30), range(30, 32)]
    assert claim(1, 64, 2, MOST_UNITS, 0, 2) == range(48, 64)
    assert claim(1, 64, 2, MOST_UNITS, 1, 2) == range(32, 40)
    assert claim(2, 64, 2, MOST_UNITS, 0, 2) == range(16)
    assert claim(1, 64, 2, MOST_UNITS, 1, 2) == range(40, 44)


def test_one_thread_claims_in_whole_blocks(claim: Callable[..., range]) -> None:
    """What nobody else can take is not cut small."""
    assert [claim(1, 20, 1, 8, 0, 1) for _ in range(4)] == [
        range(8), range(8, 16), range(16, 20), range(0),
    ]  # fmt: skip


def test_threads_at_the_same_time() -> None:
    """Threads that really run together share a thousand things out, without waiting."""
    native = CLAIMS(threads.pool().address(CLAIM))
    count, turns, units = 4, 1000, 37
    shares = np.zeros(SHARES_IN_TEAM + count * LINE, np.uint8)
    taken = np.zeros((count, turns, units), np.int64)

    def work(thread: int) -> None:
        for number in range(turns):
            while part := native(shares.ctypes.data, number + 1, units, 1, 9, thread, count):
                taken[thread, number, part & 0xFFFFFFFF : part >> 32] += 1

    team = [threading.Thread(target=work, args=(thread,)) for thread in range(count)]
    for each in team:
        each.start()
    for each in team:
        each.join()
    assert (taken.sum(axis=0) == 1).all()


@dataclass
class Script:
    """Gives parts out by chance: long and short, from both ends, to some threads none at all."""

    random: Random = field(default_factory=lambda: Random(5))
    left: dict[int, list[int]] = field(default_factory=dict)

    def claim(self, number: int, units: int, least: int, most: int, thread: int, last: int) -> int:
        """Return a part as the runtime does; the last thread asks until nothing is left."""
        assert 1 <= least <= max(most, 1) <= units
        first, stop = self.left.setdefault(number, [0, units])
        if first == stop or (thread < last and self.random.random() < 0.3):
            return 0
        length = self.random.randint(1, min(most, stop - first))
        if self.random.random() < 0.5:
            self.left[number][0] += length
            return (first + length) << 32 | first
        self.left[number][1] -= length
        return stop << 32 | (stop - length)


# The team is who gives parts out.
SCRIPTED = f"""
define internal i64 @{CLAIM}(ptr %team, i64 %number, i64 %units, i64 %least, i64 %most, i64 %thread,
    i64 %threads) {{
  %last = sub i64 %threads, 1
  %part = call i64 %team(i64 %number, i64 %units, i64 %least, i64 %most, i64 %thread, i64 %last)
  ret i64 %part
}}
"""
NAMES = iter(f"claimed{number}" for number in range(1 << 30))
Product = Callable[[np.ndarray, np.ndarray, int, Script], np.ndarray]


def claimed(c: Contraction, target: Target, streams: bool) -> tuple[Product, int]:
    """Return what computes a contraction by claims, and how often threads share it out."""
    module, name = Module(target), next(NAMES)
    f = Function(module, name, [*ARGUMENTS, ("team", PTR), ("number", I64)], internal=False)
    a, b, out, scratch, thread, count, team, number = f.args

    def store(f: Function, batch: Value, row: Value, column: Value, _: int, sums: Value) -> None:
        line = f.add(f.mul(batch, f.i64(c.rows)), row)
        at = f.add(f.mul(line, f.i64(c.columns)), column)
        f.store(sums, f.gep(out, at, c.dtype.llvm), c.dtype.size)

    sharing = Claims(thread, count, team, number)
    turns = emit_contraction(f, c, a, b, scratch, sharing, store, streams=streams)
    f.finish()
    text = module.text().replace(module.declarations[CLAIM], SCRIPTED)
    engine, _ = engine_for(replace(target, cache_bytes=0))
    engine.add_module(llvm.parse_assembly(text))
    engine.finalize_object()
    pointers = [ctypes.c_void_p] * 4
    run = ctypes.CFUNCTYPE(None, *pointers, WORD, WORD, ctypes.c_void_p, WORD)(
        engine.get_function_address(name)
    )
    own = np.zeros(scratch_bytes(c, target, streams=streams) + 64, np.uint8)

    def product(a: np.ndarray, b: np.ndarray, count: int, script: Script) -> np.ndarray:
        out = np.full((c.batches, c.rows, c.columns), np.nan, c.dtype.numpy)
        ask = ctypes.CFUNCTYPE(WORD, *[WORD] * 6)(script.claim)
        places = [a.ctypes.data, b.ctypes.data, out.ctypes.data, own.ctypes.data]
        places[3] += -places[3] % 64
        for thread in range(count):
            run(*places, thread, count, ctypes.cast(ask, ctypes.c_void_p), 100)
        return out

    return product, turns


def batched(size: tuple[int, int, int], count: int) -> Contraction:
    """Return products of many small matrices."""
    return matrices(float32, "NN", *size, batch=count)


CASES = {
    "rows": matrices(float32, "NN", 200, 40, 64),
    "rows of a convolution": convolution("output", float32, (2, 17, 16), (12, 40), (3, 3)),
    "rows, A packed": matrices(float32, "TN", 300, 64, 80),
    "columns": matrices(float32, "NT", 40, 700, 70),
    "columns, A packed": matrices(float32, "TN", 40, 700, 70),
    "batches": batched((20, 40, 30), 11),
    "rows of two batches": batched((120, 40, 30), 2),
    "one row": matrices(float32, "NT", 1, 3000, 64),
}


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", CASES)
def test_claimed_products_have_the_same_bits(case: str, target: str, streams: bool) -> None:
    """Whoever computes what, in whatever order, as with equal parts."""
    c = CASES[case]
    a, b = memory(c, c.a, c.m, 1), memory(c, c.b, c.n, 2)
    want = build(c, TARGETS[target], streams=streams)(a, b, 1)
    product, turns = claimed(c, TARGETS[target], streams)
    for count in (1, 3):
        script = Script()
        np.testing.assert_array_equal(product(a, b, count, script), want)
        assert sorted(script.left) == list(range(100, 100 + turns))
        assert all(first == stop for first, stop in script.left.values())


def test_blocks_that_tiles_copied_may_be_claimed_by_others() -> None:
    """A block is read only where it was copied from, whatever its thread claims next."""
    c = matrices(float32, "TN", 480, 128, 1030)
    small = replace(TARGETS["host"], cache_bytes=3 << 18)
    assert plan(c, small).copies_a
    a, b = memory(c, c.a, c.m, 1), memory(c, c.b, c.n, 2)
    product, _ = claimed(c, small, False)
    want = build(c, small)(a, b, 1)
    for count in (1, 2, 3, 5):
        np.testing.assert_array_equal(product(a, b, count, Script()), want)


def test_turned_products_are_claimed() -> None:
    """Sums that are turned back go by whole squares."""
    c, target = matrices(float32, "NT", 61, 261, 200), TARGETS["host"]
    small = replace(target, cache_bytes=261 * 200 * 4 // 2 - 64)
    assert plan(c, small).turned
    a, b = memory(c, c.a, c.m, 1), memory(c, c.b, c.n, 2)
    product, _ = claimed(c, small, False)
    np.testing.assert_array_equal(product(a, b, 3, Script()), build(c, small)(a, b, 1))


def test_a_program_says_what_is_claimed_and_has_the_same_bits() -> None:
    """Products, maps, reductions; on one thread and on more than there are processors."""

    @jitnet.compile
    def f(a: jitnet.Tensor, b: jitnet.Tensor) -> tuple[jitnet.Tensor, ...]:
        y = (a @ b).relu()
        return y @ b.T, y.softmax(-1), a.tanh(), y[:2, :3].exp()

    random = np.random.default_rng(3)
    a = jitnet.from_numpy(random.standard_normal((403, 350)).astype(np.float32))
    b = jitnet.from_numpy(random.standard_normal((350, 401)).astype(np.float32))
    found = []
    for count in (1, 2, 5):
        jitnet.set_num_threads(count)
        found.append([each.numpy().copy() for each in f(a, b)])
    heads = [line for line in f.dump("kernels").splitlines() if line.startswith("kernel ")]
    assert sum("(claimed)" in head for head in heads) >= 3
    assert any("(claimed)" not in head for head in heads)
    y = np.maximum(a.numpy() @ b.numpy(), 0)
    np.testing.assert_allclose(found[0][0], y @ b.numpy().T, rtol=1e-3, atol=1e-3)
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)
