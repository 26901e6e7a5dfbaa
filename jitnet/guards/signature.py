"""What of a call's arguments a compiled variant depends on, and how two calls differ."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType

from .. import creation
from ..device import Device
from ..errors import CompileError
from ..modes import Modes, mode
from ..tensor import Size, Step, Tensor, base_of, strides_of
from ..tensors.memory import span_of
from ..tree import Branch, Leaf, Tree
from .plain import brief

_PLAIN = (bool, int, str, bytes, complex, type(None), DType, Device, enum.Enum, np.dtype, range)


@dataclass(frozen=True)
class TensorKey:
    """What a variant knows of a tensor: all but its elements."""

    kind: type
    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool
    leaf: bool
    writeable: bool
    device: Device

    def differences(self, other: TensorKey) -> Iterator[str]:
        """Yield what other has instead, one text for each thing."""
        if len(self.shape) != len(other.shape):
            yield f"had {len(self.shape)} dims, has {len(other.shape)}"
            return
        for dim, (before, after) in enumerate(zip(self.shape, other.shape, strict=True)):
            if before != after:
                yield f"dim {dim} was {before}, is {after}"
        for field in fields(self):
            before, after = getattr(self, field.name), getattr(other, field.name)
            if field.name != "shape" and before != after:
                if field.name == "strides" and self.shape != other.shape:
                    continue
                yield f"{field.name} was {_text(before)}, is {_text(after)}"


@dataclass(frozen=True)
class FloatKey:
    """A float that the graph takes as an input: any value will do."""

    def differences(self, other: FloatKey) -> Iterator[str]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True)
class ValueKey:
    """A Python value that was compiled in."""

    kind: type
    value: Any  # a float by its repr: NaN equals NaN, and 0.0 is not -0.0

    def differences(self, other: ValueKey) -> Iterator[str]:
        """Yield both values."""
        yield f"was {_text(self.value)}, is {_text(other.value)}"


@dataclass(frozen=True, eq=False)
class ObjectKey:
    """Any other object (a module, a function): that very object."""

    held: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectKey) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)

    def differences(self, other: ObjectKey) -> Iterator[str]:
        """Yield that it is another one."""
        yield f"was one {type(self.held).__name__}, is another {type(other.held).__name__}"


LeafKey = TensorKey | FloatKey | ValueKey | ObjectKey


def _text(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else str(value)


@dataclass(frozen=True)
class Sharing:
    """Tensors among the leaves that lie in one memory: the first of them, and each one's steps."""

    position: int
    first: int
    steps: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    base: TensorKey


@dataclass(frozen=True)
class Signature:
    """All that selects a variant, but for the guards."""

    tree: Tree
    leaves: tuple[LeafKey, ...]
    sharing: tuple[Sharing, ...]
    modes: Modes
    default_dtype: DType


def signature_of(leaves: Sequence[Any], tree: Tree, by_value: frozenset[int]) -> Signature:
    """Return the signature of a call; the floats at the positions `by_value` by their value."""
    keys = tuple(leaf_key(leaf, position in by_value) for position, leaf in enumerate(leaves))
    sharing = tuple(shared_memory(leaves))
    dtype = creation.get_default_dtype()
    return Signature(tree, keys, sharing, mode.now, dtype)


def leaf_key(leaf: Any, by_value: bool) -> LeafKey:
    """Return the key of one leaf; CompileError for what compiled code cannot take."""
    if isinstance(leaf, Tensor):
        return tensor_key(leaf)
    if type(leaf) is float:
        return ValueKey(float, repr(leaf)) if by_value else FloatKey()
    if isinstance(leaf, _PLAIN) or leaf is Ellipsis:
        return ValueKey(type(leaf), leaf)
    if isinstance(leaf, (float, complex)):
        return ValueKey(type(leaf), repr(leaf))
    if isinstance(leaf, slice):
        return ValueKey(slice, (leaf.start, leaf.stop, leaf.step))
    if isinstance(leaf, Size):
        return ValueKey(Size, tuple(leaf))
    if isinstance(leaf, (set, frozenset)):
        return ValueKey(type(leaf), frozenset(leaf))
    if isinstance(leaf, (np.ndarray, np.generic)):
        raise CompileError(
            f"a compiled function got a NumPy {type(leaf).__name__}, whose elements it would have "
            "to compile in; pass jitnet.from_numpy(x), or a Python number"
        )
    return ObjectKey(leaf)


