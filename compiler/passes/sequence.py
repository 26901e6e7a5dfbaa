"""Orders the kernels to be: each after what it needs, and soon where that lets memory go.

The given order is that of the graph, where all updates of weights stand at the end. Left there,
every gradient and every activation would have to wait for them in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field
from heapq import heappop, heappush

from jitnet.compiler.ir.graph import Node
from jitnet.compiler.ir.loops import Check
from jitnet.runtime.dataclass import dataclass

from .fuse import Group


@dataclass(eq=False)
class Task:
    """One kernel before it is written: what it reads and writes, whom it waits for."""

    reads: set[Node]
    writes: list[Node]
    group: Group | None = None
    check: Check | None = None
    after: set[Task] = field(default_factory=set)

    @property
    def may_fail(self) -> bool:
        """Whether it may end the program, which must not have written what outlives it."""
        return self.check is not None or (self.group is not None and self.group.kind == "host")


def in_order(tasks: Sequence[Task], sizes: Mapping[Node, int]) -> list[Task]:
    """Return the tasks in order; fewer if some wait for each other.

    sizes: bytes of the values that are in memory only until they were read.
    """
    return _Order(tasks, sizes).find()


class _Order:
    """One search: always the first task that is ready, but before it those that free memory."""

    def __init__(self, tasks: Sequence[Task], sizes: Mapping[Node, int]) -> None:
        self._sizes = sizes
        self._tasks = tasks
        self._place = {task: number for number, task in enumerate(tasks)}
        self._missing = {task: len(task.after) for task in tasks}
        self._waiting: dict[Task, list[Task]] = {task: [] for task in tasks}
        self._readers: dict[Node, set[Task]] = {}
        for task in tasks:
            for before in task.after:
                self._waiting[before].append(task)
            for node in task.reads & sizes.keys():
                self._readers.setdefault(node, set()).add(task)
        self._ready: list[int] = []
        self._soon: deque[Task] = deque()
        self._done: set[Task] = set()

    def find(self) -> list[Task]:
        """Return the tasks in order."""
        order: list[Task] = []
        for task in self._tasks:
            if not self._missing[task]:
                self._consider(task)
        while self._soon or self._ready:
            task = self._soon.popleft() if self._soon else self._tasks[heappop(self._ready)]
            if task in self._done:
                continue
            self._done.add(task)
            order.append(task)
            self._follow(task)
        return order

    def _follow(self, task: Task) -> None:
        """Consider what a task lets run, and what is now the last to read something."""
        for user in self._waiting[task]:
            self._missing[user] -= 1
            if not self._missing[user]:
                self._consider(user)
        for node in task.reads & self._sizes.keys():
            readers = self._readers[node]
            readers.discard(task)
            if len(readers) == 1:
                (last,) = readers
                if not self._missing[last]:
                    self._consider(last)

    def _consider(self, task: Task) -> None:
        """Let a task that is ready run when its turn comes, or at once."""
        if self._frees(task):
            self._soon.append(task)
        else:
            heappush(self._ready, self._place[task])

    def _frees(self, task: Task) -> bool:
        """Whether a task leaves less in memory than there was before."""
        takes = sum(self._sizes.get(node, 0) for node in task.writes)
        gone = [node for node in task.reads & self._sizes.keys() if self._readers[node] == {task}]
        return not takes or takes < sum(self._sizes[node] for node in gone)
