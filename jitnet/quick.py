"""The short way to a variant: is this call like the one it was compiled for?

Says yes only where the long way (signature, guards) would choose the same variant; a no means
that the long way has to look. Only for calls with positional leaves: `f(x, y, 3, 0.5)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .making import get_default_dtype
from .modes import mode
from .signature import FloatKey, LeafKey, ObjectKey, Signature, TensorKey, ValueKey
from .tensor import Tensor
from .tree import Branch, Leaf

Check = Callable[[Any], bool]


class Quick:
    """Checks of a call's arguments, one function for each."""

    def __init__(self, signature: Signature, written: frozenset[int], held: set[int]) -> None:
        self._checks = tuple(
            _check(key, position in written) for position, key in enumerate(signature.leaves)
        )
        self._tensors = tuple(
            position for position, key in enumerate(signature.leaves) if isinstance(key, TensorKey)
        )
        self._held = held
        self._modes = signature.modes, signature.default_dtype

    def takes(self, args: Sequence[Any]) -> bool:
        """Whether the arguments and modes are as the signature says."""
        if len(args) != len(self._checks):
            return False
        for check, arg in zip(self._checks, args, strict=True):
            if not check(arg):
                return False
        bases = set()
        for position in self._tensors:
            arg = args[position]
            bases.add(id(arg if arg._base is None else arg._base))
        if len(bases) != len(self._tensors) or not bases.isdisjoint(self._held):
            return False
        return (mode.now, get_default_dtype()) == self._modes


def quick_for(signature: Signature, written: frozenset[int], held: set[int]) -> Quick | None:
    """Return the short way for a signature; None where there is none.

    written: the leaves whose memory is overwritten.  held: the ids of the variant's own memory.
    """
    tree = signature.tree
    assert isinstance(tree, Branch)
    args, kwargs = tree.children
    assert isinstance(args, Branch) and isinstance(kwargs, Branch)
    is_flat = all(isinstance(child, Leaf) for child in args.children) and not kwargs.children
    if not is_flat or signature.sharing:
        return None
    return Quick(signature, written, held)


def _check(key: LeafKey, is_written: bool) -> Check:
    match key:
        case TensorKey():
            return _tensor_check(key, is_written)
        case FloatKey():
            return lambda arg: type(arg) is float
        case ValueKey():
            return _value_check(key)
        case ObjectKey():
            held = key.held
            return lambda arg: arg is held


def _value_check(key: ValueKey) -> Check:
    kind, value = key.kind, key.value
    if kind in (bool, int, str, type(None)):
        return lambda arg: type(arg) is kind and arg == value
    return lambda arg: False


def _tensor_check(key: TensorKey, is_written: bool) -> Check:
    kind, shape, requires_grad, leaf = key.kind, key.shape, key.requires_grad, key.leaf
    dtype = key.dtype.numpy
    strides = tuple(step * key.dtype.size for step in key.strides)
    writeable = key.writeable

    def check(arg: Tensor) -> bool:
        if type(arg) is not kind:
            return False
        array = arg._array
        if array is None or array.dtype is not dtype:
            return False
        if array.shape != shape or array.strides != strides:
            return False
        if is_written and array.flags.writeable is not writeable:
            return False
        if arg._origin is None:
            return arg._requires_grad is requires_grad and (arg._grad_fn is None) is leaf
        return arg.requires_grad is requires_grad and (arg.grad_fn is None) is leaf

    return check
