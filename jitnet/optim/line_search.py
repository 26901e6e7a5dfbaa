"""A line search for the strong Wolfe conditions (Nocedal and Wright, 2006, algorithms 3.5, 3.6)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from jitnet.tensor import Tensor

_SUFFICIENT, _CURVATURE = 1e-4, 0.9


@dataclass(frozen=True)
class Point:
    """A place on the line: its distance, the loss, the gradient, and the slope along the line."""

    t: float
    loss: float
    grad: Tensor
    slope: float


def cubic(a: Point, b: Point, low: float, high: float) -> float:
    """Return where the cubic through two points with slopes is least, kept within bounds."""
    left, right = (a, b) if a.t <= b.t else (b, a)
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = first * first - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    width = right.t - left.t
    place = right.t - width * ((right.slope + root - first) / (right.slope - left.slope + 2 * root))
    return min(max(place, low), high)


def strong_wolfe(
    at: Callable[[float], Point],
    start: Point,
    t: float,
    reach: float,
    least_change: float = 1e-9,
    most: int = 25,
) -> tuple[Point, int]:
    """Return a point that satisfies the conditions, or the best one found, and the evaluations.

    at: evaluates the line at a distance; start: its point at 0; reach: the direction's largest
    element, by which small distances are told.
    """

    def rises(point: Point) -> bool:
        return point.loss > start.loss + _SUFFICIENT * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -_CURVATURE * start.slope

    before, now, count = start, at(t), 0
    pair: list[Point] | None = None
    while count < most:
        if rises(now) or (count > 1 and now.loss >= before.loss):
            pair = [before, now]
            break
        if flat(now):
            return now, count + 1
        if now.slope >= 0:
            pair = [before, now]
            break
        step = cubic(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10)
        before, now, count = now, at(step), count + 1
    bracket = pair or [start, now]
    stuck = False
    while count < most:
        low, high = sorted(bracket, key=lambda point: point.loss)
        near, far = min(low.t, high.t), max(low.t, high.t)
        if (far - near) * reach < least_change:
            break
        t = cubic(bracket[0], bracket[1], near, far)
        t, stuck = _off_the_ends(t, near, far, stuck)
        now, count = at(t), count + 1
        if rises(now) or now.loss >= low.loss:
            bracket = [low, now]
        elif flat(now):
            return now, count + 1
        else:
            bracket = [now, low if now.slope * (high.t - low.t) >= 0 else high]
    return min(bracket, key=lambda point: point.loss), count + 1


def _off_the_ends(t: float, near: float, far: float, stuck: bool) -> tuple[float, bool]:
    """Return t moved off a bracket's end if it stays there, and whether it is at an end now."""
    margin = 0.1 * (far - near)
    if min(far - t, t - near) >= margin:
        return t, False
    if not stuck and near < t < far:
        return t, True
    return (far - margin if abs(t - far) < abs(t - near) else near + margin), False
