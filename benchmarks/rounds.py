"""Starts one process for each (workload, peer, setting) and times them in turn: A B C A B C ..."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.peers import JITNET, Peer, Setting
from benchmarks.workloads import Workload

ROOT = Path(__file__).parents[1]
START_LIMIT = 300.0  # seconds; a peer that compiles for longer is not waited for
AGREEMENT = 2e-4  # relative; float32 sums differ by their order
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CPU_COUNT")
CACHE_VARIABLES = {
    "XDG_CACHE_HOME": "",
    "JITNET_CACHE_DIR": "jitnet",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "CACHEDB": "tinygrad.db",
}


class PeerError(Exception):
    """A peer could not do a workload; the message is the peer's own."""


@dataclass(frozen=True)
class Plan:
    """How many rounds of how many seconds, on how many threads."""

    threads: int
    rounds: int
    seconds: float


@dataclass(frozen=True)
class Result:
    """What one (workload, peer, setting) reached, or why it did not."""

    peer: str
    title: str
    setting: str
    version: str = ""
    median_ms: float = float("nan")
    best_ms: float = float("nan")
    samples: int = 0
    first_seconds: float = float("nan")
    peak_megabytes: float = float("nan")
    values: tuple[float, ...] = ()
    error: str = ""

    @property
    def worked(self) -> bool:
        """Whether there is a time."""
        return not self.error


class Child:
    """A process that holds one case, with caches of its own, so that its first result is cold."""

    def __init__(self, workload: Workload, peer: Peer, setting: Setting, threads: int) -> None:
        self.peer, self.setting = peer, setting
        self.samples: list[float] = []
        self.peak = float("nan")
        self.first: dict[str, Any] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
        self._errors = self._folder / "errors"
        options = ",".join(sorted(setting.options))
        command = [sys.executable, "-m", "benchmarks.child", workload.name, peer.adapter, options]
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [*command, str(threads), repr(time.time())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=self._environment(threads),
                start_new_session=True,
            )

    def _environment(self, threads: int) -> dict[str, str]:
        caches = {name: str(self._folder / end) for name, end in CACHE_VARIABLES.items()}
        counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
        return {
            **os.environ,
            **counts,
            **caches,
            **self.peer.environment,
            **self.setting.environment,
        }

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process and those that it started, and remove its caches."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with self._process:  # closes its pipes and waits
            pass
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Wait for the first three steps."""
        self.first = self._answer(START_LIMIT)

    def round(self, seconds: float) -> None:
        """Time steps for so many seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n".encode())
        self._process.stdin.flush()
        answer = self._answer(60 + 20 * seconds)
        self.samples += answer["milliseconds"]
        self.peak = answer["peak"]

    def _answer(self, limit: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(limit):
                raise PeerError(f"no answer within {limit:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            last = self._errors.read_text(errors="replace").strip().splitlines()[-1:]
            raise PeerError(f"the process ended: {' '.join(last)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"].strip().splitlines()[0])
        return answer

    def result(self) -> Result:
        """Return what was measured."""
        return Result(
            peer=self.peer.name,
            title=self.peer.title,
            setting=self.setting.name,
            version=self.first["version"],
            median_ms=statistics.median(self.samples),
            best_ms=min(self.samples),
            samples=len(self.samples),
            first_seconds=self.first["first_seconds"],
            peak_megabytes=self.peak,
            values=tuple(self.first["values"]),
        )


def run(
    workload: Workload, peers: list[Peer], plan: Plan, tell: Callable[[str], None]
) -> list[Result]:
    """Return one result for each setting of each peer that is installed."""
    failed = []
    with contextlib.ExitStack() as stack:
        children = []
        for peer, setting in _entrants(workload, peers):
            tell(f"{workload.name}: {peer.title} ({setting.name}) starts")
            child = stack.enter_context(Child(workload, peer, setting, plan.threads))
            try:
                child.start()
                children.append(child)
            except PeerError as error:
                failed.append(Result(peer.name, peer.title, setting.name, error=str(error)))
        for number in range(plan.rounds):
            tell(f"{workload.name}: round {number + 1} of {plan.rounds}")
            for child in children:
                child.round(plan.seconds)
        return [child.result() for child in children] + failed


def _entrants(workload: Workload, peers: list[Peer]) -> Iterator[tuple[Peer, Setting]]:
    for peer in peers:
        for setting in peer.settings:
            if not peer.lacks and peer.does(workload) and setting.fits(workload):
                yield peer, setting


def best_of_each(results: list[Result]) -> list[Result]:
    """Return each peer's fastest setting, or its first error, in the order of the table."""
    best: dict[str, Result] = {}
    for result in results:
        known = best.get(result.peer)
        if known is None or (result.worked and not known.median_ms <= result.median_ms):
            best[result.peer] = result
    ours = [each for each in best.values() if each.peer == JITNET.name]
    others = [each for each in best.values() if each.peer != JITNET.name]
    return ours + sorted(others, key=lambda each: (not each.worked, each.median_ms))


def disagreements(results: list[Result]) -> list[str]:
    """Return a line for each result whose values differ from the first peer's that has any."""
    worked = [each for each in results if each.worked and each.peer != JITNET.name]
    worked = worked or [each for each in results if each.worked]
    lines = []
    for each in results:
        if each.worked and not _agree(each.values, worked[0].values):
            lines.append(f"{each.title}: {each.values}, but {worked[0].title}: {worked[0].values}")
    return lines


def _agree(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(abs(x - y) <= AGREEMENT * max(abs(x), abs(y)) for x, y in zip(a, b, strict=True))
