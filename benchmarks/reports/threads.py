"""What threads give jitnet: more of them, the same bits, and other libraries' pools beside."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.catalog import in_order
from benchmarks.ledger import Ledger, restored
from benchmarks.peers import JITNET, Setting
from benchmarks.process import PeerError, Process
from benchmarks.setup import Setup
from benchmarks.tables import Table, duration, number
from benchmarks.workloads import Workload

BESIDE = Setting("pools beside", frozenset({"beside"}))
BETWEEN = Setting("pools between", frozenset({"between"}))
NUMBERS = ("one_ms", "all_ms", "beside_ms", "between_ms")


@dataclass(frozen=True)
class Threads:
    """Median milliseconds of jitnet's step in each condition."""

    threads: int
    one_ms: float = float("nan")
    all_ms: float = float("nan")
    beside_ms: float = float("nan")  # NumPy's and PyTorch's pools are in the process, and idle
    between_ms: float = float("nan")  # they work between the steps
    same_bits: bool = False
    error: str = ""


def run(setup: Setup) -> None:
    """Measure jitnet on one thread and on all, then beside other pools."""
    ledger = Ledger(setup.folder / "threads.json")
    for workload in setup.workloads:
        with setup.console.status(workload.name):
            try:
                found = _measure(workload, setup)
            except PeerError as error:
                found = Threads(setup.plan.threads, error=str(error))
        ledger.put(workload.name, asdict(found))
        ledger.path.with_suffix(".md").write_text(_table(ledger).markdown())
    _table(ledger).show(setup.console)


def _measure(workload: Workload, setup: Setup) -> Threads:
    plan = setup.plan
    conditions = ((Setting(), 1), *((each, plan.threads) for each in (Setting(), BESIDE, BETWEEN)))
    with _started(workload, conditions) as processes:
        for _ in range(plan.rounds):
            for process in processes:
                process.turn(plan.seconds)
        medians = [process.median for process in processes]
        digests = {process.digest for process in processes}
    return Threads(plan.threads, *medians, same_bits=len(digests) == 1)


@contextmanager
def _started(
    workload: Workload, conditions: tuple[tuple[Setting, int], ...]
) -> Iterator[list[Process]]:
    """Start one process for each (setting, threads); they share their caches."""
    with ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True)
        )
        processes = []
        for setting, threads in conditions:
            process = Process(workload, JITNET, setting, threads, Path(name))
            processes.append(stack.enter_context(closing(process)))
            process.start()
        yield processes


def _table(ledger: Ledger) -> Table:
    rows, troubles = [], []
    for workload in in_order(ledger.records):
        record = dict(ledger.records[workload.name])
        del record["when"]
        found = Threads(**restored(record, numbers=NUMBERS))
        if found.error:
            troubles.append(f"{workload.name} failed: {found.error}")
        else:
            rows.append((workload.name, *_cells(found)))
    columns = ("", "1 thread", "all threads", "ratio", "same bits", "pools beside", "pools between")
    return Table(f"Threads of jitnet, {ledger.when()}", columns, tuple(rows), tuple(troubles))


def _cells(found: Threads) -> tuple[str, ...]:
    return (
        duration(found.one_ms),
        f"{duration(found.all_ms)} ({found.threads})",
        number(found.one_ms / found.all_ms),
        "yes" if found.same_bits else "NO",
        duration(found.beside_ms),
        duration(found.between_ms),
    )
