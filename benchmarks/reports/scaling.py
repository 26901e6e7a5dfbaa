"""The time of a step as one size grows: batch, width, depth, length; and of compiling for depth."""

from __future__ import annotations

from benchmarks.catalog import in_order
from benchmarks.ledger import Ledger
from benchmarks.outcome import Outcome
from benchmarks.peers import PEERS
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
    measured = {workload.name for workload in setup.workloads}
    for series in SERIES:
        if measured & {workload.name for workload in series.workloads}:
            _table(series, ledger).show(setup.console)


def tables(ledger: Ledger) -> list[Table]:
    """Return the table of each series of which something is measured."""
    found = [_table(series, ledger) for series in SERIES]
    return [table for table in found if table.rows]


def _table(series: Series, ledger: Ledger) -> Table:
    known = {workload.name for workload in series.workloads} & set(ledger.records)
    outcomes = [Outcome.of(each, ledger.records[each.name]) for each in in_order(known)]
    titles = [peer.title for peer in PEERS]
    present = [
        title
        for title in titles
        if any(row.title == title for each in outcomes for row in each.rows)
    ]
    columns = ("", "jitnet", *present, "best peer / jitnet", "floor", "of floor", "first call")
    rows = tuple(_row(outcome, present) for outcome in outcomes)
    troubles = tuple(trouble for outcome in outcomes for trouble in outcome.troubles)
    return Table(series.title, columns, rows, troubles)


def _row(outcome: Outcome, titles: list[str]) -> tuple[str, ...]:
    medians = {row.title: duration(row.median_ms) for row in outcome.rows if row.worked}
    ours = outcome.ours
    return (
        outcome.workload.title,
        duration(ours.median_ms) if ours else "-",
        *(medians.get(title, "-") for title in titles),
        number(outcome.ratio),
        duration(outcome.floor_ms),
        percent(outcome.floor_ms, ours.median_ms) if ours else "-",
        duration(1e3 * ours.call_seconds) if ours else "-",
    )
