"""Fetching: indices become a batch, from datasets by index and from streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from jitnet import creation
from jitnet.tensor import Tensor

from .collate import default_collate
from .dataset import IterableDataset, Subset, TensorDataset

Fetch = Callable[[Any], Any]


class EndOfStream(Exception):  # noqa: N818 - a signal, not an error
    """A stream has no further batch."""


def make_fetch(
    dataset: Any, batched: bool, collate: Callable[[Any], Any], drop_last: bool
) -> Fetch:
    """Return a function from indices (one index if not batched) to a collated batch."""
    if isinstance(dataset, IterableDataset):
        return _from_stream(iter(dataset), batched, collate, drop_last)
    if not batched:
        return lambda index: collate(dataset[index])
    if collate is default_collate and _is_tensors(dataset):
        return lambda indices: _rows(dataset, np.asarray(indices, dtype=np.int64))
    if hasattr(dataset, "__getitems__"):
        return lambda indices: collate(dataset.__getitems__(indices))
    return lambda indices: collate([dataset[index] for index in indices])


def _is_tensors(dataset: Any) -> bool:
    """Whether samples are rows of tensors, so that a batch is one indexing of each tensor."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return type(dataset) is TensorDataset and not any(
        tensor.requires_grad for tensor in dataset.tensors
    )


def _rows(dataset: Any, indices: np.ndarray) -> list[Any]:
    """Return the rows of every tensor, in new memory."""
    while type(dataset) is Subset:
        indices = np.asarray(dataset.indices, dtype=np.int64)[indices]
        dataset = dataset.dataset
    return [_rows_of(tensor, indices) for tensor in dataset.tensors]


def _rows_of(tensor: Tensor, indices: np.ndarray) -> Tensor:
    if not tensor.is_cpu:
        places = creation.from_numpy(indices).to(tensor.device)
        return tensor.index_select(0, places)  # type: ignore[no-any-return]
    return creation.from_numpy(np.take(tensor._copied(), indices, axis=0))


def _from_stream(
    stream: Iterator[Any], batched: bool, collate: Callable[[Any], Any], drop_last: bool
) -> Fetch:
    def one(_: Any) -> Any:
        for sample in stream:
            return collate(sample)
        raise EndOfStream

    def many(places: Sequence[Any]) -> Any:
        samples = list(islice(stream, len(places)))
        if not samples or (drop_last and len(samples) < len(places)):
            raise EndOfStream
        return collate(samples)

    return many if batched else one
