"""Algebra that holds for every value, NaN and infinities included, and constant folding.

Each rule is a function Node -> replacement or None; its docstring is what it means.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler import ops
from jitnet.compiler.ir.graph import Graph, Node, make
from jitnet.compiler.ir.lowering import Host, Pointwise
from jitnet.runtime.dtype import convert

from . import pieces
from .rewrite import rewrite, with_args
from .storage import is_view

FOLD_UP_TO = 1024  # elements of a constant result computed when compiling


def simplify(graph: Graph) -> Graph:
    """Return the graph with the rules applied everywhere."""
    return rewrite(graph, RULES)


def uniform(node: Node) -> Any:
    """Return the number that a value holds everywhere, or None."""
    if node.op is ops.full:
        return node.params["value"]
    if node.op is ops.constant and node.type.numel == 1:
        return node.params["value"].reshape(()).item()
    return None


def full(like: Node, value: Any) -> Node:
    """Return a value of like's type that is the same number everywhere."""
    return make(ops.full, shape=like.shape, dtype=like.dtype, value=value, line=like.line)


def without_elements(node: Node) -> Node | None:
    """a value without elements -> full, as a result and as an argument"""
    if node.op is ops.full or not node.args:
        return None
    if 0 in node.shape:
        return full(node, 0)
    empty = [0 in arg.shape and arg.op is not ops.full for arg in node.args]
    if not any(empty):
        return None
    pairs = zip(node.args, empty, strict=True)
    return with_args(node, tuple(full(arg, 0) if is_empty else arg for arg, is_empty in pairs))


def known_full(node: Node) -> Node | None:
    """full_like(x, v) -> full v; an element-by-element op of fulls, or a moved full -> full"""
    if node.op is ops.full_like:
        return full(node, node.params["value"])
    movable = is_view(node) and node.op.name != "window"
    if not node.args or not (movable or isinstance(node.op.lower, Pointwise)):
        return None
    values = [uniform(arg) for arg in node.args]
    if any(value is None for value in values):
        return None
    if is_view(node):
        return full(node, values[0])
    arrays = [
        convert(np.asarray(value), arg.dtype) for value, arg in zip(values, node.args, strict=True)
    ]
    with np.errstate(all="ignore"):
        result = np.asarray(node.op.eval(*arrays, **node.params))
    return full(node, result.item())


def fold_constants(node: Node) -> Node | None:
    """op(constants) -> constant; the host computes in the call, where an error has its line"""
    if isinstance(node.op.lower, Host) or not node.args:
        return None
    if node.type.numel > FOLD_UP_TO or node.type.numel == 0:
        return None
    if not all(arg.op in (ops.constant, ops.full, ops.iota) for arg in node.args):
        return None
    if all(arg.op is not ops.constant for arg in node.args):
        return None
    if any(arg.type.numel > FOLD_UP_TO for arg in node.args):
        return None
    with np.errstate(all="ignore"):
        value = node.op.eval(*(arg.op.eval(**arg.params) for arg in node.args), **node.params)
    array = np.array(value, dtype=node.dtype.numpy)
    return make(ops.constant, value=array, line=node.line)


def neutral(node: Node) -> Node | None:
    """x + 0, x - 0, x * 1, x / 1 -> x (for floats only where the zero's sign cannot show)"""
    if node.op not in (ops.add, ops.sub, ops.mul, ops.div):
        return None
    a, b = node.args
    left, right = uniform(a), uniform(b)
    if node.op in (ops.mul, ops.div) and right == 1 and right is not None:
        return a
    if node.op is ops.mul and left == 1 and left is not None:
        return b
    if node.op is ops.sub and _is_zero(right, negative=False):
        return a
    if node.op is ops.add and _is_zero(right, negative=True, dtype_kind=node.dtype.kind):
        return a
    if node.op is ops.add and _is_zero(left, negative=True, dtype_kind=node.dtype.kind):
        return b
    return None


def _is_zero(value: Any, negative: bool, dtype_kind: str = "") -> bool:
    """Whether value is the zero that changes nothing: -0.0 when adding floats, +0.0 otherwise."""
    if value is None or value != 0:
        return False
    if dtype_kind in ("int", "uint", "bool"):
        return True
    return bool(np.signbit(value)) is negative if isinstance(value, float) else not negative


