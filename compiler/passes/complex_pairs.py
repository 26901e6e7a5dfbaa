"""Makes real values of complex ones: a real and an imaginary part, which all later passes see.

Inside a graph a complex value is two nodes. In the memory that callers share, its parts lie side
by side, as PyTorch and NumPy have them: such an input is real with one more dim of size 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Input, Node, Output, make
from jitnet.compiler.ops.pairs import on_pairs, paired
from jitnet.runtime.dtype import DType, bool_

from .complex_rules import BOTH, RULES, Pair, Value, joined, like, taken_apart
from .fourier_products import half_inverse, half_transform, transform
from .rewrite import with_args


def complex_pairs(graph: Graph) -> Graph:
    """Return the graph without complex values; the graph itself where it has none."""
    if not any(node.dtype.is_complex for node in graph.nodes):
        return graph
    inputs = tuple(map(_input, graph.inputs))
    done: dict[Node, Value] = {}
    for old, new in zip(graph.inputs, inputs, strict=True):
        whole = new is not old
        done[old.node] = taken_apart(new.node) if whole else new.node
    for node in graph.nodes:
        if node not in done:
            done[node] = _relined(_changed(node, [done[arg] for arg in node.args]), node, done)
    outputs = tuple(replace(item, node=_result(item, done[item.node])) for item in graph.outputs)
    return replace(graph, inputs=inputs, outputs=outputs)


def _input(item: Input) -> Input:
    kind = item.node.type
    if not kind.dtype.is_complex:
        return item
    stored = paired(kind)
    node = replace(item.node, params={"kind": stored}, type=stored)
    return replace(item, node=node, strides=(*(2 * step for step in item.strides), 1))


def _result(item: Output, value: Value) -> Node:
    """Return what an output is; a fresh one lies packed, whatever shape is computed into it."""
    node = _stored(value)
    while item.into is None and node.op is ops.reshape:
        node = node.args[0]
    return node


def _stored(value: Value) -> Node:
    """Return a value as memory holds it."""
    return joined(value) if isinstance(value, Pair) else value


def _changed(node: Node, args: Sequence[Value]) -> Value:
    """Return what a node becomes, given what its arguments became."""
    if not node.dtype.is_complex and not any(isinstance(arg, Pair) for arg in args):
        return with_args(node, tuple(args))  # type: ignore[arg-type]
    if node.op in RULES:
        return RULES[node.op](*args)
    if node.op in BOTH:
        return _both(node, args, node.params, node.params)
    match node.op:
        case ops.constant:
            value = node.params["value"]
            parts = (np.ascontiguousarray(value.real), np.ascontiguousarray(value.imag))
            return Pair(*(make(ops.constant, value=part) for part in parts))
        case ops.full | ops.full_like | ops.pad:
            value = complex(node.params["value"])
            first, second = ({**node.params, "value": part} for part in (value.real, value.imag))
            if node.op is ops.full:
                first["dtype"] = second["dtype"] = node.dtype.to_real()
            return _both(node, args, first, second)
        case ops.iota:
            return _cast(
                make(ops.iota, **{**node.params, "dtype": node.dtype.to_real()}), node.dtype
            )
        case ops.iota_like:
            return make(ops.iota_like, _part(args[0], 0), **node.params)
        case ops.cast:
            return _cast(args[0], node.dtype)
    return _transformed(node, args[0]) or _by_numpy(node, args)


def _transformed(node: Node, value: Value) -> Value | None:
    """Return a short Fourier transform as a product; None for all else."""
    if node.op is ops.half_fourier:
        return half_transform(_part(value, 0), **node.params)
    if not isinstance(value, Pair):
        return None
    if node.op is ops.fourier:
        return transform(value, **node.params)
    return half_inverse(value, **node.params) if node.op is ops.half_inverse else None


def _part(value: Value, number: int) -> Node:
    """Return one part of a value; a real value, such as an index, is what it is."""
    return value.parts[number] if isinstance(value, Pair) else value


def _both(node: Node, args: Sequence[Value], *params: dict[str, Any]) -> Pair:
    """Apply the node's op to the real parts, and to the imaginary ones."""
    parts = [
        make(node.op, *(_part(arg, number) for arg in args), **each)
        for number, each in enumerate(params)
    ]
    return Pair(*parts)


def _cast(value: Value, dtype: DType) -> Value:
    if not isinstance(value, Pair):
        real = ops.cast(value, dtype=dtype.to_real())
        return Pair(real, like(real, 0.0))
    if dtype.is_complex:
        return Pair(*(ops.cast(part, dtype=dtype.to_real()) for part in value.parts))
    if dtype is bool_:
        return ops.logical_or(*(ops.cast(part, dtype=bool_) for part in value.parts))
    return ops.cast(value.re, dtype=dtype)


def _by_numpy(node: Node, args: Sequence[Value]) -> Value:
    """Let NumPy compute it: a host node, which prints as such."""
    found = make(
        on_pairs,
        *map(_stored, args),
        function=node.op.name,
        complex=tuple(isinstance(arg, Pair) for arg in args),
        params=tuple(node.params.items()),
    )
    return taken_apart(found) if node.dtype.is_complex else found


def _relined(value: Value, node: Node, done: dict[Node, Value]) -> Value:
    """Give the nodes that stand for one node its source line."""
    known = {part for arg in node.args for part in _parts(done[arg])}
    made: dict[Node, Node] = {}

    def lined(each: Node) -> Node:
        if each in known:
            return each
        if each not in made:
            made[each] = replace(each, args=tuple(map(lined, each.args)), line=node.line)
        return made[each]

    if not isinstance(value, Pair):
        return lined(value)
    whole = None if value.whole is None else lined(value.whole)
    return Pair(lined(value.re), lined(value.im), whole)


def _parts(value: Value) -> tuple[Node, ...]:
    if not isinstance(value, Pair):
        return (value,)
    return value.parts if value.whole is None else (*value.parts, value.whole)
