"""Reading ahead with workers: tasks go round, batches come back in the order of the sampler."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty
from typing import Any, Protocol

from .worker import Batch, Died, Ended, Failure, Setup, Task, raise_failure


class Worker(Protocol):
    """A thread or a process that fetches batches."""

    where: str  # as errors name it

    def send(self, task: Task) -> None:
        """Give it a task."""

    def receive(self, timeout: float | None) -> Any:
        """Return its next result; queue.Empty after timeout seconds."""

    def stop(self) -> None:
        """Ask it to end."""

    def join(self) -> None:
        """Wait for its end."""


def stop_all(workers: Sequence[Worker]) -> None:
    """End workers: ask all, then wait for each."""
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join()


class Team:
    """The workers of a loader; they end when it is closed or garbage."""

    def __init__(self, start: Callable[[Setup], Worker], setups: Sequence[Setup]) -> None:
        self.workers: list[Worker] = []
        self._end = weakref.finalize(self, stop_all, self.workers)
        for setup in setups:
            self.workers.append(start(setup))
        self.epoch = -1

    def close(self) -> None:
        """End the workers; nothing happens the second time."""
        self._end()


class ParallelIterator:
    """One iteration of a loader over its team's batches.

    ahead: how many tasks each worker has at a time. keep: whether the team outlives the iteration.
    """

    def __init__(
        self,
        team: Team,
        places: Iterator[Any],
        ahead: int,
        timeout: float,
        keep: bool,
    ) -> None:
        self._team = team
        self._places = places
        self._timeout = timeout if timeout > 0 else None
        self._keep = keep
        team.epoch += 1
        self._epoch = team.epoch
        self._ready = deque(team.workers)  # whose turn it is to get a task
        self._pending: deque[Worker] = deque()  # who answers next
        self._ended: set[int] = set()  # ids of workers whose streams ended
        for _ in range(ahead * len(team.workers)):
            self._send()

    def __iter__(self) -> ParallelIterator:
        return self

    def _send(self) -> None:
        """Give the next indices to the worker whose turn it is."""
        while self._ready and id(self._ready[0]) in self._ended:
            self._ready.popleft()
        if not self._ready:
            return
        for indices in self._places:
            worker = self._ready[0]
            self._ready.rotate(-1)
            worker.send(Task(self._epoch, indices))
            self._pending.append(worker)
            return

    def __next__(self) -> Any:
        while self._pending:
            worker = self._pending.popleft()
            answer = self._answer(worker)
            if isinstance(answer, Ended):
                self._ended.add(id(worker))
                self._send()
                continue
            self._send()
            if isinstance(answer, Failure):
                raise_failure(answer, worker.where)
            return answer.data
        self.close()
        raise StopIteration

    def _answer(self, worker: Worker) -> Batch | Ended | Failure:
        """Return a worker's answer to a task of this iteration, older ones dropped."""
        while True:
            try:
                answer = worker.receive(self._timeout)
            except Empty:
                self._team.close()
                raise RuntimeError(
                    f"DataLoader timed out after {self._timeout} seconds waiting for {worker.where}"
                ) from None
            if isinstance(answer, Died):
                self._team.close()
                raise RuntimeError(f"DataLoader {worker.where} died: {answer.reason}")
            if answer.epoch == self._epoch:
                return answer  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the iteration, and the workers unless they are kept for the next."""
        self._pending.clear()
        if not self._keep:
            self._team.close()
