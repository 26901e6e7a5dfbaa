"""Workers that are threads of this process."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from queue import Queue, SimpleQueue
from typing import Any

from .worker import Setup, Task, work


class ThreadWorker:
    """A thread that fetches batches.

    It has a shallow copy of the dataset, so that attributes that it (or worker_init_fn) sets are
    its own.
    """

    def __init__(self, setup: Setup) -> None:
        self.where = f"worker thread {setup.info.id}"
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self.results: Queue[Any] = Queue()
        own = replace(setup.info, dataset=copy.copy(setup.info.dataset))
        self._thread = threading.Thread(
            target=work,
            args=(replace(setup, info=own), self._tasks.get, self.results.put),
            name=f"jitnet-data-{setup.info.id}",
            daemon=True,
        )
        self._thread.start()

    def send(self, task: Task) -> None:
        """Give the worker a task."""
        self._tasks.put(task)

    def receive(self, timeout: float | None) -> Any:
        """Return the next result; queue.Empty after timeout seconds."""
        return self.results.get(timeout=timeout)

    def stop(self) -> None:
        """Drop the tasks that wait and end the thread after the one that it is at."""
        while not self._tasks.empty():
            self._tasks.get()
        self._tasks.put(None)

    def join(self) -> None:
        """Wait for the end, for a moment: a daemon thread may take its time."""
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=1.0)
