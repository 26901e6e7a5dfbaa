"""Contractions compared with float64 NumPy: layouts, remainders, convolutions, thread counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitnet.compiler.codegen.contraction import (
    Contraction,
    Operand,
    cycles,
    prefers_tiles,
    swapped,
)
from jitnet.compiler.codegen.contraction_choice import plan
from jitnet.compiler.codegen.contraction_form import Sizes, canonical
from jitnet.compiler.codegen.contraction_next_panel import packs_meanwhile
from jitnet.compiler.codegen.contraction_registers import finishes_in_registers
from jitnet.compiler.codegen.contraction_rows import whole_first
from jitnet.compiler.codegen.microkernels import dot_columns, line_vectors
from jitnet.runtime.dtype import DType, float32, float64
from tests.contraction_harness import (
    HOST,
    SMALL_CACHE,
    TARGETS,
    build,
    check,
    expected,
    matrices,
    memory,
)


@pytest.mark.parametrize("layout", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("size", [(64, 64, 64), (37, 75, 29), (5, 10, 130), (13, 4, 1000)], ids=str)
def test_matrix_products(
    dtype: DType, target: str, layout: str, size: tuple[int, int, int]
) -> None:
    """Every layout, on every plan."""
    check(matrices(dtype, layout, *size), TARGETS[target])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("size", [(49, 3, 70), (1, 2, 600), (130, 1, 1030)], ids=str)
def test_panels_are_read_in_place(dtype: DType, target: str, size: tuple[int, int, int]) -> None:
    """B as panels of 128 bytes of columns, for each step along K."""
    (rows, panels, depth), lanes = size, 128 // dtype.size
    c = Contraction(
        dtype, (2,), (rows,), (panels, lanes), (depth,),
        Operand(0, (rows * depth,), (depth,), (1,)),
        Operand(0, (panels * depth * lanes,), (depth * lanes, 1), (lanes,)),
    )  # fmt: skip
    assert plan(c, TARGETS[target]).source == "matrix"
    check(c, TARGETS[target])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("size", [(61, 261, 200), (32, 192, 64), (61, 261, 1030)], ids=str)
def test_turned_products(dtype: DType, target: str, size: tuple[int, int, int]) -> None:
    """Columns that come from memory are read in place, as rows; sums are turned back."""
    _, columns, depth = size
    cache_bytes = columns * depth * dtype.size // 2 - 64
    small = replace(TARGETS[target], cache_bytes=cache_bytes)
    c = matrices(dtype, "NT", *size)
    assert plan(c, small).turned
    assert plan(c, small, streams=True).turned
    check(c, small, threads=(1, 2, 3))


def convolution(
    kind: str, dtype: DType, image: Sizes, channels: tuple[int, int], kernel: Sizes, stride: int = 1
) -> Contraction:
    """Return a channels-last convolution or one of its gradients.

    image: (count, height, width) of the padded input; for "input", of the input, whose output's
    gradient is padded with kernel - 1 all round; weights are stored [out, height, width, in].
    """
    count, height, width = image
    ic, oc = channels
    kh, kw = kernel
    x = (height * width * ic, width * ic, ic)
    w = (kh * kw * ic, kw * ic, ic)
    if kind == "input":
        wide = (width + kw - 1) * oc
        y = ((height + kh - 1) * wide, wide, oc)
        offset = (kh - 1) * y[1] + (kw - 1) * y[2]
        a = Operand(offset, (), y, (-y[1], -y[2], 1))
        b = Operand(0, (), (1,), (w[1], w[2], w[0]))
        return Contraction(dtype, (), image, (ic,), (kh, kw, oc), a, b)
    oh, ow = (height - kh) // stride + 1, (width - kw) // stride + 1
    steps = (x[0], stride * x[1], stride * x[2])
    if kind == "output":
        a = Operand(0, (), steps, (x[1], x[2], 1))
        b = Operand(0, (), (w[0],), (w[1], w[2], 1))
        return Contraction(dtype, (), (count, oh, ow), (oc,), (kh, kw, ic), a, b)
    a = Operand(0, (), (x[1], x[2], 1), steps)
    b = Operand(0, (), (1,), (oh * ow * oc, ow * oc, oc))
    return Contraction(dtype, (), (kh, kw, ic), (oc,), (count, oh, ow), a, b)


@pytest.mark.parametrize("kind", ["output", "input", "weight"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("image", "channels", "kernel", "stride"),
    [
        ((3, 12, 11), (3, 6), (5, 5), 1),
        ((2, 9, 9), (6, 16), (3, 2), 2),
        ((1, 8, 8), (33, 40), (1, 1), 1),
        ((4, 7, 7), (64, 10), (3, 3), 1),
    ],
    ids=str,
)
def test_convolutions(
    kind: str, target: str, image: Sizes, channels: tuple[int, int], kernel: Sizes, stride: int
) -> None:
    """Forward and both gradients, channels-last."""
    check(convolution(kind, float32, image, channels, kernel, stride), TARGETS[target])


def planar(
    kind: str, dtype: DType, image: Sizes, channels: tuple[int, int], kernel: Sizes
) -> Contraction:
    """Return a channels-first convolution or its input's gradient; pixels are the columns."""
    count, height, width = image
    ic, oc = channels
    kh, kw = kernel
    w = (ic * kh * kw, kh * kw, kw, 1)
    if kind == "input":
        high, wide = height + kh - 1, width + kw - 1
        y = (oc * high * wide, high * wide, wide, 1)
        a = Operand(0, (), (w[1],), (w[0], w[2], w[3]))
        b = Operand((kh - 1) * y[2] + kw - 1, (), (y[0], y[2], 1), (y[1], -y[2], -1))
        return Contraction(dtype, (), (ic,), image, (oc, kh, kw), a, b)
    x = (ic * height * width, height * width, width, 1)
    columns = (count, height - kh + 1, width - kw + 1)
    a = Operand(0, (), (w[0],), w[1:])
    b = Operand(0, (), (x[0], x[2], 1), (x[1], x[2], 1))
    return Contraction(dtype, (), (oc,), columns, (ic, kh, kw), a, b)


