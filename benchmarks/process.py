"""The process of one (workload, peer, setting), as its parent sees it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.adapters.models import VARIABLE as MODEL_VARIABLE
from benchmarks.peers import Peer, Setting
from benchmarks.results import Result
from benchmarks.workloads import Workload

ROOT = Path(__file__).parents[1]
START_LIMIT = 180.0  # seconds; a peer that compiles for longer is not waited for
TURN_LIMIT = 60.0  # seconds, beyond a turn's own
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "CPU_COUNT"),  # the last one is tinygrad's
)
CACHE_VARIABLES = {
    "XDG_CACHE_HOME": "",
    "JITNET_CACHE_DIR": "jitnet",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "JAX_COMPILATION_CACHE_DIR": "jax",
    "CACHEDB": "tinygrad.db",
}


class PeerError(Exception):
    """A peer could not do a workload; the message is the peer's own."""


def export(workload: Workload, file: Path) -> None:
    """Write a workload as an ONNX model, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.export", workload.name, str(file)]
    try:
        subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=START_LIMIT
        )
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().splitlines()[-1:]
        raise PeerError(f"no ONNX model: {' '.join(last)}") from error
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"no ONNX model within {START_LIMIT:.0f} s") from error


class Process:
    """A process that holds one case; its caches are in a folder, and so cold if that is empty."""

    def __init__(
        self,
        workload: Workload,
        peer: Peer,
        setting: Setting,
        threads: int,
        folder: Path,
        model: Path | None = None,
    ) -> None:
        self.peer, self.setting = peer, setting
        self.samples: list[float] = []
        self.turns: list[float] = []  # medians of those that were rounds
        self.peak = float("nan")
        self.first_seconds = self.call_seconds = float("nan")
        self.values: tuple[float, ...] = ()
        self.version = self.digest = ""
        self._errors = folder / f"errors of {setting.name}.txt"
        options = ",".join(sorted(setting.options))
        command = [sys.executable, "-m", "benchmarks.child", workload.name, peer.adapter, options]
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [*command, str(threads), repr(time.time())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=self._environment(threads, folder, model),
                start_new_session=True,
            )

    def _environment(self, threads: int, folder: Path, model: Path | None) -> dict[str, str]:
        caches = {name: str(folder / end) for name, end in CACHE_VARIABLES.items()}
        counts = dict.fromkeys(THREAD_VARIABLES, str(threads))
        models = {MODEL_VARIABLE: str(model)} if model else {}
        inherited = dict(os.environ)
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have their bytecode
        return {
            **inherited,
            **models,
            **counts,
            **caches,
            **self.peer.environment,
            **self.setting.environment,
        }

    def close(self) -> None:
        """End the process and those that it started; again does nothing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError), self._process:  # closes its pipes and waits
            pass

    def start(self) -> None:
        """Wait for the first three steps."""
        first = self._answer(START_LIMIT)
        self.version, self.values = first["version"], tuple(first["values"])
        self.first_seconds, self.call_seconds = first["first_seconds"], first["call_seconds"]
        self.digest = first["digest"]

    def turn(self, seconds: float, trial: bool = False) -> None:
        """Time steps for so many seconds, in a round or to try a setting."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{seconds}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerError(self._last_words()) from error
        answer = self._answer(TURN_LIMIT + 2 * seconds)
        self.samples += answer["milliseconds"]
        if not trial:
            self.turns.append(statistics.median(answer["milliseconds"]))
        self.peak = answer["peak"]

    def _answer(self, limit: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(limit):
                raise PeerError(f"no answer within {limit:.0f} s")
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"].strip().splitlines()[0])
        return answer

    def _last_words(self) -> str:
        last = self._errors.read_text(errors="replace").strip().splitlines()[-1:]
        return f"the process ended: {' '.join(last)}"

    @property
    def median(self) -> float:
        """Milliseconds of a step so far."""
        return statistics.median(self.samples)

    def result(self, trial: bool = False) -> Result:
        """Return what was measured."""
        return Result(
            peer=self.peer.name,
            title=self.peer.title,
            setting=self.setting.name,
            version=self.version,
            median_ms=self.median,
            turns_ms=tuple(self.turns),
            best_ms=min(self.samples),
            samples=len(self.samples),
            first_seconds=self.first_seconds,
            call_seconds=self.call_seconds,
            peak_megabytes=self.peak,
            values=self.values,
            trial=trial,
        )
