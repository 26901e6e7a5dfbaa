"""How the input gradient of a strided convolution falls apart into dense ones, dim by dim."""

from __future__ import annotations

from jitnet.runtime.dataclass import dataclass


@dataclass(frozen=True)
class Phase:
    """Input positions first, first + stride, ... of one dim and the kernel taps that reach them.

    tap j is kernel element tap + j * tap_step and reads gradient position
    place + t - j * place_step for the t-th input position.
    """

    first: int
    count: int
    taps: int
    tap: int
    tap_step: int
    place: int
    place_step: int


def phases(size: int, kernel: int, stride: int, dilation: int, low: int) -> list[Phase]:
    """Return the phases of one dim of a strided convolution's input gradient."""
    found: list[Phase] = []
    for first in range(min(stride, size)):
        taps = [k for k in range(kernel) if (first + low - k * dilation) % stride == 0]
        count = -(-(size - first) // stride)
        if not taps:
            found.append(Phase(first, count, 0, 0, 1, 0, 1))
            continue
        step = taps[1] - taps[0] if len(taps) > 1 else 1
        place = (first + low - taps[0] * dilation) // stride
        place_step = step * dilation // stride
        found.append(Phase(first, count, len(taps), taps[0], step, place, place_step))
    return found


def gradient_margin(
    size: int, kernel: int, stride: int, dilation: int, low: int, out: int
) -> tuple[int, int]:
    """Return how far beyond its ends (low, high) the input gradient reads the output gradient."""
    first, last = 0, out - 1
    for phase in phases(size, kernel, stride, dilation, low):
        if not phase.taps:
            continue
        first = min(first, phase.place - (phase.taps - 1) * phase.place_step)
        last = max(last, phase.place + phase.count - 1)
    return -first, last - (out - 1)
