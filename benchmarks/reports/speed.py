"""The time of a step: jitnet beside every peer at its best, and beside the machine's floor."""

from __future__ import annotations

from benchmarks.catalog import in_order
from benchmarks.ledger import Ledger
from benchmarks.outcome import Outcome
from benchmarks.peers import JITNET, PEERS
from benchmarks.plot import can_plot, write_plot
from benchmarks.results import Result
from benchmarks.rounds import run as run_rounds
from benchmarks.setup import Setup
from benchmarks.tables import Table, duration, number, percent


def run(setup: Setup) -> None:
    """Measure all workloads; show and write each one's table as soon as it is there."""
    ledger = Ledger(setup.folder / "speed.json")
    outcomes: list[Outcome] = []
    for workload in setup.workloads:
        with setup.console.status(workload.name) as status:
            results = run_rounds(workload, setup.peers, setup.plan, status.update)
        outcomes.append(Outcome(workload, setup.machine, setup.plan, tuple(results)))
        details(outcomes[-1]).show(setup.console)
        ledger.put(workload.name, outcomes[-1].record())
        write_summary(ledger)
    ratios(outcomes).show(setup.console)
    if can_plot():
        setup.console.print(*write_plot(kept(ledger), setup.folder))
    setup.console.print(ledger.path, ledger.path.with_suffix(".md"))


def kept(ledger: Ledger) -> list[Outcome]:
    """Return the outcomes of this run and of earlier ones."""
    return [Outcome.of(each, ledger.records[each.name]) for each in in_order(ledger.records)]


def details(outcome: Outcome) -> Table:
    """Return a row for each one's best setting."""
    floor = f", floor {duration(outcome.floor_ms)}" if outcome.floor_ms else ""
    return Table(
        f"{outcome.workload.name}: {outcome.workload.title}{floor}",
        ("", "median", "best", "/ jitnet", "of floor", "first s", "peak MB", "setting"),
        tuple(_row(outcome, result) for result in outcome.rows if result.worked),
        tuple(outcome.troubles),
    )


def _row(outcome: Outcome, result: Result) -> tuple[str, ...]:
    return (
        result.title,
        duration(result.median_ms),
        duration(result.best_ms),
        number(outcome.ratio_of(result)),
        percent(outcome.floor_ms, result.median_ms),
        number(result.first_seconds),
        number(result.peak_megabytes),
        result.setting,
    )


def ratios(outcomes: list[Outcome]) -> Table:
    """Return a line for each workload: jitnet beside the best peer."""
    return Table(
        "best peer / jitnet (above 1: jitnet is faster)",
        ("workload", "jitnet", "best peer", "ratio", "rounds", "goal", "which"),
        tuple(_ratio_row(each) for each in outcomes),
    )


def _ratio_row(outcome: Outcome) -> tuple[str, ...]:
    peer = outcome.best_peer
    goal = outcome.workload.goal
    return (
        outcome.workload.name,
        _median(outcome.ours),
        _median(peer),
        number(outcome.ratio),
        _rounds(outcome),
        f"{number(goal)}{' reached' if outcome.ratio >= goal else ''}" if goal else "-",
        f"{peer.title} ({peer.setting})" if peer else "-",
    )


def _rounds(outcome: Outcome) -> str:
    """Return between what the ratios of the middle half of the rounds lay."""
    return (
        f"{number(outcome.quarters[0])} to {number(outcome.quarters[1])}"
        if outcome.quarters
        else "-"
    )


def _median(result: Result | None) -> str:
    return duration(result.median_ms) if result else "-"


def summary(outcomes: list[Outcome]) -> Table:
    """Return everything in one table: ratios, each peer's best median, the floor, memory."""
    titles = tuple(peer.title for peer in PEERS)
    first, *others = ratios(outcomes).columns
    last = ("floor", "of floor", "peak MB", "least peak MB of a peer")
    rows = []
    for outcome in outcomes:
        ours = outcome.ours
        rows.append(
            (
                *_ratio_row(outcome),
                *(_median(outcome.best_of(peer.name)) for peer in PEERS),
                duration(outcome.floor_ms),
                percent(outcome.floor_ms, ours.median_ms) if ours else "-",
                number(ours.peak_megabytes) if ours else "-",
                _least_memory(outcome),
            )
        )
    troubles = tuple(trouble for outcome in outcomes for trouble in outcome.troubles)
    return Table("Speed", (first, *others, *titles, *last), tuple(rows), troubles)


def _least_memory(outcome: Outcome) -> str:
    own = (JITNET.title, "jitnet eager")
    peaks = [
        (result.peak_megabytes, result.title)
        for result in outcome.rows
        if result.worked and result.title not in own
    ]
    if not peaks:
        return "-"
    peak, title = min(peaks)
    return f"{number(peak)} ({title})"


def write_summary(ledger: Ledger) -> None:
    """Write the table of all that the ledger holds beside it, as Markdown."""
    outcomes = kept(ledger)
    machine = outcomes[-1].machine
    head = (
        f"# Benchmarks\n\nMedian times of one step, {ledger.when()}, on {machine}. A ratio is the "
        f"best peer's time over jitnet's, the median of all rounds, whose middle half lies where "
        f"the next column says; each peer is shown at its best setting.\n\n"
    )
    ledger.path.with_suffix(".md").write_text(head + summary(outcomes).markdown())
