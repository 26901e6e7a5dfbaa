"""What a worker does: take indices, fetch and collate, send the batch; in a thread or a process."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .fetch import EndOfStream, Fetch, make_fetch


@dataclass(frozen=True)
class WorkerInfo:
    """What get_worker_info() says: which worker of how many, its seed, its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


@dataclass(frozen=True)
class Setup:
    """All that a worker must know."""

    info: WorkerInfo
    batched: bool
    collate: Callable[[Any], Any]
    drop_last: bool
    worker_init_fn: Callable[[int], Any] | None


@dataclass(frozen=True)
class Task:
    """Indices to fetch. epoch: which iteration of the loader asks; a new one restarts streams."""

    epoch: int
    indices: Any


@dataclass(frozen=True)
class Batch:
    """A fetched batch."""

    epoch: int
    data: Any


@dataclass(frozen=True)
class Ended:
    """The worker's stream has no further batch."""

    epoch: int


@dataclass(frozen=True)
class Failure:
    """The dataset, the collate function or the init function raised an exception."""

    epoch: int
    error: BaseException | None  # where the reader is in the same process
    kind: type[BaseException]
    text: str  # its traceback


@dataclass(frozen=True)
class Died:
    """The worker's process is gone."""

    reason: str


_local = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Return which DataLoader worker runs this code; None outside of workers."""
    info: WorkerInfo | None = getattr(_local, "info", None)
    return info


def work(setup: Setup, receive: Callable[[], Task | None], send: Callable[[Any], None]) -> None:
    """Serve tasks until None comes."""
    _local.info = setup.info
    start_error: Exception | None = None
    if setup.worker_init_fn is not None:
        try:
            setup.worker_init_fn(setup.info.id)
        except Exception as error:
            start_error = error
    epoch = -1
    fetch: Fetch | None = None
    while (task := receive()) is not None:
        try:
            if start_error is not None:
                raise start_error
            if fetch is None or task.epoch != epoch:
                epoch = task.epoch
                fetch = make_fetch(
                    setup.info.dataset, setup.batched, setup.collate, setup.drop_last
                )
            answer: Any = Batch(task.epoch, fetch(task.indices))
        except EndOfStream:
            answer = Ended(task.epoch)
        except Exception as error:
            answer = Failure(task.epoch, error, type(error), traceback.format_exc())
        send(answer)


def raise_failure(failure: Failure, where: str) -> None:
    """Raise a worker's exception: itself if it is at hand, else its type with its traceback."""
    if failure.error is not None:
        failure.error.add_note(f"(raised in DataLoader {where})")
        raise failure.error
    message = f"Caught {failure.kind.__name__} in DataLoader {where}.\nOriginal {failure.text}"
    try:
        error = failure.kind(message)
    except TypeError:  # its constructor wants other arguments
        error = RuntimeError(message)
    raise error
