"""Grids and combinations of the elements of vectors."""

from __future__ import annotations

from itertools import combinations as choices
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from .indexing import index_select
from .joining import stack
from .shape import expand, reshape, transpose

__all__ = ["cartesian_prod", "combinations", "meshgrid"]


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Return the coordinates of a grid, one tensor for each axis."""
    if len(tensors) == 1 and not isinstance(tensors[0], Tensor):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise RuntimeError(at_line(f"meshgrid knows indexing 'ij' and 'xy', got {indexing!r}"))
    shape = [x._type.numel for x in tensors]
    grids = [
        expand(reshape(x, (1,) * i + (-1,) + (1,) * (len(tensors) - i - 1)), *shape)
        for i, x in enumerate(tensors)
    ]
    if indexing == "xy" and len(tensors) > 1:
        grids = [transpose(x, 0, 1) for x in grids]
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Return all combinations of the vectors' elements, one a row."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([grid.reshape(-1) for grid in meshgrid(*tensors)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all choices of r of a vector's elements, one a row."""
    if input.ndim != 1:
        raise RuntimeError(at_line(f"combinations wants a vector, got {input._type}"))
    if r < 0:
        raise RuntimeError(at_line(f"combinations wants r >= 0, got {r}"))
    choose = combinations_with_replacement if with_replacement else choices
    places = np.array(list(choose(range(input._type.numel), r)), np.int64).reshape(-1, r)
    if not r:
        return creation.zeros(0, dtype=input._type.dtype, device=input.device)
    line = index_select(input, 0, creation.literal(places.reshape(-1)))
    return reshape(line, places.shape)
