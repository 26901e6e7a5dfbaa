"""Timers: what is run how often, and how it is shown. No clock is asked: a fake one counts."""

from __future__ import annotations

from typing import Any

import pytest

import jitnet as jn
from jitnet.utils.benchmark import Compare, Measurement, Timer


class Clock:
    """A clock on which each run of the statement takes a millisecond."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> float:
        return self.runs * 1e-3

    def run(self) -> None:
        self.runs += 1


def timer(clock: Clock, **words: Any) -> Timer:
    return Timer("clock.run()", globals={"clock": clock}, timer=clock, **words)


def test_a_block_of_runs() -> None:
    clock = Clock()
    measured = timer(clock, label="step").timeit(20)
    assert clock.runs == 21  # once to warm up
    assert measured.times == [pytest.approx(1e-3)]
    assert measured.mean == measured.median == pytest.approx(1e-3)
    assert repr(measured).splitlines()[:2] == ["step", "  1.00 ms"]


def test_blocks_until_the_time_is_over() -> None:
    told: list[tuple[int, float]] = []
    measured = timer(Clock()).blocked_autorange(lambda *args: told.append(args), min_run_time=0.05)
    assert sum(measured.raw_times) >= 0.05
    assert told == [(measured.number_per_run, seconds) for seconds in measured.raw_times]
    assert measured.iqr < 1e-9
    assert timer(Clock()).adaptive_autorange().median == pytest.approx(1e-3)


def test_a_statement_runs_on_the_threads_it_asks_for() -> None:
    threads: list[int] = []
    before = jn.get_num_threads()
    measured = Timer(lambda: threads.append(jn.get_num_threads()), num_threads=1).timeit(3)
    assert threads == [1] * 4
    assert (measured.num_threads, jn.get_num_threads()) == (1, before)


def test_a_table() -> None:
    table = Compare([Measurement(1, [2e-3], "sum", "small", "eager")])
    table.extend_results([Measurement(2, [2e-3, 4e-3], "sum", "small", "compiled")])
    head, row, unit = str(table).splitlines()
    assert [cell.strip() for cell in head.split("|")] == ["", "eager", "compiled"]
    assert [cell.strip() for cell in row.split("|")] == ["sum: small (1 threads)", "2.00", "1.50"]
    assert unit == "Times are in ms."
