"""What the command line asks for, which every report is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.floor import Machine
from benchmarks.peers import Peer
from benchmarks.rounds import Plan
from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Setup:
    """Which workloads, for whom, how, where to write and where to show."""

    workloads: tuple[Workload, ...]
    peers: tuple[Peer, ...]
    plan: Plan
    machine: Machine
    folder: Path
    console: Console
