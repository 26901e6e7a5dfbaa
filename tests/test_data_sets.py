"""Datasets, samplers and collating."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)

Point = namedtuple("Point", ["x", "y"])


def _generator(seed: int = 0) -> jitnet.Generator:
    return jitnet.Generator().manual_seed(seed)


class Squares(Dataset[int]):
    def __init__(self, size: int) -> None:
        self.size = size

    def __getitem__(self, index: int) -> int:
        if index >= self.size:
            raise IndexError(index)
        return index * index

    def __len__(self) -> int:
        return self.size


class Stream(IterableDataset[int]):
    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Any:
        return iter(range(self.size))

    def __len__(self) -> int:
        return self.size


def test_tensor_dataset() -> None:
    data = TensorDataset(jitnet.arange(6).reshape(3, 2), jitnet.arange(3))
    assert len(data) == 3
    x, y = data[1]
    assert (x.tolist(), y.item()) == ([2, 3], 1)
    assert len(list(data)) == 3
    with pytest.raises(ValueError, match="agree in their first dim"):
        TensorDataset(jitnet.ones(2), jitnet.ones(3))
    with pytest.raises(ValueError, match="at least one tensor"):
        TensorDataset()
    with pytest.raises(ValueError, match="0-d"):
        TensorDataset(jitnet.ones(()))


def test_datasets_made_of_datasets() -> None:
    both = Squares(3) + Squares(2)
    assert isinstance(both, ConcatDataset)
    assert [both[i] for i in range(len(both))] == [0, 1, 4, 0, 1]
    assert both[-1] == 1
    with pytest.raises(IndexError, match="out of range for 5"):
        both[5]
    subset = Subset(Squares(5), [4, 2])
    assert [subset[i] for i in range(2)] == [16, 4]
    stacked = StackDataset(Squares(2), Squares(2))
    assert stacked[1] == (1, 1)
    assert StackDataset(a=Squares(2))[1] == {"a": 1}
    chained = Stream(2) + Stream(1)
    assert isinstance(chained, ChainDataset)
    assert list(chained) == [0, 1, 0]
    assert len(chained) == 3
    with pytest.raises(ValueError, match="one length"):
        StackDataset(Squares(2), Squares(3))
    with pytest.raises(TypeError, match="chain streams"):
        ConcatDataset([Stream(2)])
    with pytest.raises(NotImplementedError, match="must define __getitem__"):
        Dataset()[0]


@pytest.mark.parametrize(
    ("lengths", "sizes"), [([7, 3], [7, 3]), ([0.5, 0.5], [5, 5]), ([0.35, 0.65], [4, 6])]
)
def test_random_split(lengths: list[Any], sizes: list[int]) -> None:
    parts = random_split(Squares(10), lengths, generator=_generator())
    assert [len(part) for part in parts] == sizes
    indices = [index for part in parts for index in part.indices]
    assert sorted(indices) == list(range(10))
    assert indices != list(range(10))
    again = random_split(Squares(10), lengths, generator=_generator())
    assert [part.indices for part in again] == [part.indices for part in parts]


def test_random_split_checks_lengths() -> None:
    with pytest.raises(ValueError, match="the dataset has 10"):
        random_split(Squares(10), [3, 3])


def test_samplers() -> None:
    assert list(SequentialSampler(Squares(3))) == [0, 1, 2]
    order = list(RandomSampler(Squares(50), generator=_generator()))
    assert sorted(order) == list(range(50))
    assert order != list(range(50))
    assert order == list(RandomSampler(Squares(50), generator=_generator()))
    more = list(RandomSampler(Squares(3), num_samples=7))
    assert len(more) == 7
    assert sorted(more[:3]) == [0, 1, 2]
    drawn = list(RandomSampler(Squares(3), replacement=True, num_samples=20))
    assert set(drawn) <= {0, 1, 2}
    assert len(drawn) == 20
    assert sorted(SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]
    with pytest.raises(ValueError, match="num_samples must be a positive int"):
        RandomSampler(Squares(3), num_samples=0)


def test_one_generator_gives_a_new_order_each_time() -> None:
    sampler = RandomSampler(Squares(50), generator=_generator())
    assert list(sampler) != list(sampler)


def test_weighted_sampler() -> None:
    weights = [0.0, 1.0, 3.0, 0.0]
    drawn = list(WeightedRandomSampler(weights, 4000, generator=_generator()))
    assert set(drawn) == {1, 2}
    assert drawn.count(2) / len(drawn) == pytest.approx(0.75, abs=0.03)
    once = list(WeightedRandomSampler(weights, 2, replacement=False, generator=_generator()))
    assert sorted(once) == [1, 2]
    with pytest.raises(ValueError, match="only 2 weights are positive"):
        WeightedRandomSampler(weights, 3, replacement=False)
    with pytest.raises(ValueError, match="not negative"):
        WeightedRandomSampler([-1.0], 1)
    with pytest.raises(ValueError, match="must be positive"):
        WeightedRandomSampler([0.0], 1)


def test_batch_sampler() -> None:
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    short = BatchSampler(SequentialSampler(Squares(5)), 2, True)
    assert list(short) == [[0, 1], [2, 3]]
    assert len(short) == 2
    with pytest.raises(ValueError, match="batch_size must be a positive int"):
        BatchSampler(range(5), 0, False)


def test_collating_scalars_and_arrays() -> None:
    assert default_collate([1, 2]).dtype is jitnet.int64
    assert default_collate([1.0, 2.0]).dtype is jitnet.float64
    assert default_collate([True, False]).dtype is jitnet.bool
    assert default_collate([np.float32(1), np.float32(2)]).dtype is jitnet.float32
    assert default_collate([np.float64(1), np.float64(2)]).dtype is jitnet.float64
    assert default_collate([np.zeros(2), np.ones(2)]).tolist() == [[0, 0], [1, 1]]
    assert default_collate([jitnet.zeros(2), jitnet.ones(2)]).shape == (2, 2)
    assert default_collate(["a", "b"]) == ["a", "b"]


def test_collating_nested_samples() -> None:
    batch = default_collate([{"a": (1, "x"), "b": [2.0]}, {"a": (3, "y"), "b": [4.0]}])
    assert batch["a"][0].tolist() == [1, 3]
    assert batch["a"][1] == ["x", "y"]
    assert batch["b"][0].tolist() == [2.0, 4.0]
    point = default_collate([Point(1, 2), Point(3, 4)])
    assert isinstance(point, Point)
    assert point.y.tolist() == [2, 4]


def test_collating_keeps_gradients() -> None:
    parts = [jitnet.ones(2, requires_grad=True) for _ in range(2)]
    default_collate(parts).sum().backward()
    assert parts[1].grad is not None
    assert parts[1].grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ([object()], TypeError, "give the DataLoader a collate_fn"),
        ([np.array(["a"])], TypeError, "arrays of numbers"),
        ([jitnet.ones(2), jitnet.ones(3)], RuntimeError, "must have one shape"),
        ([(1, 2), (1,)], RuntimeError, "must have one length"),
    ],
)
def test_collating_says_what_is_wrong(
    batch: list[Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        default_collate(batch)


def test_converting_single_samples() -> None:
    sample = default_convert({"a": np.ones(2), "b": (np.float32(1), "x")})
    assert isinstance(sample["a"], jitnet.Tensor)
    assert sample["b"][0].item() == 1.0
    assert sample["b"][1] == "x"
    assert default_convert(3) == 3
