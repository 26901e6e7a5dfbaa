"""Which terms of a limited sum count: batch elements for which the same do are of one class.

So is the gradient of an image at its edges, where the kernel reaches beyond the results. Other than
with zeros around these, nothing is copied, and nothing is multiplied by zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from jitnet.runtime.dataclass import dataclass

from .contraction_form import Contraction, Limit, Sizes

Taps = frozenset[int]  # flat indices of the K dims but the last


@dataclass(frozen=True)
class TapClasses:
    """The class of each batch element, and the taps of each class.

    adds: for each batch dim, what each index adds to the number of the class.
    """

    adds: tuple[Sizes, ...]
    taps: tuple[Sizes, ...]


def tap_classes(c: Contraction) -> TapClasses:
    """Return the classes of a limited contraction."""
    always = [limit for limit in c.limits if not any(limit.batch)]
    classes = [_counting(c, always, 0)]
    adds: list[Sizes] = []
    for axis, size in enumerate(c.batch):
        limits = [limit for limit in c.limits if limit.batch[axis]]
        each = [_counting(c, limits, axis, index) for index in range(size)]
        different = list(dict.fromkeys(each))
        adds.append(tuple(different.index(taps) * len(classes) for taps in each))
        classes = [before & taps for taps in different for before in classes]
    return TapClasses(tuple(adds), tuple(tuple(sorted(taps)) for taps in classes))


def _counting(c: Contraction, limits: Sequence[Limit], axis: int, index: int = 0) -> Taps:
    """Return the taps that these limits let count at an index of a batch dim."""
    places = product(*(range(size) for size in c.k[:-1]))
    return frozenset(
        tap
        for tap, place in enumerate(places)
        if all(_holds(limit, place, axis, index) for limit in limits)
    )


def _holds(limit: Limit, place: Sizes, axis: int, index: int) -> bool:
    total = sum(step * at for step, at in zip(limit.k, place, strict=False))
    total += limit.batch[axis] * index if index else 0
    return limit.low <= total < limit.high
