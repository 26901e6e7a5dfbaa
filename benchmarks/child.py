"""The process of one (workload, peer, setting): it obeys one JSON line at a time on standard input.

Started as `python -m benchmarks.child WORKLOAD ADAPTER OPTIONS THREADS STARTED`; STARTED is the
time at which the parent started it. It answers "start" with what the first three steps gave, and
"round SECONDS" with times for one step in milliseconds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.case import Case
from benchmarks.catalog import workload_named
from benchmarks.memory import peak_megabytes

BATCH_SECONDS = 0.005  # steps shorter than this are timed several at a time


@dataclass(frozen=True)
class First:
    """What the start of a case gave."""

    version: str
    first_seconds: float  # from the start of the process to the first result
    call_seconds: float  # from the first call, with all imports done and data made, to its result
    values: tuple[float, ...]  # after steps 1 and 3
    digest: str  # of all bits after step 3


def begin(case: Case, version: str, started: float) -> First:
    """Run three steps."""
    called = time.time()
    case.load()
    first = _value(case, case.step())
    ended = time.time()
    case.wait(case.step())
    last = case.step()
    values = (first, _value(case, last))
    return First(version, ended - started, ended - called, values, case.digest(last))


def _value(case: Case, result: Any) -> float:
    case.wait(result)
    return case.value(result)


def timed(case: Case, steps: int) -> float:
    """Return the seconds that one of so many steps took, the last one waited for."""
    if case.between is not None:
        case.between()
    start = time.perf_counter()
    for _ in range(steps):
        result = case.step()
    case.wait(result)
    return (time.perf_counter() - start) / steps


def batch_of(case: Case, seconds: float) -> int:
    """Return how many steps of so many seconds are timed together."""
    if case.between is not None:
        return 1
    return max(1, int(BATCH_SECONDS / max(seconds, 1e-8)))


def measure(case: Case, seconds: float) -> list[float]:
    """Return milliseconds a step, batch by batch, after a warm-up that is not counted."""
    step = timed(case, 1)
    warm_up_ends = time.perf_counter() + seconds / 4
    while time.perf_counter() < warm_up_ends:
        step = timed(case, batch_of(case, step))
    steps = batch_of(case, step)
    times = []
    ends = time.perf_counter() + seconds
    while not times or time.perf_counter() < ends:
        times.append(timed(case, steps) * 1e3)
    return times


def use_processors(count: int) -> None:
    """Keep this process, and the threads it will make, on the first processors."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main(workload: str, adapter: str, options: str, threads: str, started: str) -> None:
    """Make the case, then obey until "quit"; libraries that print do so on standard error."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    use_processors(int(threads))

    def reply(answer: dict[str, Any]) -> None:
        replies.write(json.dumps(answer) + "\n")

    try:
        module = importlib.import_module(f"benchmarks.adapters.{adapter}")
        module.use_threads(int(threads))
        chosen = frozenset(options.split(",")) - {""}
        case = module.case(workload_named(workload).work, chosen)
        reply(asdict(begin(case, module.VERSION, float(started))))
    except Exception as error:  # whatever a peer cannot do becomes a row of the table
        reply({"error": f"{type(error).__name__}: {error}"})
        raise
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        reply({"milliseconds": measure(case, float(line)), "peak": peak_megabytes()})
    replies.flush()
    os._exit(0)  # the peers' own pools of compiler processes would delay an orderly exit


if __name__ == "__main__":
    main(*sys.argv[1:])
