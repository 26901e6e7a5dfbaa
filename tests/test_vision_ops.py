"""jitnet.vision.ops: boxes and layers, against torchvision and against sums written out."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.vision import ops
from tests.vision_oracle import check_same, oracle, to_torch

FORMATS = ("xyxy", "xywh", "cxcywh")


def boxes(count: int, seed: int = 0) -> Any:
    corners = np.random.RandomState(seed).rand(count, 2, 2).astype(np.float32) * 10
    return jitnet.tensor(np.sort(corners, 1).reshape(count, 4))


@pytest.mark.parametrize("formats", list(product(FORMATS, FORMATS)))
def test_formats(formats: tuple[str, str]) -> None:
    wanted = oracle("ops").box_convert(to_torch(boxes(5)), *formats)
    check_same(ops.box_convert(boxes(5), *formats), wanted, 1e-5)
    with pytest.raises(ValueError, match="'yxyx'"):
        ops.box_convert(boxes(5), formats[0], "yxyx")


@pytest.mark.parametrize(
    "name", ["box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou"]
)
def test_overlaps(name: str) -> None:
    wanted = getattr(oracle("ops"), name)(to_torch(boxes(5)), to_torch(boxes(4, 1)))
    check_same(getattr(ops, name)(boxes(5), boxes(4, 1)), wanted, 1e-5)
    compiled = jitnet.compile(getattr(ops, name))
    check_same(compiled(boxes(5), boxes(4, 1)), wanted, 1e-5)


def test_boxes_one_by_one() -> None:
    theirs = oracle("ops")
    masks = jitnet.tensor(np.random.RandomState(0).rand(3, 9, 8) > 0.9)
    check_same(ops.box_area(boxes(5)), theirs.box_area(to_torch(boxes(5))), 1e-5)
    check_same(ops.masks_to_boxes(masks), theirs.masks_to_boxes(to_torch(masks)))
    wanted = theirs.clip_boxes_to_image(to_torch(boxes(5)), (4, 5))
    check_same(ops.clip_boxes_to_image(boxes(5), (4, 5)), wanted)
    check_same(
        ops.remove_small_boxes(boxes(7), 3.0), theirs.remove_small_boxes(to_torch(boxes(7)), 3.0)
    )


def test_nms_keeps_no_two_that_overlap_and_drops_none_that_does_not() -> None:
    given, scores = boxes(40), jitnet.rand(40)
    kept = ops.nms(given, scores, 0.3).tolist()
    overlap = ops.box_iou(given, given)
    assert [scores[k].item() for k in kept] == sorted(scores[k].item() for k in kept)[::-1]
    for place in range(40):
        better = [k for k in kept if scores[k] > scores[place]]
        is_covered = any(overlap[place, k] > 0.3 for k in better)
        assert is_covered == (place not in kept)
    apart = ops.batched_nms(given, scores, jitnet.arange(40), 0.3)
    assert sorted(apart.tolist()) == list(range(40))


@pytest.mark.parametrize(("groups", "sets", "stride"), [(1, 1, 1), (2, 4, 2)])
def test_deformed_convolutions(groups: int, sets: int, stride: int) -> None:
    """Whole offsets and a mask of ones read the moved pixels; halves read between two."""
    jitnet.manual_seed(0)
    x, weight = jitnet.randn(2, 8, 9, 7), jitnet.randn(4, 8 // groups, 3, 3)
    still = jitnet.nn.functional.conv2d(x, weight, None, stride, 1, 1, groups)
    offset = jitnet.zeros(2, sets * 18, *still.shape[2:])
    options = {"stride": stride, "padding": 1}
    check = np.testing.assert_allclose
    check(ops.deform_conv2d(x, offset, weight, **options).numpy(), still.numpy(), 1e-3, 1e-4)
    mask = jitnet.full((2, sets * 9, *still.shape[2:]), 0.5)
    found = ops.deform_conv2d(x, offset, weight, mask=mask, **options)
    check(found.numpy(), still.numpy() / 2, 1e-3, 1e-4)
    offset.unflatten(1, (-1, 2))[:, :, 1] = 0.5  # columns
    between = (x + jitnet.nn.functional.pad(x, (0, 1))[..., 1:]) / 2
    inside = jitnet.nn.functional.conv2d(between, weight, None, stride, 1, 1, groups)
    found = ops.deform_conv2d(x, offset, weight, **options)
    check(found[..., 1:-1].numpy(), inside[..., 1:-1].numpy(), 1e-3, 1e-4)
    layer = ops.DeformConv2d(8, 4, 3, stride, 1, groups=groups)
    compiled = jitnet.compile(layer)
    check(compiled(x, offset).detach().numpy(), layer(x, offset).detach().numpy(), 1e-3, 1e-4)
    with pytest.raises(ValueError, match="sets \\* 18 channels"):
        layer(x, offset[:, :17])


@pytest.mark.parametrize(
    ("name", "settings", "shape"),
    [
        ("SqueezeExcitation", (4, 2), (2, 4, 5, 5)),
        ("MLP", (4, [5, 3]), (2, 4)),
        ("Conv2dNormActivation", (3, 4, (3, 5)), (2, 3, 7, 7)),
        ("Conv3dNormActivation", (3, 4), (1, 3, 4, 4, 4)),
        ("FrozenBatchNorm2d", (4,), (2, 4, 3, 3)),
        ("Permute", ([1, 0],), (2, 3)),
        ("StochasticDepth", (0.0, "row"), (2, 3)),
    ],
)
def test_layers_are_torchvisions(name: str, settings: Any, shape: tuple[int, ...]) -> None:
    theirs, ours = getattr(oracle("ops"), name)(*settings), getattr(ops, name)(*settings)
    assert repr(ours) == repr(theirs)
    state = {key: jitnet.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    x = jitnet.randn(shape)
    check_same(ours(x).detach(), theirs(to_torch(x)).detach(), 1e-4)


def test_focal_loss() -> None:
    logits, targets = jitnet.randn(5, 3), (jitnet.rand(5, 3) > 0.5).float()
    for reduction in ("none", "mean", "sum"):
        wanted = oracle("ops").sigmoid_focal_loss(
            to_torch(logits), to_torch(targets), reduction=reduction
        )
        check_same(ops.sigmoid_focal_loss(logits, targets, reduction=reduction), wanted, 1e-5)


def test_stochastic_depth_drops_rows() -> None:
    jitnet.manual_seed(0)
    kept = ops.stochastic_depth(jitnet.ones(2000, 2), 0.25, "row")
    assert set(kept[:, 0].tolist()) == {0.0, jitnet.tensor(1 / 0.75).item()}
    assert (kept[:, 0] == kept[:, 1]).all() and abs(kept.mean().item() - 1) < 0.05
    assert ops.stochastic_depth(jitnet.ones(5), 0.9, "row", training=False).sum() == 5
    with pytest.raises(ValueError, match="'rows'"):
        ops.stochastic_depth(jitnet.ones(5), 0.9, "rows")
