"""The reports: honest tables, kept from run to run, and errors that name the peer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import plot
from benchmarks.catalog import workload_named
from benchmarks.floor import Machine
from benchmarks.ledger import Ledger
from benchmarks.outcome import Outcome
from benchmarks.peers import JITNET, NUMPY, PEERS, Peer
from benchmarks.reports import footprint, latency, scaling, speed, threads
from benchmarks.results import Result
from benchmarks.rounds import Plan
from benchmarks.setup import Setup
from benchmarks.tables import Table, duration, percent

MACHINE = Machine("some processor", 2, flops=1e11, bandwidth=1e10)
QUICK = Plan(threads=1, rounds=1, seconds=0.01)
TORCH, COMPILE, JAX = PEERS[:3]


def _result(
    peer: Peer,
    milliseconds: float,
    error: str = "",
    peak: float = 100.0,
    turns: tuple[float, ...] = (),
) -> Result:
    values = () if error else (2.0, 1.0)
    return Result(
        peer.name,
        peer.title,
        "default",
        median_ms=milliseconds,
        turns_ms=turns,
        best_ms=milliseconds,
        first_seconds=2.0,
        call_seconds=1.5,
        peak_megabytes=peak,
        values=values,
        error=error,
    )


def _outcome(name: str, *results: Result) -> Outcome:
    return Outcome(workload_named(name), MACHINE, QUICK, results)


def _setup(folder: Path, name: str, *peers: Peer) -> Setup:
    plan = replace(QUICK, threads=2)
    return Setup((workload_named(name),), peers, plan, MACHINE, folder, Console(quiet=True))


LENET = _outcome(
    "lenet_train_b128",
    _result(JITNET, 2.0),
    _result(TORCH, 5.0, peak=300.0),
    _result(JAX, 7.0, peak=200.0),
    _result(COMPILE, math.nan, error="it broke"),
)


def test_an_outcome_knows_the_ratio_and_the_floor() -> None:
    assert LENET.ratio == 2.5
    assert LENET.floor_ms == pytest.approx(4.1, rel=1e-3)
    assert LENET.troubles == ["lenet_train_b128: torch.compile (default) failed: it broke"]


def test_a_ratio_is_that_of_turns_which_followed_each_other(tmp_path: Path) -> None:
    """In its fourth and fifth rounds the machine was slow, in the fifth for jitnet alone."""
    ours = _result(JITNET, 1.0, turns=(1.0, 1.0, 1.0, 3.0, 4.0))
    theirs = _result(TORCH, 2.2, turns=(2.1, 2.0, 2.2, 6.3, 2.2))
    outcome = _outcome("lenet_train_b128", ours, theirs, _result(JAX, 7.0))
    assert outcome.ratio == pytest.approx(2.1)
    assert outcome.quarters == pytest.approx((2.0, 2.1))
    assert outcome.ratio_of(outcome.best_of(JAX.name)) == 7.0  # tried, and left out of the rounds
    assert speed.ratios([outcome]).rows[0][3:5] == ("2.1", "2 to 2.1")
    ledger = Ledger(tmp_path / "speed.json")
    ledger.put(outcome.workload.name, outcome.record())
    (kept,) = speed.kept(Ledger(tmp_path / "speed.json"))
    assert kept.results == outcome.results


def test_results_survive_the_file_and_later_runs_add_to_it(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "speed.json")
    ledger.put(LENET.workload.name, LENET.record())
    ledger.put("mlp_train", _outcome("mlp_train", _result(JITNET, 1.0)).record())
    mlp, lenet = speed.kept(Ledger(tmp_path / "speed.json"))
    assert mlp.workload.name == "mlp_train"  # in the catalogue's order
    assert math.isnan(mlp.ratio)
    assert lenet.ratio == 2.5
    assert math.isnan(lenet.results[3].median_ms)
    assert lenet.rows[0] == LENET.rows[0]


def test_the_summary_has_all_that_the_goals_ask_for(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "speed.json")
    ledger.put(LENET.workload.name, LENET.record())
    speed.write_summary(ledger)
    text = (tmp_path / "speed.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith("| lenet")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:5] == ["lenet_train_b128", "2 ms", "5 ms", "2.5", "-"]
    assert cells[5:7] == ["3", "PyTorch eager (default)"]
    assert cells[7:10] == ["5 ms", "-", "7 ms"]
    assert cells[-4:] == ["4.1 ms", "205 %", "100", "200 (JAX jit)"]
    assert "- lenet_train_b128: torch.compile (default) failed: it broke" in text
    reached = _outcome("lenet_train_b128", _result(JITNET, 1.0), _result(TORCH, 5.0))
    assert speed.ratios([reached]).rows[0][5] == "3 reached"


def test_the_speed_report_writes_its_files(tmp_path: Path) -> None:
    speed.run(_setup(tmp_path, "call_overhead", JITNET, NUMPY))
    assert {"speed.json", "speed.md"} <= {path.name for path in tmp_path.iterdir()}
    assert "| call_overhead |" in (tmp_path / "speed.md").read_text()


def test_the_second_process_finds_what_the_first_one_compiled(tmp_path: Path) -> None:
    broken = Peer("broken", "Broken", "numpy", "nosuch")
    latency.run(_setup(tmp_path, "call_overhead", JITNET, broken))
    (record,) = Ledger(tmp_path / "latency.json").records.values()
    ours, failed = record["peers"]
    assert 0 < ours["warm_call"] < ours["cold_call"] < ours["cold_process"]
    assert "nosuch" in failed["error"]
    assert "- Broken failed: " in (tmp_path / "latency.md").read_text()


def test_packages_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "TRIES", 1)
    footprint.run(_setup(tmp_path, "call_overhead", JITNET))
    assert "| jitnet |" in (tmp_path / "packages.md").read_text()


def test_a_package_is_weighed_with_what_it_needs() -> None:
    sizes = footprint.disk_use("jitnet")
    assert {"jitnet", "numpy", "llvmlite", "rich", "pygments"} <= set(sizes)
    assert "pytest" not in sizes
    assert all(size > 0 for size in sizes.values())
    assert footprint.disk_use("no-such-package") == {}


def test_threads_give_the_same_bits(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch's pool is one of those beside")
    threads.run(_setup(tmp_path, "elementwise_fwd_1e5", JITNET))
    (record,) = Ledger(tmp_path / "threads.json").records.values()
    assert record["same_bits"] is True
    assert record["error"] == ""
    assert min(record[name] for name in threads.NUMBERS) > 0


def test_a_series_is_one_table(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "scaling.json")
    for size, ours in ((2, 1.0), (64, 32.0)):
        name = f"transformer_depth_{size}"
        outcome = _outcome(name, _result(JITNET, ours), _result(JAX, 3 * ours))
        ledger.put(name, outcome.record())
    table, compiling = scaling.tables(ledger)
    assert table.columns[:4] == ("", "jitnet", "JAX jit", "best peer / jitnet")
    assert [row[:4] for row in table.rows] == [
        ("depth 2", "1 ms", "3 ms", "3"),
        ("depth 64", "32 ms", "96 ms", "3"),
    ]
    assert compiling.columns == ("", "jitnet", "JAX jit")
    assert compiling.rows[0] == ("depth 2", "1.5 s", "1.5 s")


def test_tables_are_markdown_and_text() -> None:
    table = Table("Title", ("", "n"), (("a [b]", "1"),), ("a note",))
    assert table.markdown() == "## Title\n\n|  | n |\n| --- | --- |\n| a [b] | 1 |\n\n- a note\n"
    console = Console(record=True, width=80)
    table.show(console)
    assert "a [b]" in console.export_text()


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs matplotlib")
    assert all(path.stat().st_size > 1000 for path in plot.write_plot([LENET], tmp_path))
    assert plot.write_plot([], tmp_path) == []


def test_numbers_are_read_easily() -> None:
    times = (math.nan, 0.000439, 0.0996, 0.194, 23.61, 1234.5, 23456.0)
    shown = [duration(each) for each in times]
    assert shown == ["-", "0.439 us", "99.6 us", "0.194 ms", "23.6 ms", "1.23 s", "23.5 s"]
    assert [percent(1, 3), percent(0, 3), percent(1, math.nan)] == ["33 %", "-", "-"]
