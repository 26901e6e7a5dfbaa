"""The only walk over a graph that changes it: rules, applied from arguments to users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from jitnet.compiler.ir.graph import Graph, Node

Rule = Callable[[Node], Node | None]
LIMIT = 64  # rewrites of one node before the rules must be circular


def rewrite(graph: Graph, rules: Sequence[Rule]) -> Graph:
    """Return the graph with each node replaced by what the rules make of it, until none applies."""
    inputs = {item.node for item in graph.inputs}
    done: dict[Node, Node] = {node: node for node in inputs}
    for root in (output.node for output in graph.outputs):
        _rewrite_below(root, rules, done)
    outputs = tuple(replace(output, node=done[output.node]) for output in graph.outputs)
    return replace(graph, outputs=outputs)


def _rewrite_below(root: Node, rules: Sequence[Rule], done: dict[Node, Node]) -> None:
    """Fill in `done` for root; a replacement's own arguments are rewritten too."""
    stack = [root]
    turns: dict[Node, int] = {}
    becomes: dict[Node, Node] = {}
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        if node in becomes:
            done[node] = done[becomes.pop(node)]
            stack.pop()
            continue
        missing = [arg for arg in node.args if arg not in done]
        if missing:
            stack.extend(reversed(missing))
            continue
        args = tuple(done[arg] for arg in node.args)
        current = with_args(node, args)
        result = _apply(current, rules)
        if result is None:
            done[node] = done[current] = current
            stack.pop()
            continue
        turns[result] = turns.get(current, 0) + 1
        assert turns[result] < LIMIT, f"rules go round in circles at {node}"
        becomes[node] = result
        stack.append(result)


def _apply(node: Node, rules: Sequence[Rule]) -> Node | None:
    for rule in rules:
        result = rule(node)
        if result is not None and result is not node:
            assert result.type == node.type, f"{rule.__name__} turned {node} into {result}"
            is_new = bool(result.args) and not result.line
            return replace(result, line=node.line) if is_new and node.line else result
    return None


def rebuild(graph: Graph, change: Callable[[Node, tuple[Node, ...]], Node]) -> Graph:
    """Return the graph with each node replaced by change(node, its new arguments), once.

    Unlike a rule, `change` sees the nodes of the graph as it was, and may ask about their users.
    """
    inputs = {item.node for item in graph.inputs}
    done: dict[Node, Node] = {}
    for node in graph.nodes:
        done[node] = node if node in inputs else change(node, tuple(done[a] for a in node.args))
    outputs = tuple(replace(output, node=done[output.node]) for output in graph.outputs)
    return replace(graph, outputs=outputs)


def substitute(graph: Graph, replacements: dict[Node, Node]) -> Graph:
    """Return the graph with some values replaced by others, made of the graph's old values.

    What a replacement reads is replaced too.
    """
    inputs = {item.node for item in graph.inputs}
    done: dict[Node, Node] = {node: node for node in inputs}
    stack = [output.node for output in graph.outputs]
    while stack:
        node = stack[-1]
        becomes = replacements.get(node, node)
        missing = [arg for arg in becomes.args if arg not in done]
        if missing and node not in done:
            stack.extend(missing)
            continue
        stack.pop()
        if node not in done:
            done[node] = with_args(becomes, tuple(done[arg] for arg in becomes.args))
    outputs = tuple(replace(output, node=done[output.node]) for output in graph.outputs)
    return replace(graph, outputs=outputs)


def with_args(node: Node, args: tuple[Node, ...]) -> Node:
    """Return node reading these arguments; itself if it already does."""
    if args == node.args:  # nodes are equal only to themselves
        return node
    return Node(node.op, args, node.params, node.type, node.line)
