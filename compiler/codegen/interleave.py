"""Puts chains of dependent instructions side by side, where a long body has several of them.

A processor looks some hundred instructions ahead. Of erf, sigmoid and tanh of a few vectors, each
written to its end before the next one begins, it sees one chain at a time and waits. So of all
instructions whose operands are there, the one with the longest chain behind it goes first.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence

_NAME = re.compile(r"%[\w.]+")


def interleaved(lines: Sequence[str]) -> list[str]:
    """Return the instructions of a block in another order; one with branches inside as it is."""
    *body, last = lines
    if not all(line.startswith("  ") for line in body):  # there are labels
        return list(lines)
    users, waits = _order(body)
    chains = [1] * len(body)
    for number in reversed(range(len(body))):
        chains[number] += max((chains[user] for user in users[number]), default=0)
    ready = [(-chains[number], number) for number in range(len(body)) if not waits[number]]
    heapq.heapify(ready)
    found: list[str] = []
    while ready:
        _, number = heapq.heappop(ready)
        found.append(body[number])
        for user in users[number]:
            waits[user] -= 1
            if not waits[user]:
                heapq.heappush(ready, (-chains[user], user))
    return [*found, last]


def _order(body: Sequence[str]) -> tuple[list[list[int]], list[int]]:
    """Return for each instruction those that must follow it, and how many it must follow.

    It follows its operands; one that writes to memory also all that read or write before it.
    """
    users: list[list[int]] = [[] for _ in body]
    waits = [0] * len(body)
    made: dict[str, int] = {}
    effects: list[int] = []  # the last one, if there is one
    reads: list[int] = []  # since then
    for number, line in enumerate(body):
        name, rest = _parts(line)
        before = {made[operand] for operand in _NAME.findall(rest) if operand in made}
        if name:
            made[name] = number
        if not name or _is_unknown_call(rest):
            before.update(effects, reads)
            effects, reads = [number], []
        elif rest.startswith("load "):
            before.update(effects)
            reads.append(number)
        waits[number] = len(before)
        for earlier in before:
            users[earlier].append(number)
    return users, waits


def _parts(line: str) -> tuple[str, str]:
    """Return the name that an instruction gives its result, "" if it has none, and the rest."""
    name, equals, rest = line.strip().partition(" = ")
    return (name, rest) if equals else ("", name)


def _is_unknown_call(rest: str) -> bool:
    return rest.startswith("call ") and "@llvm." not in rest
