"""DataLoader: batches of a dataset, in order or shuffled, read ahead by workers if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any

from jitnet import creation
from jitnet.generator import Generator

from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .fetch import EndOfStream, make_fetch
from .parallel import ParallelIterator, Team, Worker
from .pinning import can_pin, pinned
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from .threads import ThreadWorker
from .worker import Setup, WorkerInfo

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext


class DataLoader:
    """Iterate over a dataset in batches.

    Workers (num_workers > 0) are threads: they need no pickling and start at once, read while
    compiled code runs (it holds no lock of Python's), and share Python's interpreter for the rest.
    multiprocessing_context="forkserver" (or "spawn", or a context) makes them processes, for
    datasets that compute in Python; dataset and functions must then be picklable, and the script's
    main part stand under `if __name__ == "__main__":`. "fork" is possible but unsafe beside
    threads.

    pin_memory: batches come in pinned memory, from which copies to a GPU need not be waited for
    (x.to("cuda", non_blocking=True)); a warning where there is no GPU. pin_memory_device is
    accepted and changes nothing.

    Worker processes have random streams of their own (random, NumPy and jitnet are seeded by
    get_worker_info().seed); worker threads share this process's, in no fixed order.

    The options are PyTorch's: sampler or batch_sampler instead of shuffle, generator for shuffling,
    drop_last, collate_fn, timeout (seconds to wait for a worker, 0 for ever), worker_init_fn,
    prefetch_factor (batches that each worker reads ahead, 2), persistent_workers.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        if not in_order:
            raise NotImplementedError("DataLoader gives batches in order only; leave in_order=True")
        _check_sampling(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.dataset = dataset
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = 2 if prefetch_factor is None and num_workers else prefetch_factor
        self.persistent_workers = persistent_workers
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = _sampler(dataset, shuffle, generator) if sampler is None else sampler
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn = collate_fn
        self._team: Team | None = None

    def __iter__(self) -> Iterator[Any]:
        # Drawn without workers too, so that orders do not depend on how many there are.
        seed = int(creation.randint(0, 2**62, (), generator=self.generator, device="cpu").item())
        batches = self._parallel(seed) if self.num_workers else self._serial()
        return pinned(batches) if self.pin_memory and can_pin() else batches

    def _places(self) -> Iterable[Any]:
        """Return what is asked for, batch by batch: lists of indices, or single indices."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _serial(self) -> Iterator[Any]:
        batched = self.batch_sampler is not None
        fetch = make_fetch(self.dataset, batched, self.collate_fn, self.drop_last)
        for indices in self._places():
            try:
                batch = fetch(indices)
            except EndOfStream:
                return
            yield batch

    def _parallel(self, seed: int) -> ParallelIterator:
        team = self._team
        if team is None or not self.persistent_workers:
            team = Team(self._starter(), self._setups(seed))
            self._team = team if self.persistent_workers else None
        ahead = self.prefetch_factor or 2
        places = iter(self._places())
        return ParallelIterator(team, places, ahead, self.timeout, self.persistent_workers)

    def _starter(self) -> Callable[[Setup], Worker]:
        context = self.multiprocessing_context
        if context is None:
            return ThreadWorker
        # multiprocessing is slow to import, and most loaders do without it.
        import multiprocessing

        from .processes import ProcessWorker

        made = multiprocessing.get_context(context) if isinstance(context, str) else context
        return lambda setup: ProcessWorker(setup, made)

    def _setups(self, seed: int) -> list[Setup]:
        return [
            Setup(
                WorkerInfo(number, self.num_workers, seed + number, self.dataset),
                self.batch_sampler is not None,
                self.collate_fn,
                self.drop_last,
                self.worker_init_fn,
            )
            for number in range(self.num_workers)
        ]

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._places())  # type: ignore[arg-type]
        samples = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return samples
        whole, rest = divmod(samples, self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)


class _Endless(Sampler[None]):
    """Asks a stream for samples until it ends."""

    def __iter__(self) -> Iterator[None]:
        return repeat(None)


def _sampler(dataset: Any, shuffle: bool | None, generator: Any) -> Iterable[Any]:
    if isinstance(dataset, IterableDataset):
        return _Endless()
    if shuffle:
        return RandomSampler(dataset, generator=generator)
    return SequentialSampler(dataset)


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool
) -> None:
    if isinstance(num_workers, bool) or not isinstance(num_workers, int) or num_workers < 0:
        raise ValueError(f"num_workers must be an int of at least 0, got {num_workers!r}")
    if timeout < 0:
        raise ValueError(f"timeout must not be negative, got {timeout}")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError("prefetch_factor is for workers: set num_workers, or leave it out")
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"prefetch_factor must be at least 1, got {prefetch_factor}")
    if num_workers == 0 and persistent:
        raise ValueError("persistent_workers is for workers: set num_workers, or leave it out")


def _check_sampling(
    dataset: Any,
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Any,
    batch_sampler: Any,
    drop_last: bool,
) -> None:
    if isinstance(dataset, IterableDataset):
        if shuffle:
            raise ValueError("a stream (IterableDataset) cannot be shuffled by the DataLoader")
        if sampler is not None or batch_sampler is not None:
            raise ValueError("a stream (IterableDataset) takes no sampler")
    elif not hasattr(dataset, "__getitem__"):
        raise TypeError(
            f"a dataset has __getitem__ and __len__, or is an IterableDataset; "
            f"got {type(dataset).__name__}"
        )
    if sampler is not None and shuffle:
        raise ValueError("sampler excludes shuffle: let the sampler shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError("batch_sampler excludes batch_size, shuffle, sampler and drop_last")
    elif batch_size is None:
        if drop_last:
            raise ValueError("batch_size=None excludes drop_last: there are no batches")
    elif isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size <= 0:
        raise ValueError(f"batch_size must be a positive int or None, got {batch_size!r}")
