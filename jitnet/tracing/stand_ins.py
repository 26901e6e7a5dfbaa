"""Stand-ins: the traced tensors that a function gets in place of its arguments."""

from __future__ import annotations

from typing import Any

from jitnet.compiler.ir.graph import make
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import float64

from .. import capture
from ..guards.signature import memories
from ..tensor import Tensor, base_of, strides_of
from ..tensors.size import Counter
from .bindings import Argument, Number, graph_input
from .capturing import Trace
from .results import Existing, Given

_SLOTS = tuple(name for name in Tensor.__slots__ if name != "__weakref__")


def stand_ins(trace: Trace, by_value: frozenset[int]) -> list[Any]:
    """Return what the function gets in place of each leaf."""
    bases: dict[int, list[int]] = {}
    for position, leaf in enumerate(trace.leaves):
        if isinstance(leaf, Tensor) and position not in trace.pinned:
            base = base_of(leaf)
            bases.setdefault(id(base), []).append(position)
            trace.kept[id(base)] = base
    trace.originals = {key: set(positions) for key, positions in bases.items()}
    free = [None if i in trace.pinned else leaf for i, leaf in enumerate(trace.leaves)]
    groups = {position: group for group in memories(free) for position in group}
    made: dict[int, Tensor] = {}
    result: list[Any] = []
    for position, leaf in enumerate(trace.leaves):
        if position in trace.pinned:
            result.append(leaf)
        elif isinstance(leaf, Tensor):
            if id(leaf) not in made:
                alone = all(trace.leaves[other] is leaf for other in groups[position])
                made[id(leaf)] = _stand_in(trace, leaf, position, alone, made)
            result.append(made[id(leaf)])
        elif type(leaf) is float and position not in by_value:
            result.append(_number(trace, position))
        else:
            result.append(leaf)
    return result


def _number(trace: Trace, position: int) -> Tensor:
    name = trace.names[position]
    node = trace.add(TensorType(float64, ()), name, "scalar", (), Number(position))
    stand_in = Tensor._from_node(node)
    stand_in._weak = True
    trace.kept[id(stand_in)] = stand_in
    trace.stands_for[id(stand_in)] = Given(position)
    return stand_in


def _stand_in(
    trace: Trace, leaf: Tensor, position: int, alone: bool, made: dict[int, Tensor]
) -> Tensor:
    """Return a traced tensor for an argument; a shared base is an input of its own."""
    name = trace.names[position]
    if alone or leaf._base is None:
        stand_in = _imitate(leaf)
        stand_in._node = trace.add_memory(stand_in, name, "argument", Argument(position))
    else:
        base = made.get(id(leaf._base))
        if base is None:
            base = _shared_base(trace, leaf._base, position)
            made[id(leaf._base)] = base
        with capture.activated(trace):
            view = base
            for op, params in leaf._view:
                view = op(view, **params)
        stand_in = _imitate(leaf)
        stand_in._node, stand_in._seen = view._node, view._seen
        stand_in._base, stand_in._view, stand_in._counter = base, leaf._view, base._counter
        stand_in._apart = None if leaf._apart is None else Counter()
    trace.kept[id(stand_in)] = stand_in
    trace.stands_for[id(stand_in)] = Given(position)
    return stand_in


def _shared_base(trace: Trace, base: Tensor, position: int) -> Tensor:
    """Return the stand-in of a base that several arguments view."""
    for other, leaf in enumerate(trace.leaves):
        if leaf is base:  # the base is an argument too
            return _stand_in(trace, base, other, True, {})
    stand_in = _imitate(base)
    memory = Argument(position, base=True)
    name = f"{trace.names[position]}.base"
    stand_in._node = trace.add_memory(stand_in, name, "argument", memory)
    trace.stands_for[id(stand_in)] = Existing(memory)
    return stand_in


def _imitate(leaf: Tensor) -> Any:
    """Return a traced base that looks like a tensor: its class, layout, gradient and hooks."""
    made = object.__new__(type(leaf))
    model = Tensor._from_node(make(graph_input, kind=leaf._type), leaf._device)
    for name in _SLOTS:
        setattr(made, name, getattr(model, name))
    made._strides = strides_of(leaf)
    made._requires_grad = leaf.requires_grad
    made._grad = leaf._grad
    made._hooks = leaf._hooks
    if hasattr(leaf, "__dict__"):
        made.__dict__.update(leaf.__dict__)
    return made
