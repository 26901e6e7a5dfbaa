"""Samplers: the order in which DataLoader reads a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np

from jitnet import creation
from jitnet.generator import Generator
from jitnet.runtime.dtype import float64

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """An iterable of indices; a subclass defines `__iter__` and, where it can, `__len__`."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__(self)")


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise ValueError(f"{name} must be a positive int, got {value!r}")
    return value


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A new random order each time; with replacement, independent draws.

    num_samples: how many to draw, the dataset's length if not given.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement must be a bool, got {replacement!r}")
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = None if num_samples is None else _positive("num_samples", num_samples)
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many indices one iteration gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        size = len(self.data_source)
        if self.replacement:
            drawn = creation.randint(0, size, (self.num_samples,), generator=self.generator)
            yield from drawn.tolist()
            return
        left = self.num_samples
        while left > 0:
            order = creation.randperm(size, generator=self.generator, device="cpu").tolist()
            yield from order[:left]
            left -= size

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Given indices, in a new random order each time."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        order = creation.randperm(len(self.indices), generator=self.generator, device="cpu")
        for position in order.tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices 0 .. len(weights) - 1, drawn with probabilities proportional to weights."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement must be a bool, got {replacement!r}")
        self.weights = np.asarray([float(weight) for weight in weights], dtype=np.float64)
        self.num_samples = _positive("num_samples", num_samples)
        self.replacement = replacement
        self.generator = generator
        if (self.weights < 0).any() or not np.isfinite(self.weights).all():
            raise ValueError("weights must be finite and not negative")
        possible = int((self.weights > 0).sum())
        if possible == 0:
            raise ValueError("at least one weight must be positive")
        if not replacement and self.num_samples > possible:
            raise ValueError(
                f"cannot draw {num_samples} samples without replacement: "
                f"only {possible} weights are positive"
            )

    def __iter__(self) -> Iterator[int]:
        if self.replacement:
            return iter(self._with_replacement().tolist())
        return iter(self._without_replacement().tolist())

    def _uniform(self, count: int) -> np.ndarray:
        drawn = creation.rand((count,), dtype=float64, generator=self.generator, device="cpu")
        return np.asarray(drawn.numpy())

    def _with_replacement(self) -> np.ndarray:
        edges = np.cumsum(self.weights)
        places = self._uniform(self.num_samples) * edges[-1]
        last = np.flatnonzero(self.weights)[-1]  # where rounding would step past the last edge
        return np.minimum(np.searchsorted(edges, places, side="right"), last)

    def _without_replacement(self) -> np.ndarray:
        # The largest u^(1/w) are a weighted draw (Efraimidis and Spirakis, 2006).
        with np.errstate(divide="ignore"):
            keys = np.log(self._uniform(len(self.weights))) / self.weights
        keys[self.weights == 0] = -np.inf
        return np.argsort(-keys, kind="stable")[: self.num_samples]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of batch_size indices of another sampler; a last short one unless drop_last."""

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler = sampler
        self.batch_size = _positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last must be a bool, got {drop_last!r}")
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        if self.drop_last:
            return count // self.batch_size
        return -(-count // self.batch_size)
