"""What is shown and kept of a run: a table, JSON and a plot."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.floor import HOW, Machine
from benchmarks.peers import JITNET, JITNET_EAGER
from benchmarks.results import Result, best_of_each, disagreements
from benchmarks.rounds import Plan
from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Outcome:
    """A workload, its floor here, and every setting's result."""

    workload: Workload
    floor_ms: float
    results: tuple[Result, ...]

    @property
    def rows(self) -> list[Result]:
        """Each one's best setting, jitnet first, then from fast to slow."""
        return best_of_each(list(self.results))

    @property
    def ours(self) -> Result | None:
        """jitnet's result, where it has one."""
        return next((each for each in self.rows if each.peer == JITNET.name and each.worked), None)

    @property
    def best_peer(self) -> Result | None:
        """The fastest of the others."""
        own = (JITNET.name, JITNET_EAGER.name)
        return next((each for each in self.rows if each.peer not in own and each.worked), None)

    @property
    def ratio(self) -> float:
        """The best peer's time over jitnet's; above 1 jitnet is faster."""
        if self.ours is None or self.best_peer is None:
            return math.nan
        return self.best_peer.median_ms / self.ours.median_ms


def number(value: float) -> str:
    """Return three digits of a number, a dash for none."""
    if math.isnan(value) or value == 0:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def duration(milliseconds: float) -> str:
    """Return a time in the unit that suits it."""
    if math.isnan(milliseconds) or milliseconds == 0:
        return "-"
    if milliseconds < 0.1:
        return f"{number(milliseconds * 1e3)} us"
    return f"{number(milliseconds)} ms"


def _cells(outcome: Outcome, result: Result) -> list[str]:
    ours = outcome.ours.median_ms if outcome.ours else math.nan
    return [
        duration(result.median_ms),
        duration(result.best_ms),
        number(result.median_ms / ours),
        number(100 * outcome.floor_ms / result.median_ms),
        number(result.first_seconds),
        number(result.peak_megabytes),
        result.setting,
    ]


COLUMNS = ("median", "best", "/ jitnet", "% of floor", "first s", "peak MB")


def show(outcome: Outcome, console: Console) -> None:
    """Print one workload's table."""
    floor = f", floor {duration(outcome.floor_ms)}" if outcome.floor_ms else ""
    title = f"\n{outcome.workload.name}: {outcome.workload.title}{floor}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, min_width=80)
    table.add_column("", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("setting")
    for result in outcome.rows:
        style = "bold" if result.peer == JITNET.name else ""
        if result.worked:
            table.add_row(result.title, *_cells(outcome, result), style=style)
    console.print(table)
    for result in outcome.results:
        if not result.worked:
            console.print(
                f"  {result.title} ({result.setting}) failed: {result.error}", style="dim"
            )
    for line in disagreements(list(outcome.results)):
        console.print(f"[bold red]results differ[/]: {line}")


def show_ratios(outcomes: Iterable[Outcome], console: Console) -> None:
    """Print one line for each workload: jitnet beside the best peer."""
    title = "\nbest peer / jitnet (above 1: jitnet is faster)"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("workload", no_wrap=True)
    for column in ("jitnet", "best peer", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("which")
    for outcome in outcomes:
        ours, peer = outcome.ours, outcome.best_peer
        table.add_row(
            outcome.workload.name,
            duration(ours.median_ms) if ours else "-",
            duration(peer.median_ms) if peer else "-",
            number(outcome.ratio),
            f"{peer.title} ({peer.setting})" if peer else "-",
        )
    console.print(table)


def _or_null(value: object) -> object:
    """Return a value as JSON knows it: it has no NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _record(outcome: Outcome) -> dict[str, object]:
    return {
        "workload": outcome.workload.name,
        "title": outcome.workload.title,
        "flops": outcome.workload.flops,
        "bytes": outcome.workload.bytes,
        "floor_ms": outcome.floor_ms,
        "ratio": _or_null(outcome.ratio),
        "differences": disagreements(list(outcome.results)),
        "results": [
            {name: _or_null(value) for name, value in asdict(result).items()}
            for result in outcome.results
        ],
    }


def write_json(outcomes: list[Outcome], machine: Machine, plan: Plan, path: Path) -> None:
    """Write everything that was measured."""
    record = {
        "machine": {**asdict(machine), "how": HOW},
        "plan": asdict(plan),
        "workloads": [_record(outcome) for outcome in outcomes],
    }
    path.write_text(json.dumps(record, indent=2) + "\n")


def can_plot() -> bool:
    """Whether matplotlib is here."""
    return importlib.util.find_spec("matplotlib") is not None


def write_plot(outcomes: list[Outcome], folder: Path) -> list[Path]:
    """Draw the median times of each workload as bars; write PNG and SVG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = [outcome for outcome in outcomes if any(each.worked for each in outcome.rows)]
    if not drawn:
        return []
    heights = [len([each for each in outcome.rows if each.worked]) + 1.2 for outcome in drawn]
    figure, axes = pyplot.subplots(
        len(drawn),
        1,
        figsize=(9, 0.28 * sum(heights) + 0.6),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
        layout="constrained",
    )
    for outcome, axis in zip(drawn, axes[:, 0], strict=True):
        worked = [each for each in outcome.rows if each.worked]
        titles = [each.title for each in worked]
        colors = ["#0b6e4f" if each.peer == JITNET.name else "#9aa5b1" for each in worked]
        bars = axis.barh(titles, [each.median_ms for each in worked], color=colors)
        axis.bar_label(bars, [duration(each.median_ms) for each in worked], padding=4)
        if outcome.floor_ms:
            axis.axvline(outcome.floor_ms, color="#c8553d", linestyle=":", label="floor")
        axis.invert_yaxis()
        axis.margins(x=0.15)
        axis.set_title(outcome.workload.title, loc="left", fontsize=10)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(labelsize=9)
        axis.xaxis.set_visible(False)
    paths = [folder / "benchmarks.png", folder / "benchmarks.svg"]
    for path in paths:
        figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return paths