@pytest.mark.parametrize("kind", ["output", "input"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("image", "channels", "kernel"),
    [
        ((3, 12, 32), (3, 6), (5, 5)),
        ((2, 9, 14), (6, 16), (3, 2)),
        ((40, 7, 8), (4, 5), (2, 2)),
        ((2, 20, 21), (8, 300), (3, 3)),
        ((1, 30, 19), (33, 5), (5, 5)),
    ],
    ids=str,
)
def test_planar_convolutions(
    kind: str, target: str, image: Sizes, channels: tuple[int, int], kernel: Sizes
) -> None:
    """Pixels in the lanes: B read line by line, or packed vector by vector."""
    check(planar(kind, float32, image, channels, kernel), TARGETS[target])
    check(planar(kind, float64, image, channels, kernel), TARGETS[target], threads=(1, 2))


def test_lines_longer_than_the_tables() -> None:
    """Offsets of lines, rows and taps that are too many for a constant are filled as needed."""
    c = planar("output", float32, (60, 12, 30), (2, 6), (3, 3))
    assert plan(c, HOST).runtime_lines or not line_vectors(HOST)
    check(c, threads=(1, 2))
    gradient = convolution("weight", float32, (120, 14, 6), (4, 7), (3, 3))
    assert plan(gradient, HOST).runtime_taps
    check(gradient, threads=(1, 2))
    check(swapped(gradient), threads=(1, 2))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(6, 75, 5), (3, 9, 40), (70, 7, 3)], ids=str)
def test_dot_products(target: str, size: tuple[int, int, int]) -> None:
    """Lanes along K, in the weight gradient of a channels-first convolution."""
    oc, high, count = size
    wide, kernel = high + 23, (2, 3)
    y = (oc * (high - 1) * (wide - 2), (high - 1) * (wide - 2), wide - 2, 1)
    x = (2 * high * wide, high * wide, wide, 1)
    c = Contraction(
        float32, (), (oc,), (2, *kernel), (count, high - 1, wide - 2),
        Operand(0, (), (y[1],), (y[0], y[2], 1)),
        Operand(0, (), x[1:], (x[0], x[2], 1)),
    )  # fmt: skip
    found = plan(c, TARGETS[target]).source
    assert found == "dots" if dot_columns(TARGETS[target]) else found in ("packed", "blocks")
    check(c, TARGETS[target])
    check(replace(c, dtype=float64), TARGETS[target], threads=(1, 2))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("near", [True, False])
