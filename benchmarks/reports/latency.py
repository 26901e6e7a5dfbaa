"""The time to a first result: with cold caches, then in a second new process."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.catalog import in_order
from benchmarks.ledger import Ledger, restored
from benchmarks.peers import Peer
from benchmarks.process import PeerError, Process, export
from benchmarks.setup import Setup
from benchmarks.tables import Table, duration, number
from benchmarks.workloads import Workload

NUMBERS = ("cold_process", "cold_call", "warm_process", "warm_call", "peak_megabytes")


@dataclass(frozen=True)
class Latency:
    """Seconds from the start of a process, and from the first call, to the first result."""

    title: str
    setting: str
    cold_process: float = float("nan")
    cold_call: float = float("nan")
    warm_process: float = float("nan")
    warm_call: float = float("nan")
    peak_megabytes: float = float("nan")  # of the cold process, after three steps and a turn
    error: str = ""


def run(setup: Setup) -> None:
    """Start each peer twice on each workload, in its first setting."""
    ledger = Ledger(setup.folder / "latency.json")
    for workload in setup.workloads:
        found = []
        with setup.console.status(workload.name) as status:
            for peer in setup.peers:
                if not peer.lacks and peer.does(workload.work):
                    status.update(f"{workload.name}: {peer.title}")
                    found.append(_measure(workload, peer, setup))
        ledger.put(workload.name, {"peers": [asdict(each) for each in found]})
        _table(workload, found).show(setup.console)
        _write(ledger)


def _measure(workload: Workload, peer: Peer, setup: Setup) -> Latency:
    setting = next(each for each in peer.settings if each.fits(workload.work))
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as name:
        folder, model = Path(name), None
        times: list[float] = []
        peak = float("nan")
        try:
            if peer.reads_model:
                model = folder / "model.onnx"
                export(workload, model)
            for _ in ("cold", "warm"):
                process = Process(workload, peer, setting, setup.plan.threads, folder, model)
                with closing(process):
                    process.start()
                    times += [process.first_seconds, process.call_seconds]
                    if len(times) == 2:
                        process.turn(setup.plan.seconds)
                        peak = process.peak
        except PeerError as error:
            return Latency(peer.title, setting.name, *times, error=str(error))
    return Latency(peer.title, setting.name, *times, peak)


def _table(workload: Workload, found: list[Latency]) -> Table:
    columns = ("", "cold: process", "cold: call", "warm: process", "warm: call", "peak MB")
    rows = tuple((each.title, *_cells(each)) for each in found if not each.error)
    failed = tuple(f"{each.title} failed: {each.error}" for each in found if each.error)
    return Table(f"{workload.name}: time to the first result", (*columns, "setting"), rows, failed)


def _cells(found: Latency) -> tuple[str, ...]:
    seconds = (found.cold_process, found.cold_call, found.warm_process, found.warm_call)
    return (
        *(duration(1e3 * each) for each in seconds),
        number(found.peak_megabytes),
        found.setting,
    )


def _write(ledger: Ledger) -> None:
    texts = [
        f"# Time to the first result, {ledger.when()}\n\n"
        "From the start of the process, and from the first call; cold: caches are empty; warm: a "
        "second process finds what the first one kept on disk.\n"
    ]
    for workload in in_order(ledger.records):
        records = ledger.records[workload.name]["peers"]
        found = [Latency(**restored(each, numbers=NUMBERS)) for each in records]
        texts.append(_table(workload, found).markdown())
    ledger.path.with_suffix(".md").write_text("\n".join(texts))
