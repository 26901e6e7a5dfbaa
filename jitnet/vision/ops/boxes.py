"""Boxes as (x1, y1, x2, y2): formats, areas, overlaps, and which of many to keep."""

from __future__ import annotations

import jitnet
from jitnet import Tensor

FORMATS = ("xyxy", "xywh", "cxcywh")


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Return boxes [N, 4] in another of the formats "xyxy", "xywh" and "cxcywh"."""
    for name in (in_fmt, out_fmt):
        if name not in FORMATS:
            raise ValueError(f"a format of boxes is one of {FORMATS}, got {name!r}")
    if in_fmt == out_fmt:
        return boxes.clone()
    first, second, third, fourth = boxes.unbind(-1)
    if in_fmt == "xywh":
        third, fourth = first + third, second + fourth
    elif in_fmt == "cxcywh":
        left, top = first - 0.5 * third, second - 0.5 * fourth
        first, second, third, fourth = left, top, first + 0.5 * third, second + 0.5 * fourth
    if out_fmt == "xyxy":
        return jitnet.stack((first, second, third, fourth), dim=-1)
    width, height = third - first, fourth - second
    if out_fmt == "cxcywh":
        first, second = (first + third) / 2, (second + fourth) / 2
    return jitnet.stack((first, second, width, height), dim=-1)


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Return the area of each box."""
    if fmt not in FORMATS:
        raise ValueError(f"a format of boxes is one of {FORMATS}, got {fmt!r}")
    if fmt != "xyxy":
        return boxes[..., 2] * boxes[..., 3]  # type: ignore[no-any-return]
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])  # type: ignore[no-any-return]


def _meet(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Return the areas of intersections and unions, [N, M]."""
    one, other = boxes1[..., :, None, :], boxes2[..., None, :, :]
    low = jitnet.maximum(one[..., :2], other[..., :2])
    high = jitnet.minimum(one[..., 2:], other[..., 2:])
    sides = (high - low).clamp(min=0)
    inside = sides[..., 0] * sides[..., 1]
    return inside, box_area(boxes1)[..., :, None] + box_area(boxes2)[..., None, :] - inside


def _around(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return the sides of the smallest boxes that hold both, [N, M, 2]."""
    one, other = boxes1[..., :, None, :], boxes2[..., None, :, :]
    low = jitnet.minimum(one[..., :2], other[..., :2])
    high = jitnet.maximum(one[..., 2:], other[..., 2:])
    return (high - low).clamp(min=0)  # type: ignore[no-any-return]


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Return intersection over union of each of N boxes with each of M others, [N, M]."""
    if fmt != "xyxy":
        boxes1, boxes2 = box_convert(boxes1, fmt, "xyxy"), box_convert(boxes2, fmt, "xyxy")
    inside, union = _meet(boxes1, boxes2)
    return inside / union  # type: ignore[no-any-return]


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return iou less the share of the box around both that neither fills, [N, M]."""
    inside, union = _meet(boxes1, boxes2)
    sides = _around(boxes1, boxes2)
    area = sides[..., 0] * sides[..., 1]
    return inside / union - (area - union) / area  # type: ignore[no-any-return]


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return iou less the squared distance of centers over that of corners around both."""
    sides = _around(boxes1, boxes2)
    diagonal = (sides**2).sum(-1) + eps
    centers = [(each[..., :2] + each[..., 2:]) / 2 for each in (boxes1, boxes2)]
    apart = ((centers[0][..., :, None, :] - centers[1][..., None, :, :]) ** 2).sum(-1)
    return box_iou(boxes1, boxes2) - apart / diagonal  # type: ignore[no-any-return]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return distance_box_iou less how much the ratios of width to height differ."""
    angles = [
        jitnet.atan((each[..., 2] - each[..., 0]) / (each[..., 3] - each[..., 1]))
        for each in (boxes1, boxes2)
    ]
    differ = (4 / jitnet.pi**2) * (angles[0][..., :, None] - angles[1][..., None, :]) ** 2
    with jitnet.no_grad():
        share = differ / (1 - box_iou(boxes1, boxes2) + differ + eps)
    return distance_box_iou(boxes1, boxes2, eps) - share * differ  # type: ignore[no-any-return]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return boxes moved into an image of a height and a width."""
    height, width = size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return jitnet.stack((x, y), dim=-1).reshape(boxes.shape)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Return the places of the boxes whose sides are both at least min_size."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return ((width >= min_size) & (height >= min_size)).nonzero()[:, 0]  # type: ignore[no-any-return]


def masks_to_boxes(masks: Tensor) -> Tensor:
    """Return the box around what is set in each of N masks, [N, H, W] -> [N, 4]."""
    boxes = jitnet.zeros((masks.shape[0], 4), device=masks.device)
    for place, mask in enumerate(masks):
        y, x = jitnet.where(mask != 0)
        boxes[place] = jitnet.stack((x.min(), y.min(), x.max(), y.max())).to(boxes.dtype)
    return boxes


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the places of boxes to keep, by falling score: none overlaps a better one too much.

    How many there are only a run knows, so compiled functions cannot call it.
    """
    order = scores.argsort(descending=True, stable=True)
    over = (box_iou(boxes[order], boxes[order]) > iou_threshold).numpy()
    kept: list[int] = []
    for place in range(len(over)):
        if not over[place, kept].any():
            kept.append(place)
    return order[jitnet.tensor(kept, dtype=jitnet.int64)]  # type: ignore[no-any-return]


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """Return what nms keeps where only boxes of the same idxs count as overlapping."""
    if boxes.numel() == 0:
        return jitnet.zeros((0,), dtype=jitnet.int64)
    apart = idxs.to(boxes.dtype) * (boxes.max() + 1)
    return nms(boxes + apart[:, None], scores, iou_threshold)
