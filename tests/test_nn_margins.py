"""Losses with margins and of sequences, against PyTorch: eager, compiled, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from tests.three_ways import check

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(4, 5)).astype(np.float32)
CLASSES = np.array([0, 4, 2, 2])
LABELS = np.array([[3, 0, -1, 1, 2], [-1, 0, 0, 0, 0], [0, 1, 2, 3, 4], [2, -1, -1, -1, -1]])
ZEROS_ONES = RNG.integers(0, 2, size=(4, 5)).astype(np.float32)
WEIGHT = RNG.uniform(0.5, 2, size=5).astype(np.float32)


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


CASES: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "multi_margin": (lambda lib, f, x, t: f.multi_margin_loss(x, t), (SCORES, CLASSES)),
    "multi_margin weighted": (
        lambda lib, f, x, t, w: f.multi_margin_loss(
            x, t, p=2, margin=0.7, weight=w.detach(), reduction="none"),
        (SCORES, CLASSES, WEIGHT),
    ),
    "multi_margin one": (
        lambda lib, f, x, t: f.multi_margin_loss(x[0], t[0], reduction="sum"), (SCORES, CLASSES)),
    "multilabel_margin": (lambda lib, f, x, t: f.multilabel_margin_loss(x, t), (SCORES, LABELS)),
    "multilabel_margin one": (
        lambda lib, f, x, t: f.multilabel_margin_loss(x[0], t[0]), (SCORES, LABELS)),
    "multilabel_margin rows": (
        lambda lib, f, x, t: f.multilabel_margin_loss(x, t, reduction="none"), (SCORES, LABELS)),
    "multilabel_soft": (
        lambda lib, f, x, t, w: f.multilabel_soft_margin_loss(x, t.detach(), w.detach()),
        (SCORES, ZEROS_ONES, WEIGHT),
    ),
    "triplet": (
        lambda lib, f, a, b: f.triplet_margin_with_distance_loss(a, b, a * 2 - b, swap=True),
        (SCORES, ZEROS_ONES),
    ),
    "triplet cosine": (
        lambda lib, f, a, b: f.triplet_margin_with_distance_loss(
            a, b, a.flip(0), reduction="none",
            distance_function=lambda x, y: 1 - f.cosine_similarity(x, y)),
        (SCORES, ZEROS_ONES + 0.3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_margins(name: str, torch: Any) -> None:
    check(CASES[name][0], *CASES[name][1])


FRAMES = RNG.normal(size=(9, 4, 5)).astype(np.float32)
TARGETS = np.array([[1, 2, 2, 3], [4, 4, 4, 4], [1, 3, 0, 0], [2, 0, 0, 0]])
SPOKEN = np.array([9, 5, 7, 9])  # row 1 wants 4 times the same, which 5 frames cannot say
WANTED = np.array([4, 4, 2, 0])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ctc(reduction: str, torch: Any) -> None:
    def loss(lib: Any, f: Any, x: Any, t: Any, spoken: Any, wanted: Any) -> Any:
        options = {"reduction": reduction, "zero_infinity": True}
        return f.ctc_loss(f.log_softmax(x, 2), t, spoken, wanted, **options)

    check(loss, FRAMES, TARGETS, SPOKEN, WANTED, rtol=1e-4, atol=1e-5)
    line = np.concatenate([row[:count] for row, count in zip(TARGETS, WANTED, strict=True)])
    check(loss, FRAMES, line, SPOKEN, WANTED, rtol=1e-4, atol=1e-5)


def test_ctc_of_one_sequence_with_another_blank(torch: Any) -> None:
    check(
        lambda lib, f, x, t: f.ctc_loss(
            f.log_softmax(x, 1), t, lib.tensor(9), lib.tensor(3), blank=4, reduction="none"
        ),
        FRAMES[:, 0],
        np.array([1, 1, 0]),
        rtol=1e-4,
        atol=1e-5,
    )


def test_ctc_is_infinite_where_there_is_no_alignment(torch: Any) -> None:
    args = (TARGETS[:, :], (3, 3, 3, 3), (4, 4, 2, 0))
    mine = F.ctc_loss(
        jitnet.tensor(FRAMES).log_softmax(2), jitnet.tensor(args[0]), *args[1:], reduction="none"
    )
    theirs = torch.nn.functional.ctc_loss(
        torch.tensor(FRAMES).log_softmax(2), torch.tensor(args[0]), *args[1:], reduction="none"
    )
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-5)
    assert np.isinf(mine.numpy()).any()


LAYERS: dict[str, Callable[[Any], Any]] = {
    "MultiMarginLoss": lambda nn: nn.MultiMarginLoss(p=2),
    "MultiLabelMarginLoss": lambda nn: nn.MultiLabelMarginLoss(),
    "MultiLabelSoftMarginLoss": lambda nn: nn.MultiLabelSoftMarginLoss(reduction="sum"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, torch: Any) -> None:
    ours, theirs = LAYERS[name](nn), LAYERS[name](torch.nn)
    assert repr(ours) == repr(theirs)
    target = {"MultiMarginLoss": CLASSES, "MultiLabelMarginLoss": LABELS}.get(name, ZEROS_ONES)
    check(
        lambda lib, f, x: (ours if lib is jitnet else theirs)(x, lib.tensor(target)),
        SCORES,
        compiled=False,
    )


def test_triplet_and_ctc_layers(torch: Any) -> None:
    loss = nn.TripletMarginWithDistanceLoss(margin=2.0)
    other = torch.nn.TripletMarginWithDistanceLoss(margin=2.0)
    check(lambda lib, f, a, b: (loss if lib is jitnet else other)(a, b, a + 1), SCORES, ZEROS_ONES)
    mine, theirs = nn.CTCLoss(zero_infinity=True), torch.nn.CTCLoss(zero_infinity=True)
    check(
        lambda lib, f, x, t, a, b: (mine if lib is jitnet else theirs)(
            f.log_softmax(x, 2), t, a, b
        ),
        FRAMES,
        TARGETS,
        SPOKEN,
        WANTED,
        rtol=1e-4,
        atol=1e-5,
    )


def test_refusals() -> None:
    x = jitnet.zeros(4, 5)
    with pytest.raises(ValueError, match="p 1 or 2, got 3"):
        F.multi_margin_loss(x, jitnet.zeros(4, dtype=jitnet.long), p=3)
    with pytest.raises(jitnet.ShapeError, match=r"\[4\] for f32\[4, 5\], got i64\[3\]"):
        F.multi_margin_loss(x, jitnet.zeros(3, dtype=jitnet.long))
    with pytest.raises(jitnet.ShapeError, match=r"\[4, 5\]"):
        F.multilabel_margin_loss(x, jitnet.zeros(4, 4, dtype=jitnet.long))
    with pytest.raises(jitnet.ShapeError, match="differ"):
        F.multilabel_soft_margin_loss(x, jitnet.zeros(4, 4))
    frames, labels = jitnet.zeros(3, 2, 4), jitnet.ones(2, 2, dtype=jitnet.long)
    with pytest.raises(RuntimeError, match=r"blank must be in 0 \.\. 3, got 4"):
        F.ctc_loss(frames, labels, (3, 3), (2, 2), blank=4)
    with pytest.raises(RuntimeError, match="input_lengths must be at most 3, got 4"):
        F.ctc_loss(frames, labels, (3, 4), (2, 2))
    with pytest.raises(RuntimeError, match="target_lengths must have one length for each of 2"):
        F.ctc_loss(frames, labels, (3, 3), (2,))
