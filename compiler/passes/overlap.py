"""Lets concatenations that share parts share memory: one of all their parts, and slices of it.

A loop over time asks for the states after its steps (its result) and before them (a weight's
gradient): all but the first and the last are the same.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make

from .rewrite import substitute

Parts = tuple[Node, ...]


def share_parts(graph: Graph) -> Graph:
    """[a b c] and [b c d] -> u[0:3] and u[1:4] of u = [a b c d]."""
    families: defaultdict[Any, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        if node.op is ops.concat:
            axis = node.params["axis"]
            rest = tuple(size for dim, size in enumerate(node.shape) if dim != axis)
            families[axis, rest, node.dtype].append(node)
    places = {node: number for number, node in enumerate(graph.nodes)}
    replacements: dict[Node, Node] = {}
    for family in families.values():
        for parts, members in _unions(family, places):
            if len(members) < 2:
                continue
            whole = make(ops.concat, *parts, **members[0].params, line=members[0].line)
            replacements |= {member: _cut(whole, member) for member in members}
    return substitute(graph, replacements)


def _unions(family: list[Node], places: dict[Node, int]) -> list[tuple[Parts, list[Node]]]:
    """Return which concatenations become one, and the parts of that."""
    found: list[tuple[Parts, list[Node]]] = []
    for node in sorted(family, key=lambda node: -len(node.args)):
        for number, (parts, members) in enumerate(found):
            union = _union(parts, node.args)
            if union is not None and not _goes_round(union, [*members, node], places):
                found[number] = union, [*members, node]
                break
        else:
            found.append((node.args, [node]))
    return found


def _union(long: Parts, short: Parts) -> Parts | None:
    """Return the shortest row of parts that both are runs of, if they share half of the shorter."""
    if _start(long, short) is not None:
        return long
    for overlap in range(len(short) - 1, (len(short) - 1) // 2, -1):
        if long[-overlap:] == short[:overlap]:
            return (*long, *short[overlap:])
        if long[:overlap] == short[-overlap:]:
            return (*short[:-overlap], *long)
    return None


def _start(long: Parts, run: Parts) -> int | None:
    """Return where a run of parts begins."""
    for start in range(len(long) - len(run) + 1):
        if long[start] is run[0] and long[start : start + len(run)] == run:
            return start
    return None


def _goes_round(union: Parts, members: list[Node], places: dict[Node, int]) -> bool:
    """Whether a part is computed from one of the concatenations that would be cut from the union.

    So it is where each step reads the states of all steps before it.
    """
    wanted = set(members)
    earliest = min(places[member] for member in members)
    stack, seen = list(union), set[Node]()
    while stack:
        node = stack.pop()
        if node in seen or places[node] < earliest:
            continue
        if node in wanted:
            return True
        seen.add(node)
        stack.extend(node.args)
    return False


def _cut(whole: Node, member: Node) -> Node:
    """Return the member as a slice of the union."""
    axis = member.params["axis"]
    first = _start(whole.args, member.args)
    assert first is not None
    start = sum(part.shape[axis] for part in whole.args[:first])
    rank = len(member.shape)
    return make(
        ops.slice,
        whole,
        starts=tuple(start if dim == axis else 0 for dim in range(rank)),
        stops=tuple(start + size if dim == axis else size for dim, size in enumerate(member.shape)),
        steps=(1,) * rank,
        line=member.line,
    )
