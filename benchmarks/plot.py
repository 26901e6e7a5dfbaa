"""The median times of each workload as bars."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from benchmarks.outcome import Outcome
from benchmarks.peers import JITNET
from benchmarks.tables import duration


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
    paths = [folder / "speed.png", folder / "speed.svg"]
    for path in paths:
        figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return paths
