"""Sums of which only some terms count, decided by the batch element: the edges of a gradient."""

from __future__ import annotations

import numpy as np
import pytest

from jitnet.compiler.codegen.contraction import Contraction, Limit, Operand, prefers_tiles
from jitnet.compiler.codegen.contraction_choice import plan
from jitnet.compiler.codegen.contraction_limits import tap_classes
from jitnet.runtime.dtype import DType, float32, float64
from tests.contraction_harness import TARGETS, build


def edges(
    dtype: DType, rows: int, channels: int, places: int, taps: int, step: int, blocks: int
) -> Contraction:
    """Return sums of w[row, tap, channel] * g[block, channel, y - step * tap, lane] over y's taps.

    y goes from 0 to where the last tap leaves g's `places`; a block is 16 lanes.
    """
    size = places + step * (taps - 1)
    row = (taps * channels, channels, 1)
    block = (channels * places * 16, places * 16, 16)
    return Contraction(
        dtype, (1, size), (rows,), (blocks, 16), (taps, channels),
        Operand(0, (0, 0), row[:1], row[1:]),
        Operand(0, (0, 16), (block[0], 1), (-step * 16, block[1])),
        (Limit((0, 1), (-step, 0), 0, places),),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("rows", "channels", "places", "taps", "step", "blocks"),
    [
        (6, 16, 10, 5, 1, 4),  # every number of taps, from both sides
        (3, 5, 2, 4, 1, 1),  # never all of them
        (17, 2, 1, 2, 3, 3),  # none of them in between
        (1, 70, 9, 9, 1, 2),  # long sums in one block
    ],
)
def test_only_terms_within_limits_count(
    dtype: DType,
    target: str,
    rows: int,
    channels: int,
    places: int,
    taps: int,
    step: int,
    blocks: int,
) -> None:
    """The same as products tap by tap, on every plan and for any number of threads."""
    c = edges(dtype, rows, channels, places, taps, step, blocks)
    assert prefers_tiles(c, TARGETS[target])
    rng = np.random.default_rng(rows)
    w = rng.standard_normal((rows, taps, channels)).astype(dtype.numpy)
    g = rng.standard_normal((blocks, channels, places, 16)).astype(dtype.numpy)
    want = np.zeros((c.batch[1], rows, blocks, 16))
    for tap in range(taps):
        part = np.einsum("rc,bcyl->yrbl", w[:, tap].astype("f8"), g.astype("f8"))
        want[step * tap : step * tap + places] += part
    run = build(c, TARGETS[target])
    one, two = (run(w, g, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one, two)
    slack = 64 * np.finfo(dtype.numpy).eps * channels * taps
    np.testing.assert_allclose(one, want.reshape(one.shape), rtol=slack, atol=slack)


def test_batch_elements_with_equal_taps_are_of_one_class() -> None:
    """Of 14 places, 6 have all of 5 taps; each other one has taps of its own."""
    found = tap_classes(edges(float32, 6, 16, 10, 5, 1, 4))
    assert found.adds == ((0,), (0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 5, 6, 7, 8))
    assert found.taps[:3] == ((0,), (0, 1), (0, 1, 2))
    assert found.taps[4:6] == ((0, 1, 2, 3, 4), (1, 2, 3, 4))


def test_classes_of_several_dims_are_what_counts_in_each() -> None:
    """A tap counts where it does for the row and for the column; limits of no dim hold always."""
    whole = Operand(0, (0, 0), (1,), (0, 0, 0))
    limits = (
        Limit((1, 0), (-1, 0, 0), 0, 2),
        Limit((0, 1), (0, -1, 0), 0, 1),
        Limit((0, 0), (1, 0, 0), 0, 1),
    )
    c = Contraction(float32, (3, 2), (4,), (4,), (2, 2, 8), whole, whole, limits)
    found = tap_classes(c)
    taps = {
        (y, x): found.taps[a + b]
        for y, a in enumerate(found.adds[0])
        for x, b in enumerate(found.adds[1])
    }
    assert taps == {(0, 0): (0,), (0, 1): (1,), (1, 0): (0,), (1, 1): (1,), (2, 0): (), (2, 1): ()}


def test_what_cannot_be_read_in_place_stays_with_plain_loops() -> None:
    """Limited sums have no panels."""
    c = edges(float32, 6, 16, 10, 5, 1, 4)
    spread = Operand(0, c.b.batch, (c.b.free[0], 2), c.b.k)
    apart = Contraction(c.dtype, c.batch, c.m, c.n, c.k, c.a, spread, c.limits)
    assert not prefers_tiles(apart, TARGETS["host"])
    assert plan(c, TARGETS["host"]).source == "lines"
