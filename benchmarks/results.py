"""What was measured of each (workload, peer, setting), and how results compare."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.peers import JITNET, Peer, Setting

AGREEMENT = 2e-4  # relative; float32 sums differ by their order
ROUNDING = 1e-6  # of the largest value: a loss that falls to 1e-4 is a difference of larger numbers


@dataclass(frozen=True)
class Result:
    """What one (workload, peer, setting) reached, or why it did not."""

    peer: str
    title: str
    setting: str
    version: str = ""
    median_ms: float = float("nan")
    turns_ms: tuple[float, ...] = ()  # the median of each turn of the rounds
    best_ms: float = float("nan")
    samples: int = 0
    first_seconds: float = float("nan")  # from the start of the process to the first result
    call_seconds: float = float("nan")  # from the first call to its result
    peak_megabytes: float = float("nan")
    values: tuple[float, ...] = ()
    error: str = ""
    trial: bool = False  # a slower setting of its peer, which got only one turn

    @property
    def worked(self) -> bool:
        """Whether there is a time."""
        return not self.error


def ratios_by_round(one: Result, other: Result) -> tuple[float, ...]:
    """Return the time of one over that of another, in each round that both have.

    Whatever slows the machine for longer than a round slows both, and leaves their ratio as it is.
    """
    return tuple(a / b for a, b in zip(one.turns_ms, other.turns_ms, strict=False))


def failure(peer: Peer, setting: Setting, error: Exception) -> Result:
    """Return the line of a setting that failed."""
    return Result(peer.name, peer.title, setting.name, error=str(error))


def best_of_each(results: list[Result]) -> list[Result]:
    """Return each peer's fastest setting, or its first error, in the order of the table."""
    best: dict[str, Result] = {}
    for result in results:
        known = best.get(result.peer)
        if known is None or _rank(result) < _rank(known):
            best[result.peer] = result
    ours = [each for each in best.values() if each.peer == JITNET.name]
    others = [each for each in best.values() if each.peer != JITNET.name]
    return ours + sorted(others, key=_rank)


def _rank(result: Result) -> tuple[bool, bool, float]:
    return not result.worked, result.trial, result.median_ms if result.worked else 0.0


def disagreements(results: list[Result]) -> list[str]:
    """Return a line for each result whose values differ from the first peer's that has any."""
    worked = [each for each in results if each.worked and each.peer != JITNET.name]
    worked = worked or [each for each in results if each.worked]
    lines = []
    for each in results:
        if each.worked and not _agree(each.values, worked[0].values):
            lines.append(f"{each.title}: {each.values}, but {worked[0].title}: {worked[0].values}")
    return lines


def _agree(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    least = ROUNDING * max(map(abs, a + b), default=0.0)
    return all(
        abs(x - y) <= max(AGREEMENT * max(abs(x), abs(y)), least) for x, y in zip(a, b, strict=True)
    )