def tensor_key(tensor: Tensor) -> TensorKey:
    """Return the key of a tensor; CompileError for one that has no value."""
    array = tensor._array
    if array is None:
        array = tensor._copied()  # says why there is none
    return TensorKey(
        type(tensor),
        tensor._type.dtype,
        tensor._type.shape,
        strides_of(tensor),
        tensor.requires_grad,
        tensor.grad_fn is None,
        array.flags.writeable,
        tensor.device,
    )


def shared_memory(leaves: Sequence[Any]) -> Iterator[Sharing]:
    """Yield the tensors among the leaves that share memory with an earlier one."""
    for group in memories(leaves):
        for position in group if len(group) > 1 else ():
            leaf = leaves[position]
            base = base_of(leaf)
            yield _sharing(position, group[0], leaf, base)


def memories(leaves: Sequence[Any]) -> list[list[int]]:
    """Return the positions of tensors, those that lie in one memory together.

    Views of one base whose bytes lie apart, such as the layers of a cache, are memories of their
    own, unless gradients flow to the base.
    """
    found: dict[int, list[int]] = {}
    for position, leaf in enumerate(leaves):
        if isinstance(leaf, Tensor):
            base = base_of(leaf)
            found.setdefault(id(base), []).append(position)
    result: list[list[int]] = []
    for group in found.values():
        apart = len(group) > 1 and _lie_apart([leaves[position] for position in group])
        result += [[position] for position in group] if apart else [group]
    return result


def _lie_apart(tensors: Sequence[Tensor]) -> bool:
    if any(tensor._base is None or tensor._base.requires_grad for tensor in tensors):
        return False
    spans = sorted(map(span_of, tensors))
    return all(before[1] <= after[0] for before, after in pairwise(spans))


def _sharing(position: int, first: int, tensor: Tensor, base: Tensor) -> Sharing:
    steps = tuple(map(_step_key, tensor._view))
    return Sharing(position, first, steps, tensor_key(base))


def _step_key(step: Step) -> tuple[str, tuple[tuple[str, Any], ...]]:
    op, params = step
    return op.name, tuple(params.items())


def differences(before: Signature, after: Signature, names: Callable[[], list[str]]) -> list[str]:
    """Return what a call has that an earlier one had not, one text for each thing.

    names: gives the names of the later call's leaves.
    """
    found: list[str] = []
    was, now = before.modes, after.modes
    if was.enabled != now.enabled:
        found.append(f"gradients were {_switch(was.enabled)}, are {_switch(now.enabled)}")
    if was.inference != now.inference:
        found.append(f"inference mode was {_switch(was.inference)}")
    if was.autocast is not now.autocast:
        found.append(f"autocast's dtype was {was.autocast}, is {now.autocast}")
    if was.device != now.device:
        found.append(f"the default device was {was.device}, is {now.device}")
    if was.gpu != now.gpu:
        found.append(f"the current GPU was cuda:{was.gpu}, is cuda:{now.gpu}")
    if before.default_dtype is not after.default_dtype:
        found.append(f"the default dtype was {before.default_dtype}, is {after.default_dtype}")
    if before.tree != after.tree:
        found.append(f"the arguments were {_shown(before.tree)}, are {_shown(after.tree)}")
        return found
    for name, old, new in zip(names(), before.leaves, after.leaves, strict=True):
        if old == new:
            continue
        if type(old) is not type(new):
            found.append(f"argument {name} was {_kind(old)}, is {_kind(new)}")
            continue
        found += [f"argument {name}: {text}" for text in old.differences(new)]  # type: ignore[arg-type]
    if before.sharing != after.sharing:
        found.append("other arguments share memory")
    return found


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _kind(key: LeafKey) -> str:
    match key:
        case TensorKey():
            return f"a tensor {key.dtype.short}{list(key.shape)}"
        case FloatKey():
            return "a float"
        case ValueKey():
            return brief(key.value) if key.kind is not float else str(key.value)
        case ObjectKey():
            return f"a {type(key.held).__name__}"


def _shown(tree: Tree) -> str:
    """Return the tree of (args, kwargs) as a call is written."""
    assert isinstance(tree, Branch)
    args, kwargs = tree.children
    words = [str(child) for child in _children(args)]
    assert isinstance(kwargs, Branch)
    words += [f"{key}={child}" for key, child in zip(kwargs.keys, kwargs.children, strict=True)]
    return f"({', '.join(words)})"


def _children(tree: Tree) -> tuple[Tree, ...]:
    return () if isinstance(tree, Leaf) else tree.children