def twice(node: Node) -> Node | None:
    """-(-x) -> x; not not x -> x"""
    if node.op in (ops.neg, ops.logical_not, ops.bitwise_not) and node.args[0].op is node.op:
        return node.args[0].args[0]
    return None


def same_cast(node: Node) -> Node | None:
    """cast to the dtype it has -> x"""
    if node.op is ops.cast and node.args[0].dtype is node.dtype:
        return node.args[0]
    return None


def known_where(node: Node) -> Node | None:
    """where(true, a, b) -> a; where(c, a, a) -> a"""
    if node.op is not ops.where:
        return None
    condition, a, b = node.args
    value = uniform(condition)
    if value is not None:
        return a if value else b
    return a if a is b else None


def no_move(node: Node) -> Node | None:
    """a movement that moves nothing -> x"""
    x = node.args[0] if node.args else None
    if x is None or x.shape != node.shape:
        return None
    match node.op.name:
        case "reshape" | "expand" | "slice":
            return x
        case "permute" if node.params["axes"] == tuple(range(len(node.shape))):
            return x
        case "flip" if not node.params["axes"]:
            return x
        case "pad" if not any((*node.params["low"], *node.params["high"])):
            return x
        case "concat" if len(node.args) == 1:
            return x
        case _:
            return None


def chained(node: Node) -> Node | None:
    """reshape of reshape, permute of permute, expand of expand -> one"""
    if not node.args or node.op is not node.args[0].op:
        return None
    inner = node.args[0]
    x = inner.args[0]
    match node.op.name:
        case "reshape":
            return make(ops.reshape, x, shape=node.shape, line=node.line)
        case "expand":
            return make(ops.expand, x, shape=node.shape, line=node.line)
        case "permute":
            axes = tuple(inner.params["axes"][axis] for axis in node.params["axes"])
            return make(ops.permute, x, axes=axes, line=node.line)
        case _:
            return None


def unit_reshape(node: Node) -> Node | None:
    """reduce over dims of size 1 -> reshape"""
    if node.op.name not in ("sum", "prod", "max", "min", "any", "all"):
        return None
    x = node.args[0]
    if any(x.shape[axis] != 1 for axis in node.params["axes"]):
        return None
    return make(ops.reshape, x, shape=node.shape, line=node.line)


def unit_argument(node: Node) -> Node | None:
    """argmax over a dim of size 1 -> 0"""
    if node.op not in (ops.argmax, ops.argmin) or node.args[0].shape[node.params["axis"]] != 1:
        return None
    return full(node, 0)


def sum_of_full(node: Node) -> Node | None:
    """sum of one number over n elements -> n * it (where that is exact)"""
    if node.op is not ops.sum:
        return None
    value = uniform(node.args[0])
    if value != 0 or value is None:
        return None
    return full(node, 0)


def reshape_later(node: Node) -> Node | None:
    """f(reshape a, reshape b) -> reshape f(a, b), so that reshapes meet and vanish"""
    if not isinstance(node.op.lower, Pointwise) or not node.args:
        return None
    sources = [arg.args[0] for arg in node.args if arg.op is ops.reshape]
    if not sources or any(source.shape != sources[0].shape for source in sources):
        return None
    args: list[Node] = []
    for arg in node.args:
        value = uniform(arg)
        if arg.op is ops.reshape:
            args.append(arg.args[0])
        elif value is not None:
            like = sources[0]
            args.append(
                make(ops.full, shape=like.shape, dtype=arg.dtype, value=value, line=arg.line)
            )
        else:
            return None
    if not _worth_moving(sources[0].shape, node.shape):
        return None
    return make(ops.reshape, make(node.op, *args, line=node.line, **node.params), shape=node.shape)


def _worth_moving(source: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether the reshape does more than add or drop dims of size 1."""
    kept = [size for size in source if size != 1]
    return kept != [size for size in target if size != 1]


RULES = (
    without_elements,
    known_full,
    fold_constants,
    neutral,
    twice,
    same_cast,
    known_where,
    no_move,
    chained,
    unit_reshape,
    unit_argument,
    sum_of_full,
    reshape_later,
    *pieces.RULES,
)
