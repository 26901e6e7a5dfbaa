"""`python -m benchmarks [workload ...]`: time jitnet beside the peers that are installed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from benchmarks import floor, report
from benchmarks.peers import ALL, JITNET, PEERS, Peer, peer_named
from benchmarks.rounds import Plan, run
from benchmarks.workloads import WORKLOADS, workloads_like


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "workloads", nargs="*", metavar="workload", help="names or their beginnings; default: all"
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        metavar="PEER",
        choices=[peer.name for peer in ALL],
        help=f"which, of {', '.join(peer.name for peer in ALL)}; default: the installed peers",
    )
    parser.add_argument("--threads", type=int, default=len(_processors()), help="default: all")
    parser.add_argument("--rounds", type=int, default=7, help="turns that each gets (7)")
    parser.add_argument("--seconds", type=float, default=0.3, help="of one turn (0.3)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder")
    parser.add_argument("--list", action="store_true", help="show workloads and peers, run nothing")
    return parser


def _processors() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _show_lists(console: Console) -> None:
    for workload in WORKLOADS:
        console.print(f"{workload.name:<28} {workload.title}")
    for peer in ALL:
        absent = f" (absent: {peer.lacks})" if peer.lacks else ""
        console.print(f"--peers {peer.name:<10} {peer.title}{absent}")


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    if asked.list:
        _show_lists(console)
        return
    if min(asked.threads, asked.rounds) < 1 or asked.seconds <= 0:
        parser.error("--threads, --rounds and --seconds want positive numbers")
    try:
        workloads = workloads_like(asked.workloads)
    except ValueError as error:
        parser.error(str(error))
    peers: list[Peer] = [peer_named(name) for name in asked.peers or []] or [JITNET, *PEERS]
    for peer in peers:
        if peer.lacks:
            console.print(f"[dim]{peer.title} is left out: there is no {peer.lacks} here[/]")
    plan = Plan(asked.threads, asked.rounds, asked.seconds)
    asked.out.mkdir(parents=True, exist_ok=True)
    machine = floor.measure(asked.threads)
    console.print(
        f"{machine.processor}, {machine.threads} threads: {machine.flops / 1e9:.0f} GFLOP/s, "
        f"{machine.bandwidth / 1e9:.0f} GB/s ({floor.HOW})"
    )
    outcomes = []
    for workload in workloads:
        with console.status(workload.name) as status:
            results = run(workload, peers, plan, status.update)
        outcomes.append(report.Outcome(workload, machine.floor_ms(workload), tuple(results)))
        report.show(outcomes[-1], console)
        report.write_json(outcomes, machine, plan, asked.out / "benchmarks.json")
    report.show_ratios(outcomes, console)
    if report.can_plot():
        console.print(*report.write_plot(outcomes, asked.out))
    console.print(asked.out / "benchmarks.json")


if __name__ == "__main__":
    main()