def test_dot_products_of_matrices(near: bool, dtype: DType, target: str) -> None:
    """Rows that stay while all columns pass, or columns while rows do; ends of all kinds."""
    machine = replace(TARGETS[target], cache_bytes=(2048 if near else 8) << 10)
    for size in ((7, 37, 700), (11, 9, 1501), (5, 50, 2600)):
        c = matrices(dtype, "NT", *size)
        found = plan(c, machine)
        if dot_columns(machine):
            assert (found.source, found.rows_stay) == ("dots", near), found
        check(c, machine, threads=(1, 2, 3))


def test_columns_are_merged_where_few_and_long() -> None:
    """A weight gradient's kernel columns and channels together fill the lanes."""
    c = swapped(convolution("weight", float32, (9, 14, 12), (3, 6), (5, 5)))
    assert plan(c, HOST).single_columns
    assert plan(c, HOST).c.n == (5, 15)
    check(c)


def test_the_cheaper_orientation() -> None:
    """Few channels belong in the rows, many in the lanes, and scattered stores cost."""
    few = convolution("output", float32, (8, 32, 32), (3, 6), (5, 5))
    first = planar("output", float32, (8, 32, 32), (3, 6), (5, 5))
    assert cycles(first, HOST) < cycles(few, HOST)
    many = convolution("output", float32, (8, 14, 14), (64, 64), (3, 3))
    assert cycles(many, HOST) < cycles(swapped(many), HOST, adjacent=False)


@st.composite
def contractions(draw: st.DrawFn) -> Contraction:
    """Draw sizes and strides of every sign, with broadcast (stride 0) dims."""
    size = st.integers(1, 9)

    def sizes(most: int) -> Sizes:
        return tuple(draw(st.lists(size, max_size=most)))

    batch, m, n, k = sizes(2), sizes(3), sizes(2), sizes(3)

    def operand(free: Sizes) -> Operand:
        dims = [*batch, *free, *k]
        order = draw(st.permutations(range(len(dims))))
        strides, step = [0] * len(dims), 1
        for index in order:
            strides[index] = step * draw(st.sampled_from([1, 1, 1, -1, 0]))
            step *= dims[index] + draw(st.sampled_from([0, 0, 1]))
        low = sum((d - 1) * s for d, s in zip(dims, strides, strict=True) if s < 0)
        cut, last = len(batch), len(batch) + len(free)
        return Operand(-low, tuple(strides[:cut]), tuple(strides[cut:last]), tuple(strides[last:]))

    dtype = draw(st.sampled_from([float32, float64]))
    return Contraction(dtype, batch, m, n, k, operand(m), operand(n))


@given(c=contractions(), target=st.sampled_from(list(TARGETS)))
@settings(max_examples=60)
def test_any_strides(c: Contraction, target: str) -> None:
    """Any affine reads: permuted, reversed, broadcast, with gaps."""
    check(c, TARGETS[target], threads=(1, 3))


@pytest.mark.parametrize("layout", ["NN", "NT", "TN"])
@pytest.mark.parametrize("batch", [3, 9])
def test_batches(layout: str, batch: int) -> None:
    """Batches are shared out whole where there are many."""
    check(matrices(float32, layout, 20, 35, 17, batch))


