"""The numbers that random transforms draw, from jitnet's generator: manual_seed repeats them."""

from __future__ import annotations

import jitnet


def chance(probability: float) -> bool:
    """Return whether something of this probability happens."""
    return bool(jitnet.rand(1).item() < probability)


def uniform(low: float, high: float) -> float:
    """Return a number from low to high."""
    return float(low + (high - low) * jitnet.rand(1, dtype=jitnet.float64).item())


def below(*counts: int) -> tuple[int, ...]:
    """Return a whole number 0 .. count - 1 for each count, all drawn in one call."""
    drawn = jitnet.rand(len(counts), dtype=jitnet.float64).tolist()
    return tuple(int(share * count) for share, count in zip(drawn, counts, strict=True))


def order(count: int) -> list[int]:
    """Return 0 .. count - 1 in any order."""
    return jitnet.randperm(count).tolist()
