"""Runs a workload: each peer tries its settings, then the best ones take turns, A B C A B C ..."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import Peer, Setting
from benchmarks.process import PeerError, Process, export
from benchmarks.results import Result, failure
from benchmarks.workloads import Workload

CLOSE = 1.1  # settings within this factor of their peer's best one all take part in the rounds


@dataclass(frozen=True)
class Plan:
    """How many rounds of how many seconds, on how many threads."""

    threads: int
    rounds: int
    seconds: float


def run(
    workload: Workload, peers: Sequence[Peer], plan: Plan, tell: Callable[[str], None]
) -> list[Result]:
    """Return one result for each setting of each peer that is installed."""
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as name:
        heat = _Heat(workload, plan, tell, Path(name))
        try:
            for peer in peers:
                if not peer.lacks and peer.does(workload.work):
                    heat.enter(peer)
            heat.take_turns()
        finally:
            heat.close()
    return [process.result() for process in heat.running] + heat.done


@dataclass
class _Heat:
    """The processes of one workload: those that take turns, and the results of all others."""

    workload: Workload
    plan: Plan
    tell: Callable[[str], None]
    folder: Path  # of everybody's caches
    running: list[Process] = field(default_factory=list)
    done: list[Result] = field(default_factory=list)
    cold: dict[Path, tuple[float, float]] = field(default_factory=dict)  # seconds to first results

    def enter(self, peer: Peer) -> None:
        """Try all settings of a peer for one turn each, and keep the best ones running.

        Each is tried with a malloc that keeps memory; the best one then without.
        """
        if peer.reads_model and not self._has_model(peer):
            return
        fitting = [each for each in peer.settings if each.fits(self.workload.work)]
        if peer.plain_only:
            tried = [self._try(peer, setting, setting.name) for setting in fitting]
        else:
            tried = [self._try(peer, each.keeping_memory(), each.name) for each in fitting]
            working = [number for number, process in enumerate(tried) if process]
            if working:
                best = fitting[min(working, key=lambda number: _median(tried[number]))]
                tried.append(self._try(peer, best, best.name))
        limit = CLOSE * min(map(_median, tried), default=math.inf)
        for process in tried:
            if process and process.median > limit:
                self.running.remove(process)
                self.done.append(process.result(trial=True))
                process.close()

    def _has_model(self, peer: Peer) -> bool:
        """Write the ONNX model where it is not there yet."""
        if not self._model.exists():
            self.tell(f"{self.workload.name}: its ONNX model is written")
            try:
                export(self.workload, self._model)
            except PeerError as error:
                self.done.append(failure(peer, Setting("export"), error))
        return self._model.exists()

    @property
    def _model(self) -> Path:
        return self.folder / "model.onnx"

    def _try(self, peer: Peer, setting: Setting, caches: str) -> Process | None:
        """Return a new process after its first turn; None where it failed."""
        self.tell(f"{self.workload.name}: {peer.title} ({setting.name}) starts")
        folder = self.folder / peer.name / re.sub(r"\W+", "-", caches)  # compilers dislike spaces
        folder.mkdir(parents=True, exist_ok=True)
        model = self._model if peer.reads_model else None
        process = Process(self.workload, peer, setting, self.plan.threads, folder, model)
        self.running.append(process)
        if not self._works(process, process.start):
            return None
        cold = (process.first_seconds, process.call_seconds)
        process.first_seconds, process.call_seconds = self.cold.setdefault(folder, cold)
        return process if self._take_turn(process, trial=True) else None

    def take_turns(self) -> None:
        """Let all that run take turns; who fails leaves."""
        for number in range(self.plan.rounds):
            self.tell(f"{self.workload.name}: round {number + 1} of {self.plan.rounds}")
            for process in list(self.running):
                self._take_turn(process)

    def _take_turn(self, process: Process, trial: bool = False) -> bool:
        return self._works(process, lambda: process.turn(self.plan.seconds, trial))

    def _works(self, process: Process, action: Callable[[], None]) -> bool:
        """Do something with a process; where that fails, its result is its error."""
        try:
            action()
        except PeerError as error:
            self.running.remove(process)
            self.done.append(failure(process.peer, process.setting, error))
            process.close()
            return False
        return True

    def close(self) -> None:
        """End all processes."""
        for process in self.running:
            process.close()


def _median(process: Process | None) -> float:
    return process.median if process else math.inf