@pytest.mark.parametrize("layout", ["NN", "NT", "TN"])
def test_long_sums(layout: str) -> None:
    """Large enough for every kind of block: rows, columns and K, packed whole and by block."""
    check(matrices(float32, layout, 150, 70, 900), SMALL_CACHE, threads=(1, 2))
    check(matrices(float32, layout, 1100, 40, 20), threads=(1, 2))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("columns", [48, 80, 256, 1024 + 64])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_a_vector_times_a_matrix(dtype: DType, columns: int, target: str) -> None:
    """One row in wide tiles, whatever number of vectors divides the columns."""
    check(matrices(dtype, "NN", 1, columns, 70), TARGETS[target])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(2, 64), (17, 75), (9, 1000), (50, 8200), (300, 130)], ids=str)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_a_vector_times_whole_columns(dtype: DType, size: tuple[int, int], target: str) -> None:
    """One row, and columns that lie along K: next to one another, apart, and in several batches."""
    near = matrices(dtype, "NT", 1, *size)
    if dot_columns(TARGETS[target]):
        assert plan(near, TARGETS[target]).source == "columns"
    check(near, TARGETS[target])
    check(matrices(dtype, "NT", 1, *size, batch=3), TARGETS[target], threads=(1, 2))
    apart = Operand(3, (0,), (size[1] + 5,), (1,))
    check(replace(near, b=apart), TARGETS[target], threads=(1, 2))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(576, 71), (601, 75), (4200, 9)], ids=str)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_vectors_times_whole_rows(dtype: DType, size: tuple[int, int], target: str) -> None:
    """One row for each of many matrices, whose rows begin anywhere in a cache line."""
    near = matrices(dtype, "NN", 1, *size, batch=8)
    if dot_columns(TARGETS[target]):
        assert plan(near, TARGETS[target]).source == "rows"
    columns, depth = size
    for offset, step in ((0, columns), (3, columns), (5, columns + 7)):
        b = Operand(offset, (depth * step,), (1,), (step,))
        check(replace(near, b=b), TARGETS[target], threads=(1, 3))


def test_threads_share_out_the_longer_side() -> None:
    """What is not shared out is read by every thread, so it had better be the smaller operand."""
    tall = matrices(float32, "TN", 200, 70, 300)
    assert plan(tall, HOST).split == "rows"
    assert plan(matrices(float32, "NN", 128, 1024, 256), HOST).split == "columns"
    check(tall)
    check(matrices(float32, "NT", 230, 130, 40))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(37, 75, 29), (150, 70, 900), (50, 1100, 40)], ids=str)
def test_an_epilogue_over_long_rows(target: str, size: tuple[int, int, int]) -> None:
    """The sums of a block are kept until all of its panels are done, and then handed out."""
    check(matrices(float32, "NN", *size), TARGETS[target], streams=True)
    check(matrices(float32, "TT", *size), TARGETS[target], streams=True)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("layout", ["NN", "TN"])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize(
    "size", [(128, 100, 64), (107, 43, 128), (70, 96, 500), (29, 70, 1025)], ids=str
)
def test_sums_finished_in_registers(
    dtype: DType, layout: str, target: str, size: tuple[int, int, int]
) -> None:
    """Whole tiles in the kernel and the library's at the edges give the bits of the library's."""
    c = matrices(dtype, layout, *size)
    a, b = memory(c, c.a, c.m, 1), memory(c, c.b, c.n, 2)
    library_tiles = build(c, TARGETS[target])(a, b)
    inside = build(c, TARGETS[target], is_short=True)
    for threads in (1, 2, 3, 5):
        np.testing.assert_array_equal(inside(a, b, threads), library_tiles)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(100, 300, 513), (250, 328, 150), (203, 320, 20)], ids=str)
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_panels_packed_while_others_multiply(
    dtype: DType, size: tuple[int, int, int], target: str
) -> None:
    """Tiles of the first rows copy the next panel: bits are those of panels packed at once."""
    c = matrices(dtype, "NN", *size)
    a, b = memory(c, c.a, c.m, 1), memory(c, c.b, c.n, 2)
    packed_at_once = build(c, TARGETS[target])(a, b)
    np.testing.assert_allclose(packed_at_once, expected(c, a, b), atol=2e-4)
    meanwhile = build(c, TARGETS[target], is_short=True)
    for threads in (1, 2, 3, 7):
        np.testing.assert_array_equal(meanwhile(a, b, threads), packed_at_once)


