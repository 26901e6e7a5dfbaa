"""Collating: a list of samples becomes one batch, nested as the samples are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jitnet import creation
from jitnet.functional import stack
from jitnet.runtime.dtype import float64
from jitnet.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack samples: tensors, arrays and numbers into tensors, containers by their parts.

    A tuple of parts comes back as a list, strings as the list they are, as in PyTorch.
    """
    first = batch[0]
    match first:
        case Tensor():
            return _stack(batch)
        case np.ndarray() | np.generic():
            return _stack_arrays(batch)
        case float():
            return creation.tensor(list(batch), dtype=float64, device="cpu")
        case int():
            return creation.tensor(list(batch), device="cpu")
        case str() | bytes():
            return batch
        case Mapping():
            return _like(first, {key: default_collate([d[key] for d in batch]) for key in first})
        case tuple() | Sequence():
            return _collate_sequence(batch)
    raise TypeError(
        "default_collate wants tensors, NumPy arrays, numbers, strings, dicts or lists, got "
        f"{type(first).__name__}; give the DataLoader a collate_fn for it"
    )


def _stack(batch: Sequence[Tensor]) -> Tensor:
    shapes = {tuple(item.shape) for item in batch}
    if len(shapes) != 1:
        raise RuntimeError(
            f"samples of one batch must have one shape, got {sorted(shapes)}; "
            "pad them or give the DataLoader a collate_fn"
        )
    if any(item.requires_grad or not item.is_cpu for item in batch):
        return stack(list(batch))
    return creation.from_numpy(np.stack([item._copied() for item in batch]))


def _stack_arrays(batch: Sequence[Any]) -> Tensor:
    first = np.asarray(batch[0])
    if first.dtype.kind in "USO":
        raise TypeError(
            f"default_collate wants arrays of numbers, got NumPy dtype {first.dtype}; "
            "give the DataLoader a collate_fn"
        )
    return _stack([creation.from_numpy(np.array(item)) for item in batch])


def _collate_sequence(batch: Sequence[Any]) -> Any:
    first = batch[0]
    if any(len(sample) != len(first) for sample in batch):
        lengths = sorted({len(sample) for sample in batch})
        raise RuntimeError(f"samples of one batch must have one length, got {lengths}")
    parts = [default_collate(list(part)) for part in zip(*batch, strict=True)]
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*parts)
    if isinstance(first, tuple):
        return parts
    return _like(first, parts)


def _like(model: Any, parts: Any) -> Any:
    """Return parts in a container of the model's type, where that can be made from them."""
    if type(model) in (dict, list):
        return parts
    make: Callable[[Any], Any] = type(model)
    try:
        return make(parts)
    except TypeError:  # a container with a constructor of its own, such as range
        return parts


def default_convert(data: Any) -> Any:
    """Return a sample with its NumPy arrays and scalars as tensors; for batch_size=None."""
    match data:
        case np.ndarray() | np.generic():
            array = np.array(data)
            return data if array.dtype.kind in "USO" else creation.from_numpy(array)
        case Mapping():
            return _like(data, {key: default_convert(item) for key, item in data.items()})
        case tuple() if hasattr(data, "_fields"):
            return type(data)(*map(default_convert, data))
        case tuple():
            return [default_convert(item) for item in data]
        case str() | bytes():
            return data
        case Sequence():
            return _like(data, [default_convert(item) for item in data])
    return data
