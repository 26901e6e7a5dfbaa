"""jitnet.utils.benchmark: how long a statement takes, in PyTorch's words, and tables of it."""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jitnet

_UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
_BLOCK = 1e-3  # seconds: shorter blocks of runs measure the clock


@dataclass(frozen=True)
class Measurement:
    """Times of one statement. raw_times: seconds for each block of number_per_run runs."""

    number_per_run: int
    raw_times: Sequence[float]
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    num_threads: int = 1

    @property
    def times(self) -> list[float]:
        """Seconds for one run, of each block."""
        return [time / self.number_per_run for time in self.raw_times]

    @property
    def mean(self) -> float:
        """Seconds for one run."""
        return statistics.fmean(self.times)

    @property
    def median(self) -> float:
        """Seconds for one run, of the block in the middle."""
        return statistics.median(self.times)

    @property
    def iqr(self) -> float:
        """Seconds between the quartiles of `times`."""
        if len(self.raw_times) < 2:
            return 0.0
        first, _, third = statistics.quantiles(self.times, n=4, method="inclusive")
        return third - first

    @property
    def title(self) -> str:
        """What was measured."""
        return ": ".join(part for part in (self.label, self.sub_label) if part) or "[no label]"

    def __repr__(self) -> str:
        unit, scale = _unit(self.median)
        lines = [self.title, *([self.description] if self.description else [])]
        blocks = len(self.raw_times)
        what = "Median: " if blocks > 1 else ""
        lines.append(f"  {what}{self.median / scale:.2f} {unit}")
        if blocks > 1:
            lines.append(f"  IQR:    {self.iqr / scale:.2f} {unit}")
        lines.append(
            f"  {blocks} measurement{'s' * (blocks > 1)}, {self.number_per_run} runs, "
            f"{self.num_threads} thread{'s' * (self.num_threads > 1)}"
        )
        return "\n".join(lines)


class Timer:
    """Runs a statement again and again, warmed up, on num_threads threads.

    globals: what the statement's names are. label, sub_label, description: places in Compare.
    """

    def __init__(
        self,
        stmt: str | Callable[[], Any] = "pass",
        setup: str | Callable[[], Any] = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timeit.default_timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = "python",
    ) -> None:
        names = {"jitnet": jitnet, "torch": jitnet, **(globals or {})}
        self._timer = timeit.Timer(stmt, setup, timer, names)
        self._words = {"label": label, "sub_label": sub_label, "description": description}
        self._threads = num_threads

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """Return what a block of `number` runs takes."""
        return self._measured(max(1, number), 1)

    def blocked_autorange(
        self, callback: Callable[[int, float], None] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Return what blocks of runs take that go on for min_run_time seconds together.

        callback(number, seconds) is told of each.
        """
        measured = self._measured(self._block(), min_run_time=min_run_time)
        for seconds in measured.raw_times if callback else ():
            assert callback is not None
            callback(measured.number_per_run, seconds)
        return measured

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0
    ) -> Measurement:
        """Return what blocks of runs take: more of them until the quartiles are near each other.

        threshold: their distance, as a part of the median.
        """
        measured = self.blocked_autorange(min_run_time=min_run_time)
        while measured.iqr > threshold * measured.median and sum(measured.raw_times) < max_run_time:
            measured = self.blocked_autorange(min_run_time=2 * sum(measured.raw_times))
        return measured

    def _block(self) -> int:
        """Return how many runs take long enough for a clock."""
        number = 1
        while self._measured(number, 1).raw_times[0] < _BLOCK:
            number *= 10
        return number

    def _measured(self, number: int, blocks: int = 0, min_run_time: float = 0.0) -> Measurement:
        before = jitnet.get_num_threads()
        jitnet.set_num_threads(self._threads)
        times: list[float] = []
        try:
            self._timer.timeit(1)  # what a first run compiles and loads is none of its time
            while len(times) < blocks or sum(times) < min_run_time:
                times.append(self._timer.timeit(number))
        finally:
            jitnet.set_num_threads(before)
        return Measurement(number, times, num_threads=self._threads, **self._words)


class Compare:
    """A table of measurements: a row for each sub_label, a column for each description."""

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results = list(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add more measurements."""
        self._results += results

    def trim_significant_figures(self) -> None:
        """Do nothing: all figures are shown with two digits after the point."""

    def colorize(self, rowwise: bool = False) -> None:
        """Do nothing: the table is plain text."""

    def print(self) -> None:
        """Print the table."""
        print(self)

    def __str__(self) -> str:
        unit, scale = _unit(min((each.median for each in self._results), default=1.0))
        columns = list(dict.fromkeys(each.description or "" for each in self._results))
        rows: dict[tuple[str, int], dict[str, str]] = {}
        for each in self._results:
            row = rows.setdefault((each.title, each.num_threads), {})
            row[each.description or ""] = f"{each.median / scale:.2f}"
        lines = [["", *columns]]
        for (title, threads), row in rows.items():
            lines.append([f"{title} ({threads} threads)", *(row.get(name, "") for name in columns)])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            for line in lines
        ]
        return "\n".join([*text, f"Times are in {unit}."])


def _unit(seconds: float) -> tuple[str, float]:
    """Return the largest unit in which a time is at least 1, and its seconds."""
    return next(((name, scale) for name, scale in _UNITS if seconds >= scale), _UNITS[-1])
