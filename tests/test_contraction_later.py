"""Results stored at once, what else follows a row at a time during the next tile: the same bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitnet
from jitnet import Tensor
from jitnet.compiler.codegen.contraction_later import LaterTile
from jitnet.runtime.threads import set_num_threads

Update = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, ...]]


def descend(g: Tensor, x: Tensor, weight: Tensor, other: Tensor) -> tuple[Tensor, ...]:
    """A gradient that is a result, and the update of its weight."""
    gradient = g.mT @ x
    weight.sub_(gradient * 0.01)
    return gradient, weight, other


def with_momentum(g: Tensor, x: Tensor, weight: Tensor, other: Tensor) -> tuple[Tensor, ...]:
    """The same with one value more that lasts."""
    gradient = g.mT @ x
    other.mul_(0.9).add_(gradient)
    weight.sub_(other * 0.01)
    return gradient, weight, other


def replaces(g: Tensor, x: Tensor, weight: Tensor, other: Tensor) -> tuple[Tensor, ...]:
    """What follows needs what the results are stored over."""
    gradient = g.mT @ x
    weight.sub_(other * gradient)
    other.copy_(gradient)
    return gradient * 2, weight, other


def rounded(g: Tensor, x: Tensor, weight: Tensor, other: Tensor) -> tuple[Tensor, ...]:
    """The results are stored rounded, and needed as they are."""
    gradient = g.mT @ x
    weight.sub_(gradient * 0.01)
    return gradient.bfloat16().float(), weight, other


UPDATES = (descend, with_momentum, replaces, rounded)
SHAPES = {  # steps along K, rows, columns
    "mlp": (64, 128, 784),
    "one tile more": (64, 72, 96),
    "odd": (67, 101, 203),
    "short": (33, 48, 64),
    "long": (520, 64, 130),
    "batches": (3, 40, 48, 96),
}


def arrays(*sizes: int) -> list[np.ndarray]:
    *batch, depth, rows, columns = sizes
    random = np.random.default_rng(0)
    shapes = [(depth, rows), (depth, columns), (rows, columns), (rows, columns)]
    return [random.normal(size=(*batch, *shape)).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("update", UPDATES)
def test_updates(update: Update, shape: str) -> None:
    """Compiled updates are the eager ones, and have the same bits on any number of threads."""
    given = arrays(*SHAPES[shape])
    want = update(*map(jitnet.tensor, given))
    compiled = jitnet.compile(update)
    found = []
    for threads in (1, 2, 3):
        set_num_threads(threads)
        found.append([each.numpy().copy() for each in compiled(*map(jitnet.tensor, given))])
    for mine, first, its in zip(found[-1], found[0], want, strict=True):
        np.testing.assert_allclose(
            mine, its.numpy(), rtol=2e-2 if update is rounded else 1e-4, atol=1e-3
        )
        assert mine.tobytes() == first.tobytes()
    for mine, first in zip(found[1], found[0], strict=True):
        assert mine.tobytes() == first.tobytes()


@pytest.mark.parametrize(("update", "waits"), [(descend, True), (replaces, False)])
def test_what_follows_waits_where_it_may(
    update: Update, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where it needs what the results replace."""
    left: list[object] = []
    leave = LaterTile.leave
    monkeypatch.setattr(LaterTile, "leave", lambda *given: (left.append(given), leave(*given)))
    monkeypatch.setenv("JITNET_CACHE", "0")
    jitnet.compile(update)(*map(jitnet.tensor, arrays(64, 128, 784)))
    assert bool(left) == waits