def test_which_panels_are_packed_meanwhile() -> None:
    """Those that lie row by row in memory, where threads go through all rows of A."""
    assert packs_meanwhile(plan(matrices(float32, "NN", 100, 300, 513), HOST), False)
    assert not packs_meanwhile(plan(matrices(float32, "NN", 100, 300, 513), HOST), True)
    assert not packs_meanwhile(plan(matrices(float32, "NT", 100, 300, 513), HOST), False)
    assert not packs_meanwhile(plan(matrices(float32, "NN", 3000, 300, 513), HOST), False)


def test_which_sums_are_finished_in_registers() -> None:
    """Those whose panels hold all of K; not tiny ones, few tiles, or panels read in place apart."""
    deepest = HOST.cache_bytes // 2 // (2 * HOST.vector_bytes)  # half of level 2 for a panel
    for depth in (511, 513, 1025, deepest):
        assert finishes_in_registers(plan(matrices(float32, "NN", 300, 700, depth), HOST))
    assert not finishes_in_registers(plan(matrices(float32, "NN", 300, 700, deepest + 1), HOST))
    assert finishes_in_registers(plan(matrices(float32, "TN", 128, 784, 64), HOST))
    assert finishes_in_registers(plan(matrices(float32, "NT", 128, 128, 512), HOST))
    assert not finishes_in_registers(plan(matrices(float32, "NN", 256, 256, 512), HOST))
    assert not finishes_in_registers(plan(matrices(float32, "NT", 64, 128, 784), HOST))
    assert not finishes_in_registers(plan(matrices(float32, "TN", 10, 128, 64), HOST))
    assert not finishes_in_registers(plan(matrices(float32, "TN", 256, 256, 8), HOST))


@pytest.mark.parametrize("most", [4, 8, 12])
def test_no_tile_at_the_end_is_thin(most: int) -> None:
    """Whole tiles come first; what they leave is thin only where there are no more rows."""
    for rows in range(1, 5 * most):
        left, tiles = rows, []
        while left:
            tiles.append(whole_first(left, most))
            left -= tiles[-1]
        assert max(tiles) <= most and (min(tiles) >= 2 or rows == 1)
        assert tiles.count(most) >= rows // most - 1


@pytest.mark.parametrize("target", TARGETS)
def test_a_producer_is_fused_into_packing(target: str) -> None:
    """pack_b gives the values of B, at flat indices, instead of memory."""
    c = matrices(float32, "NN", 21, 43, 500, 2)
    a, b = memory(c, c.a, c.m, 1), memory(c, c.b, c.n, 2)
    got = build(c, TARGETS[target], doubled=True)(a, b, 2)
    np.testing.assert_allclose(got, 2 * expected(c, a, b), atol=2e-4)


def test_canonical_merges_reverses_and_sorts() -> None:
    """The input gradient of a convolution becomes runs of kw * oc, read forwards."""
    c = canonical(convolution("input", float32, (2, 6, 6), (3, 4), (3, 3)))
    assert (c.m, c.n, c.k) == ((2, 6, 6), (3,), (3, 3, 4))
    assert c.a == Operand(0, (), (256, 32, 4), (32, 4, 1))
    assert c.b.k == (-9, -3, 27)
    c = canonical(convolution("output", float32, (2, 6, 6), (3, 4), (1, 1)))
    assert (c.m, c.k) == ((72,), (3,))


def test_what_prefers_tiles() -> None:
    """Not the tiniest; matrix-vector products only where nothing need be packed."""
    assert not prefers_tiles(matrices(float32, "NN", 4, 4, 4), HOST)
    assert prefers_tiles(matrices(float32, "NN", 16, 16, 16), HOST)
    in_place = bool(dot_columns(HOST))
    assert prefers_tiles(matrices(float32, "NT", 1, 1000, 300), HOST) == in_place
    assert prefers_tiles(matrices(float32, "NN", 1, 1000, 300), HOST)
    strided = replace(matrices(float32, "NN", 1, 1000, 300), b=Operand(0, (0,), (2,), (2000,)))
    assert not prefers_tiles(strided, HOST)
