"""The time of a step as one size grows: batch, width, depth, length; and of compiling for depth."""

from __future__ import annotations

from benchmarks.catalog import in_order
from benchmarks.ledger import Ledger
from benchmarks.outcome import Outcome
from benchmarks.peers import JITNET, PEERS
from benchmarks.rounds import run as run_rounds
from benchmarks.series import SERIES, Series
from benchmarks.setup import Setup
from benchmarks.tables import Table, duration, number, percent


def run(setup: Setup) -> None:
    """Measure the series' workloads; write all tables after each."""
    ledger = Ledger(setup.folder / "scaling.json")
    for workload in setup.workloads:
        with setup.console.status(workload.name) as status:
            results = run_rounds(workload, setup.peers, setup.plan, status.update)
        outcome = Outcome(workload, setup.machine, setup.plan, tuple(results))
        ledger.put(workload.name, outcome.record())
        text = "\n".join(table.markdown() for table in tables(ledger))
        ledger.path.with_suffix(".md").write_text(f"# Scaling, {ledger.when()}\n\n{text}")
    for table in tables(ledger):
        table.show(setup.console)


def tables(ledger: Ledger) -> list[Table]:
    """Return the tables of each series of which something is measured."""
    found = []
    for series in SERIES:
        known = {workload.name for workload in series.workloads} & set(ledger.records)
        outcomes = [Outcome.of(each, ledger.records[each.name]) for each in in_order(known)]
        if outcomes:
            found.append(_steps(series, outcomes))
        if outcomes and series.grows_code:
            found.append(_first_calls(series, outcomes))
    return found


def _titles(outcomes: list[Outcome]) -> list[str]:
    """Return the titles of the peers that have results."""
    found = {row.title for each in outcomes for row in each.rows}
    return [peer.title for peer in PEERS if peer.title in found]


def _steps(series: Series, outcomes: list[Outcome]) -> Table:
    titles = _titles(outcomes)
    rows = []
    for each in outcomes:
        medians = {row.title: duration(row.median_ms) for row in each.rows if row.worked}
        times = [medians.get(title, "-") for title in (JITNET.title, *titles)]
        reached = percent(each.floor_ms, each.ours.median_ms) if each.ours else "-"
        floor = duration(each.floor_ms)
        rows.append((each.workload.title, *times, number(each.ratio), floor, reached))
    columns = ("", JITNET.title, *titles, "best peer / jitnet", "floor", "of floor")
    troubles = tuple(trouble for each in outcomes for trouble in each.troubles)
    return Table(series.title, columns, tuple(rows), troubles)


def _first_calls(series: Series, outcomes: list[Outcome]) -> Table:
    titles = (JITNET.title, *_titles(outcomes))
    rows = []
    for each in outcomes:
        seconds = {row.title: duration(1e3 * row.call_seconds) for row in each.rows if row.worked}
        rows.append((each.workload.title, *(seconds.get(title, "-") for title in titles)))
    title = f"{series.title}: the first call, with empty caches"
    return Table(title, ("", *titles), tuple(rows))
