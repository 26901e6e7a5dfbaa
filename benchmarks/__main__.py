"""`python -m benchmarks [workload ...]`: time jitnet beside the peers that are installed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks import floor, gpu
from benchmarks.catalog import SCALED, workloads_like
from benchmarks.kinds import is_large
from benchmarks.peers import ALL, JAX, JITNET, PEERS, TORCH, Peer
from benchmarks.reports import footprint, latency, scaling, speed, threads
from benchmarks.rounds import Plan
from benchmarks.setup import Setup
from benchmarks.workloads import WORKLOADS, Workload


@dataclass(frozen=True)
class Report:
    """What --report can ask for: what it runs, on which workloads, and for whom by default."""

    run: Callable[[Setup], None]
    title: str
    workloads: tuple[Workload, ...] = WORKLOADS
    peers: tuple[Peer, ...] = (JITNET, *PEERS)


REPORTS = {
    "speed": Report(speed.run, "the time of a step"),
    "latency": Report(latency.run, "the time to a first result"),
    "packages": Report(footprint.run, "what importing takes, and bytes on disk", workloads=()),
    "threads": Report(
        threads.run,
        "jitnet on one thread and on all, and beside other pools",
        workloads=tuple(each for each in WORKLOADS if is_large(each.work)),
        peers=(JITNET,),
    ),
    "scaling": Report(
        scaling.run,
        "the time of a step over batch, width, depth and length",
        workloads=SCALED,
        peers=(JITNET, TORCH, JAX),
    ),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "workloads", nargs="*", metavar="workload", help="names or their beginnings; default: all"
    )
    parser.add_argument(
        "--report",
        choices=REPORTS,
        default="speed",
        help="; ".join(f"{name}: {report.title}" for name, report in REPORTS.items()),
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="PEER",
        choices=[peer.name for peer in ALL],
        help=f"which, of {', '.join(peer.name for peer in ALL)}; default: the installed peers, "
        "for scaling jitnet, torch and jax",
    )
    parser.add_argument("--threads", type=int, default=len(_processors()), help="default: all")
    parser.add_argument("--rounds", type=int, default=7, help="turns that each gets (7)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of one turn (0.3)")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda: on a GPU, its own workloads"
    )
    parser.add_argument(
        "--out", type=Path, help="folder; default: benchmarks/results, or cuda in it"
    )
    parser.add_argument("--list", action="store_true", help="show workloads and peers, run nothing")
    return parser


def _processors() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _show_lists(report: Report, console: Console) -> None:
    for workload in report.workloads:
        console.print(f"{workload.name:<28} {workload.title}")
    for peer in ALL:
        absent = f" (absent: {peer.lacks})" if peer.lacks else ""
        console.print(f"--peers {peer.name:<12} {peer.title}{absent}")


def _setup(parser: argparse.ArgumentParser, asked: argparse.Namespace, console: Console) -> Setup:
    if min(asked.threads, asked.rounds) < 1 or asked.seconds <= 0:
        parser.error("--threads, --rounds and --seconds want positive numbers")
    report = _report(parser, asked)
    try:
        workloads = workloads_like(asked.workloads, report.workloads)
    except ValueError as error:
        parser.error(str(error))
    among = {peer.name: peer for peer in (*ALL, *report.peers)}
    peers = tuple(among[name] for name in asked.peers or ()) or report.peers
    for peer in peers:
        if peer.lacks:
            console.print(f"[dim]{peer.title} is left out: there is no {peer.lacks} here[/]")
    folder = asked.out or Path("benchmarks/results", *(["cuda"] if asked.device == "cuda" else []))
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(asked.threads, asked.rounds, asked.seconds)
    machine = gpu.measure() if asked.device == "cuda" else floor.measure(asked.threads)
    console.print(machine)
    return Setup(workloads, peers, plan, machine, folder, console)


def _report(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> Report:
    """Return what the report runs, on the device that is asked for."""
    if asked.device == "cpu":
        return REPORTS[asked.report]
    if asked.report != "speed":
        parser.error(f"--report {asked.report} is for --device cpu; leave it out")
    reason = gpu.why_not()
    if reason and not asked.list:
        parser.error(f"--device cuda finds no GPU: {reason}")
    return Report(speed.run, "the time of a step on a GPU", gpu.WORKLOADS, gpu.PEERS)


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    report = _report(parser, asked)
    if asked.list:
        _show_lists(report, console)
    else:
        report.run(_setup(parser, asked, console))


if __name__ == "__main__":
    main()
