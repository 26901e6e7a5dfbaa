"""jitnet.utils._foreach_utils: how optimizers written for PyTorch sort tensors into groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet.missing import missing
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

Lists = list[list[Tensor | None]]


def _group_tensors_by_device_and_dtype(
    tensorlistlist: Sequence[Sequence[Tensor | None]], with_indices: bool = False
) -> dict[tuple[Any, DType], tuple[Lists, list[int]]]:
    """Return (device, dtype) -> lists of what belongs to the first list's tensors of that kind.

    With them, if with_indices is set, come the places that the tensors had.
    """
    groups: dict[tuple[Any, DType], tuple[Lists, list[int]]] = {}
    for place, items in enumerate(zip(*tensorlistlist, strict=True)):
        first = items[0]
        if first is None:
            raise ValueError(f"the first list has no tensor at {place}")
        lists, places = groups.setdefault((first.device, first.dtype), ([[] for _ in items], []))
        for own, item in zip(lists, items, strict=True):
            own.append(item)
        if with_indices:
            places.append(place)
    return groups


__getattr__ = missing(__name__, globals())
