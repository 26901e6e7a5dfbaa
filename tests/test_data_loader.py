"""DataLoader: batches, workers in threads and processes, and what goes wrong in them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    get_worker_info,
)

KINDS: list[dict[str, Any]] = [
    {},
    {"num_workers": 2},
    {"num_workers": 2, "multiprocessing_context": "forkserver"},
]
KIND_IDS = ["serial", "threads", "processes"]


class Rows(Dataset[Any]):
    """Sample i is (row of i's, i); sample `bad` raises."""

    def __init__(self, size: int, bad: int | None = None) -> None:
        self.size = size
        self.bad = bad
        self.note = "unset"

    def __getitem__(self, index: int) -> Any:
        if index == self.bad:
            raise ValueError(f"sample {index} is broken")
        return np.full(3, index, np.float32), index

    def __len__(self) -> int:
        return self.size


class Notes(Rows):
    """Sample i says which worker reads it and what it was told."""

    def __getitem__(self, index: int) -> Any:
        info = get_worker_info()
        assert info is not None
        return index, info.id, info.dataset.note == f"worker {info.id}", os.getpid()


class Stream(IterableDataset[int]):
    """0 .. size - 1, shared out between workers."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(start, self.size, step))

    def __len__(self) -> int:
        return self.size


class Deadly(Rows):
    """Sample 3 ends the process."""

    def __getitem__(self, index: int) -> Any:
        if index == 3:
            os._exit(7)
        return super().__getitem__(index)


def write_note(worker: int) -> None:
    info = get_worker_info()
    assert info is not None
    info.dataset.note = f"worker {worker}"


def fail_to_start(worker: int) -> None:
    raise KeyError(f"worker {worker} cannot start")


def _data_threads() -> int:
    return sum(thread.name.startswith("jitnet-data") for thread in threading.enumerate())


@pytest.mark.parametrize("options", KINDS, ids=KIND_IDS)
def test_batches_come_in_order(options: dict[str, Any]) -> None:
    loader = DataLoader(Rows(7), batch_size=3, **options)
    assert len(loader) == 3
    batches = list(loader)
    assert [y.tolist() for _, y in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches[1][0].tolist() == [[3.0] * 3, [4.0] * 3, [5.0] * 3]
    assert batches[1][0].dtype is jitnet.float32


@pytest.mark.parametrize("options", KINDS, ids=KIND_IDS)
def test_a_sample_that_raises(options: dict[str, Any]) -> None:
    loader = DataLoader(Rows(6, bad=3), batch_size=2, **options)
    seen = []
    with pytest.raises(ValueError, match="sample 3 is broken"):
        for _, y in loader:
            seen.append(y.tolist())
    assert seen == [[0, 1]]


@pytest.mark.parametrize("options", KINDS[1:], ids=KIND_IDS[1:])
def test_workers_know_who_they_are_and_own_their_dataset(options: dict[str, Any]) -> None:
    dataset = Notes(8)
    loader = DataLoader(dataset, batch_size=2, worker_init_fn=write_note, **options)
    batches = list(loader)
    assert [batch[1].tolist() for batch in batches] == [[0, 0], [1, 1], [0, 0], [1, 1]]
    assert all(all(batch[2].tolist()) for batch in batches)
    own_process = {pid for batch in batches for pid in batch[3].tolist()} == {os.getpid()}
    assert own_process is ("multiprocessing_context" not in options)
    assert dataset.note == "unset"
    assert get_worker_info() is None


@pytest.mark.parametrize("options", KINDS, ids=KIND_IDS)
def test_streams(options: dict[str, Any]) -> None:
    loader = DataLoader(Stream(7), batch_size=2, **options)
    assert len(loader) == 4
    samples = [value for batch in loader for value in batch.tolist()]
    assert sorted(samples) == list(range(7))


@pytest.mark.parametrize("options", KINDS[:2], ids=KIND_IDS[:2])
def test_streams_drop_the_last_short_batch(options: dict[str, Any]) -> None:
    batches = list(DataLoader(Stream(7), batch_size=2, drop_last=True, **options))
    assert all(len(batch) == 2 for batch in batches)
    assert len(batches) == 3


@pytest.mark.parametrize("options", KINDS[1:], ids=KIND_IDS[1:])
def test_leaving_early_and_coming_back(options: dict[str, Any]) -> None:
    loader = DataLoader(Rows(50), batch_size=2, persistent_workers=True, **options)
    for _ in range(2):
        for _, y in loader:
            assert y.tolist() == [0, 1]
            break
    assert len(list(loader)) == 25
    team = loader._team
    list(loader)
    assert loader._team is team


@pytest.mark.parametrize("options", KINDS[1:], ids=KIND_IDS[1:])
def test_a_worker_that_cannot_start(options: dict[str, Any]) -> None:
    loader = DataLoader(Rows(4), worker_init_fn=fail_to_start, **options)
    with pytest.raises(KeyError, match="cannot start"):
        next(iter(loader))


def test_a_process_that_dies_is_reported() -> None:
    loader = DataLoader(Deadly(8), batch_size=2, **KINDS[2])
    with pytest.raises(RuntimeError, match=r"worker process 1 died: .* exit code 7"):
        list(loader)


def test_an_error_in_a_process_shows_its_traceback() -> None:
    loader = DataLoader(Rows(2, bad=0), **KINDS[2])
    with pytest.raises(ValueError, match=r"(?s)Caught ValueError in DataLoader.*__getitem__"):
        list(loader)


def test_threads_end_when_a_loop_is_left() -> None:
    before = _data_threads()
    for _ in DataLoader(Rows(50), batch_size=2, num_workers=3):
        break
    assert _data_threads() <= before


def test_a_slow_worker_times_out() -> None:
    gate = threading.Event()

    class Slow(Rows):
        def __getitem__(self, index: int) -> Any:
            gate.wait(30)
            return index

    loader = DataLoader(Slow(2), num_workers=1, timeout=0.05)
    with pytest.raises(RuntimeError, match=r"timed out after 0\.05 seconds"):
        next(iter(loader))
    gate.set()


def test_threads_take_local_classes_and_functions() -> None:
    class Local(Dataset[int]):
        def __getitem__(self, index: int) -> int:
            return index

        def __len__(self) -> int:
            return 4

    loader = DataLoader(Local(), batch_size=2, num_workers=2, collate_fn=lambda batch: sum(batch))
    assert list(loader) == [1, 5]


def test_shuffling_repeats_with_the_generator() -> None:
    data = TensorDataset(jitnet.arange(20))

    def order(seed: int) -> list[int]:
        generator = jitnet.Generator().manual_seed(seed)
        loader = DataLoader(data, batch_size=3, shuffle=True, generator=generator)
        return [value for (batch,) in loader for value in batch.tolist()]

    assert sorted(order(0)) == list(range(20))
    assert order(0) == order(0)
    assert order(0) != order(1)


def test_tensor_datasets_are_read_in_one_step_and_copied() -> None:
    x, y = jitnet.arange(12).reshape(6, 2), jitnet.arange(6)
    loader = DataLoader(Subset(TensorDataset(x, y), [5, 1, 3]), batch_size=2)
    batches = list(loader)
    assert isinstance(batches[0], list)
    assert [batch[0].tolist() for batch in batches] == [[[10, 11], [2, 3]], [[6, 7]]]
    batches[0][1].fill_(-1)
    assert y.tolist() == [0, 1, 2, 3, 4, 5]
    assert list(DataLoader(TensorDataset(x[:0], y[:0]), batch_size=2)) == []


def test_drop_last_and_length() -> None:
    loader = DataLoader(Rows(7), batch_size=3, drop_last=True)
    assert len(loader) == 2
    assert len(list(loader)) == 2


def test_without_batching() -> None:
    loader = DataLoader(Rows(2), batch_size=None)
    assert len(loader) == 2
    x, y = next(iter(loader))
    assert x.shape == (3,)
    assert y == 0


def test_own_sampler_and_batch_sampler() -> None:
    data = Rows(6)
    loader = DataLoader(data, batch_size=2, sampler=[5, 3, 1])
    assert [y.tolist() for _, y in loader] == [[5, 3], [1]]
    loader = DataLoader(data, batch_sampler=[[0, 5], [2]])
    assert [y.tolist() for _, y in loader] == [[0, 5], [2]]
    assert len(loader) == 2
    assert isinstance(DataLoader(data).sampler, SequentialSampler)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be a positive int"),
        ({"num_workers": -1}, ValueError, "num_workers"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor is for workers"),
        ({"persistent_workers": True}, ValueError, "persistent_workers is for workers"),
        ({"num_workers": 1, "prefetch_factor": 0}, ValueError, "at least 1"),
        ({"sampler": [1], "shuffle": True}, ValueError, "sampler excludes shuffle"),
        ({"batch_sampler": [[1]], "batch_size": 2}, ValueError, "batch_sampler excludes"),
        ({"batch_size": None, "drop_last": True}, ValueError, "excludes drop_last"),
        ({"in_order": False}, NotImplementedError, "in order"),
        ({"speed": 3}, TypeError, "unexpected keyword"),
    ],
)
def test_wrong_options_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        DataLoader(Rows(3), **options)


def test_wrong_datasets_are_refused() -> None:
    with pytest.raises(TypeError, match="a dataset has __getitem__"):
        DataLoader(3)
    with pytest.raises(ValueError, match="cannot be shuffled"):
        DataLoader(Stream(3), shuffle=True)
    with pytest.raises(ValueError, match="takes no sampler"):
        DataLoader(Stream(3), sampler=[1])


def test_threads_read_on_while_a_step_is_traced_and_compiled() -> None:
    class Doubled(Dataset[Any]):
        def __getitem__(self, index: int) -> Any:
            with jitnet.no_grad():
                return jitnet.full((3,), float(index)) * 2

        def __len__(self) -> int:
            return 33

    @jitnet.compile
    def total(x: jitnet.Tensor) -> jitnet.Tensor:
        return (x * x).sum(1)

    loader = DataLoader(Doubled(), batch_size=4, num_workers=3)
    sums = [value for x in loader for value in total(x).tolist()]
    assert sums == [12.0 * index * index for index in range(33)]


@jitnet.compile
def squares(x: jitnet.Tensor) -> jitnet.Tensor:
    return (x * x).sum()


class Squares(Dataset[Any]):
    """Sample i is computed by a compiled function, in the worker."""

    def __getitem__(self, index: int) -> Any:
        return squares(jitnet.full((300,), float(index)))

    def __len__(self) -> int:
        return 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_processes_fork_while_a_compiled_step_runs() -> None:
    """Neither side inherits a lock, or a team, in the middle of a call."""
    weight = jitnet.zeros(200_000)

    @jitnet.compile
    def step(x: jitnet.Tensor) -> None:
        weight.add_(x.cos() * x.cos() + x.sin() * x.sin())

    taken, enough = [0], threading.Event()

    def work() -> None:
        x = jitnet.rand(200_000)
        while not enough.is_set():
            step(x)
            taken[0] += 1

    trainer = threading.Thread(target=work)
    trainer.start()
    try:
        for _ in range(2):
            loader = DataLoader(
                Squares(), batch_size=4, num_workers=2, multiprocessing_context="fork"
            )
            sums = [value for batch in loader for value in batch.tolist()]
            assert sums == [300.0 * index * index for index in range(8)]
    finally:
        enough.set()
        trainer.join()
    assert taken[0] > 0
    np.testing.assert_allclose(weight.numpy(), float(taken[0]), rtol=1e-3)


def test_workers_do_not_change_the_order() -> None:
    """The same seed gives the same epochs, whoever fetches the samples."""
    epochs = []
    for options in ({}, {"num_workers": 2}, {"num_workers": 2, "persistent_workers": True}):
        generator = jitnet.Generator().manual_seed(1)
        loader = DataLoader(range(9), batch_size=2, shuffle=True, generator=generator, **options)
        epochs.append([[batch.tolist() for batch in loader] for _ in range(2)])
    assert epochs[0] == epochs[1] == epochs[2]
    assert epochs[0][0] != epochs[0][1]
