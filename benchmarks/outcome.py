"""A workload, the machine's floor for it, and every setting's result."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass

from benchmarks.floor import Machine
from benchmarks.ledger import Record, restored
from benchmarks.peers import JITNET, JITNET_EAGER
from benchmarks.results import Result, best_of_each, disagreements, ratios_by_round
from benchmarks.rounds import Plan
from benchmarks.workloads import Workload

NUMBERS = ("median_ms", "best_ms", "first_seconds", "call_seconds", "peak_megabytes")


@dataclass(frozen=True)
class Outcome:
    """What one workload's rounds gave."""

    workload: Workload
    machine: Machine
    plan: Plan
    results: tuple[Result, ...]

    @property
    def floor_ms(self) -> float:
        """The milliseconds that one step takes at least; 0 where nothing is known."""
        return self.machine.floor_ms(self.workload)

    @property
    def rows(self) -> list[Result]:
        """Each one's best setting, jitnet first, then from fast to slow."""
        return best_of_each(list(self.results))

    def best_of(self, peer: str) -> Result | None:
        """Return a peer's best result, where it has one."""
        return next((each for each in self.rows if each.peer == peer and each.worked), None)

    @property
    def ours(self) -> Result | None:
        """jitnet's result, where it has one."""
        return self.best_of(JITNET.name)

    @property
    def best_peer(self) -> Result | None:
        """The fastest of the others."""
        own = (JITNET.name, JITNET_EAGER.name)
        return next((each for each in self.rows if each.peer not in own and each.worked), None)

    @property
    def ratio(self) -> float:
        """The best peer's time over jitnet's; above 1 jitnet is faster."""
        return self.ratio_of(self.best_peer)

    def ratio_of(self, result: Result | None) -> float:
        """Return a result's time over jitnet's: the median of all rounds, or of all that there is.

        Those of the rounds are pairs of turns that followed each other; a setting that was only
        tried has none.
        """
        if self.ours is None or result is None:
            return math.nan
        rounds = ratios_by_round(result, self.ours)
        return statistics.median(rounds) if rounds else result.median_ms / self.ours.median_ms

    @property
    def quarters(self) -> tuple[float, float] | None:
        """Between which ratios to the best peer the middle half of the rounds lay."""
        if self.ours is None or self.best_peer is None:
            return None
        rounds = ratios_by_round(self.best_peer, self.ours)
        if len(rounds) < 3:
            return None
        low, _, high = statistics.quantiles(rounds, method="inclusive")
        return low, high

    @property
    def troubles(self) -> list[str]:
        """A line for each setting that failed, and for each result that differs from the others."""
        name = self.workload.name
        failed = [each for each in self.results if not each.worked]
        return [
            *(f"{name}: {each.title} ({each.setting}) failed: {each.error}" for each in failed),
            *(f"{name}: results differ: {line}" for line in disagreements(list(self.results))),
        ]

    def record(self) -> Record:
        """Return everything as JSON takes it."""
        return {
            "title": self.workload.title,
            "flops": self.workload.flops,
            "bytes": self.workload.bytes,
            "floor_ms": self.floor_ms,
            "ratio": self.ratio,
            "machine": asdict(self.machine),
            "plan": asdict(self.plan),
            "results": [asdict(result) for result in self.results],
        }

    @classmethod
    def of(cls, workload: Workload, record: Record) -> Outcome:
        """Return the outcome that a record was made of."""
        rows = [restored(each, numbers=NUMBERS) for each in record["results"]]
        results = tuple(Result(**{**each, **_tuples(each)}) for each in rows)
        return cls(workload, Machine(**record["machine"]), Plan(**record["plan"]), results)


def _tuples(record: Record) -> dict[str, tuple[float, ...]]:
    """Return the fields of a result that JSON keeps as lists; older files lack the turns."""
    return {"values": tuple(record["values"]), "turns_ms": tuple(record.get("turns_ms", ()))}
