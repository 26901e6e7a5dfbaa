"""All workloads by name: those of the tables, and those of the series."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks import gpu
from benchmarks.series import SERIES
from benchmarks.workloads import WORKLOADS, Workload

SCALED = tuple(workload for series in SERIES for workload in series.workloads)
_BY_NAME = {workload.name: workload for workload in (*WORKLOADS, *SCALED, *gpu.WORKLOADS)}


def workload_named(name: str) -> Workload:
    """Return a workload by its name."""
    return _BY_NAME[name]


def in_order(names: Iterable[str]) -> list[Workload]:
    """Return the workloads that have these names, in the tables' order; others are skipped."""
    wanted = set(names)
    return [workload for name, workload in _BY_NAME.items() if name in wanted]


def workloads_like(
    patterns: list[str], among: tuple[Workload, ...] = WORKLOADS
) -> tuple[Workload, ...]:
    """Return the workloads whose names are, or begin with, one of the patterns; all for none."""
    for pattern in patterns:
        if not any(each.name.startswith(pattern) for each in among):
            names = ", ".join(each.name for each in among)
            raise ValueError(f"no workload begins with {pattern!r}; there are {names}")
    if not patterns:
        return among
    return tuple(each for each in among if each.name.startswith(tuple(patterns)))
