"""Embedding and EmbeddingBag against PyTorch: bags, norms, counts, padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from tests.three_ways import check

TABLE = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
BAGS = np.array([[0, 2, 2, 6], [5, 5, 2, 1]])
LINE = np.array([0, 2, 2, 6, 5, 5, 2, 1, 3])
OFFSETS = np.array([0, 3, 3, 8])


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode: str, torch: Any) -> None:
    check(lambda lib, f, i, w: f.embedding_bag(i, w, mode=mode), BAGS, TABLE)
    check(lambda lib, f, i, w, o: f.embedding_bag(i, w, o, mode=mode), LINE, TABLE, OFFSETS)
    check(
        lambda lib, f, i, w, o: f.embedding_bag(
            i, w, o, mode=mode, include_last_offset=True, padding_idx=2
        ),
        LINE,
        TABLE,
        np.array([0, 1, 3, 9]),
    )


def test_bags_with_weights_of_samples(torch: Any) -> None:
    weights = np.random.default_rng(1).normal(size=BAGS.shape).astype(np.float32)
    check(
        lambda lib, f, i, w, s: f.embedding_bag(i, w, mode="sum", per_sample_weights=s),
        BAGS,
        TABLE,
        weights,
    )


def test_gradients_by_frequency(torch: Any) -> None:
    check(lambda lib, f, i, w: f.embedding(i, w, scale_grad_by_freq=True), BAGS, TABLE)


def test_gradients_of_bags_by_frequency() -> None:
    """As PyTorch documents it; its CPU kernel divides some rows by another row's count."""
    weight = jitnet.tensor(TABLE, requires_grad=True)
    F.embedding_bag(
        jitnet.tensor(BAGS), weight, mode="sum", scale_grad_by_freq=True
    ).sum().backward()
    assert weight.grad[:, 0].tolist() == pytest.approx([1, 1, 1, 0, 0, 1, 1])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_max_norm_writes_the_table(name: str, compiled: bool, torch: Any) -> None:
    ours = getattr(nn, name)(7, 3, max_norm=1.0, norm_type=1.0)
    theirs = getattr(torch.nn, name)(7, 3, max_norm=1.0, norm_type=1.0)
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({"weight": jitnet.tensor(TABLE)})
    theirs.load_state_dict({"weight": torch.tensor(TABLE)})

    def work(index: Any) -> Any:
        y = ours(index)
        (y * y).sum().backward()
        return y

    y = (jitnet.compile(work) if compiled else work)(jitnet.tensor(BAGS))
    u = theirs(torch.tensor(BAGS))
    (u * u).sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), u.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(
        ours.weight.detach().numpy(), theirs.weight.detach().numpy(), rtol=1e-5
    )
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"mode": "median"}, ValueError, "'median'"),
        ({"offsets": jitnet.tensor([0])}, ValueError, "leave out offsets"),
        ({"per_sample_weights": jitnet.ones(2, 4)}, NotImplementedError, "mode='mean'"),
        ({"per_sample_weights": jitnet.ones(3), "mode": "sum"}, jitnet.ShapeError, r"f32\[3\]"),
    ],
)
def test_bags_refuse(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        F.embedding_bag(jitnet.tensor(BAGS), jitnet.tensor(TABLE), **given)
    with pytest.raises(ValueError, match="wants offsets"):
        F.embedding_bag(jitnet.tensor(LINE), jitnet.tensor(TABLE))


def test_from_pretrained() -> None:
    layer = nn.EmbeddingBag.from_pretrained(jitnet.tensor(TABLE), mode="sum")
    assert not layer.weight.requires_grad
    assert layer(jitnet.tensor(BAGS)).shape == (2, 3)
    assert nn.Embedding.from_pretrained(jitnet.tensor(TABLE), freeze=False).weight.requires_grad
