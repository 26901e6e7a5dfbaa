"""Datasets: what DataLoader reads samples from."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from jitnet import creation
from jitnet.generator import Generator
from jitnet.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples by number; a subclass defines `__getitem__`, and `__len__` for most uses."""

    def __getitem__(self, index: int) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index)")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """Samples in a stream; a subclass defines `__iter__`.

    With workers, every one of them iterates: share the stream out by `get_worker_info()`.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__(self)")

    def __add__(self, other: Dataset[Any]) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Sample i is the tuple of tensor[i]; all tensors have the same first dim."""

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset wants at least one tensor")
        if any(tensor.dim() == 0 for tensor in tensors):
            raise ValueError("TensorDataset wants tensors with a first dim, got a 0-d one")
        sizes = [tensor.shape[0] for tensor in tensors]
        if len(set(sizes)) != 1:
            raise ValueError(f"tensors must agree in their first dim, got sizes {sizes}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class StackDataset(Dataset[Any]):
    """Sample i is the tuple (or dict) of the i-th samples of several datasets."""

    def __init__(self, *args: Dataset[Any], **kwargs: Dataset[Any]) -> None:
        if bool(args) == bool(kwargs):
            raise ValueError("StackDataset wants datasets either in order or by name")
        self.datasets: Any = dict(kwargs) if kwargs else tuple(args)
        sizes = [len(part) for part in self._parts()]  # type: ignore[arg-type]
        if len(set(sizes)) != 1:
            raise ValueError(f"datasets must have one length, got {sizes}")
        self._length = sizes[0]

    def _parts(self) -> Iterable[Dataset[Any]]:
        return self.datasets.values() if isinstance(self.datasets, dict) else self.datasets

    def __getitem__(self, index: int) -> Any:
        if isinstance(self.datasets, dict):
            return {name: part[index] for name, part in self.datasets.items()}
        return tuple(part[index] for part in self.datasets)

    def __len__(self) -> int:
        return self._length


class Subset(Dataset[T_co]):
    """The samples of a dataset at certain indices."""

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]  # type: ignore[index]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T_co]):
    """Datasets one after another."""

    def __init__(self, datasets: Iterable[Dataset[T_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset wants at least one dataset")
        if any(isinstance(part, IterableDataset) for part in self.datasets):
            raise TypeError("ConcatDataset wants datasets by index; chain streams by ChainDataset")
        sizes = [len(part) for part in self.datasets]  # type: ignore[arg-type]
        self.cumulative_sizes = list(accumulate(sizes))

    def __getitem__(self, index: int) -> T_co:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} samples")
        index %= len(self)
        part = bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][index - before]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[Any]):
    """Streams one after another."""

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        for part in self.datasets:
            if not isinstance(part, IterableDataset):
                raise TypeError(f"ChainDataset wants streams, got {type(part).__name__}")
            yield from part

    def __len__(self) -> int:
        return sum(len(part) for part in self.datasets)  # type: ignore[arg-type]


def random_split(
    dataset: Dataset[T_co],
    lengths: Sequence[int | float],
    generator: Generator | None = None,
) -> list[Subset[T_co]]:
    """Split a dataset at random into parts of given lengths, or of given shares that sum to 1.

    Shares are rounded down; what is left goes to the first parts, one each.
    """
    size = len(dataset)  # type: ignore[arg-type]
    counts = _counts(lengths, size)
    if sum(counts) != size:
        raise ValueError(f"lengths {list(lengths)} sum to {sum(counts)}, the dataset has {size}")
    order = creation.randperm(size, generator=generator, device="cpu").tolist()
    starts = [0, *accumulate(counts)]
    return [
        Subset(dataset, order[start : start + count])
        for start, count in zip(starts, counts, strict=False)
    ]


def _counts(lengths: Sequence[int | float], size: int) -> list[int]:
    if not math.isclose(sum(lengths), 1) or sum(lengths) > 1:
        return [operator.index(length) for length in lengths]  # type: ignore[arg-type]
    if any(not 0 <= share <= 1 for share in lengths):
        raise ValueError(f"shares must be between 0 and 1, got {list(lengths)}")
    counts = [math.floor(size * share) for share in lengths]
    for position in range(size - sum(counts)):
        counts[position % len(counts)] += 1
    return counts
