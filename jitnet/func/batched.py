"""BatchedTensor: what a function sees of its arguments inside vmap.

It has an item's shape and holds the values of all items, along a first dim: ops on it compute for
all items at once (rules.py). So functions and gradients of one item serve a batch, in traces too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from jitnet.compiler import ops
from jitnet.compiler.ir.errors import DTypeError, ShapeError
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

from ..device import Device
from ..errors import at_line
from ..modes import mode
from ..tensor import Tensor, _base
from ..tensors.constants import counting, filled
from ..tensors.nodes import OpNode
from ..tensors.transfer import moved, recorded


@dataclass(eq=False)
class Mapping:
    """One call of vmap: how many others are around it, its items, what its random numbers are."""

    level: int
    size: int
    randomness: str

    def drawn_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of random numbers for what an item wants of this shape."""
        if self.randomness == "error":
            raise RuntimeError(
                at_line(
                    "vmap: a random number was drawn; say randomness='same' or 'different', or "
                    "draw outside of vmap"
                )
            )
        return (self.size, *shape) if self.randomness == "different" else shape

    def drawn(self, made: Tensor) -> Tensor:
        """Return random numbers as an item sees them."""
        return lift(made, self) if self.randomness == "different" else made


class BatchedTensor(Tensor):
    """A tensor that differs from item to item.

    _value: the elements of all items, [size, *shape]; of an outer vmap it may be batched itself.
    """

    __slots__ = ("_mapping", "_value")

    _value: Tensor
    _mapping: Mapping

    def __bind__(self, op: Op, args: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor:
        from .rules import batch

        try:
            kind = op.type(*[arg._type for arg in args], **params)
        except (ShapeError, DTypeError) as error:
            raise type(error)(at_line(str(error))) from None
        if op is ops.full_like:  # these two read no elements
            return filled(kind, params["value"], args[0]._device)
        if op is ops.iota_like:
            return counting(kind, params["axis"], args[0]._device)
        mapping = innermost(args)
        value = batch(op, kind, [value_in(arg, mapping) for arg in args], mapping.size, params)
        made = lift(value, mapping)
        if op.grad is not None and mode.now.enabled and kind.dtype.is_inexact:
            for arg in args:
                if arg.requires_grad:
                    made._requires_grad = True
                    made._grad_fn = BatchedNode(op, args, params, made)
                    break
        return made

    def _assign(self, value: Tensor) -> Tensor:
        if self.requires_grad or (mode.now.enabled and value.requires_grad):
            raise RuntimeError(
                at_line("vmap: gradients do not go through writes in place; write y = f(x) instead")
            )
        everywhere, batched = value_in(value, self._mapping)
        if not batched:
            everywhere = ops.reshape(everywhere, shape=(1, *value._type.shape))
            everywhere = ops.expand(everywhere, shape=self._value._type.shape)
        self._value._assign(everywhere)
        return self

    def _snapshot(self, keep: bool = False) -> Tensor:
        copy = lift(self._value._snapshot(keep), self._mapping)
        copy._requires_grad, copy._grad_fn = self._requires_grad, self._grad_fn
        copy._output_nr = self._output_nr
        return copy

    def detach(self) -> Tensor:
        """Return the tensor without its history."""
        return lift(self._value.detach(), self._mapping)

    def _moved(self, device: Device, non_blocking: bool) -> Tensor:
        return recorded(lift(moved(self._value, device, non_blocking), self._mapping), self)

    def _whole(self) -> Tensor:
        return self._value._whole()

    def _elsewhere(self) -> bool:
        return True

    def _copied(self) -> NoReturn:
        raise RuntimeError(
            at_line(
                "vmap: this reads the elements of one item, as item(), numpy() and `if` do; use "
                "tensors (jitnet.where), or read them outside of vmap"
            )
        )

    def __repr__(self) -> str:
        level = self._mapping.level
        return f"BatchedTensor(lvl={level}, bdim=0, value=\n{self._value!r}\n)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)


class BatchedNode(OpNode):
    """An op that was applied to all items."""

    __slots__ = ("mapping",)

    def __init__(
        self, op: Op, args: Sequence[Tensor], params: dict[str, Any], y: BatchedTensor
    ) -> None:
        super().__init__(op, args, params, y)
        self.mapping = y._mapping
        if self.result is not None:
            self.result = (y._value, None, y._counter, y._counter.version)

    def _remade(self, array: Any, node: Any, kind: TensorType) -> Tensor:
        made = lift(array, self.mapping)
        made._requires_grad = True
        return made


def lift(value: Tensor, mapping: Mapping) -> BatchedTensor:
    """Return what an item sees of values along a first dim."""
    kind = TensorType(value._type.dtype, value._type.shape[1:])
    made = _base(None, None, kind, value._device, BatchedTensor)
    assert isinstance(made, BatchedTensor)
    made._value, made._mapping = value, mapping
    made._counter = value._counter
    return made


def value_in(x: Tensor, mapping: Mapping) -> tuple[Tensor, bool]:
    """Return a tensor's values for all items of a vmap and True; itself and False if they agree."""
    if isinstance(x, BatchedTensor) and x._mapping is mapping:
        return x._value, True
    return x, False


def innermost(args: Sequence[Tensor]) -> Mapping:
    """Return the innermost vmap that any of these tensors is of."""
    found = [arg._mapping for arg in args if isinstance(arg, BatchedTensor)]
    return max(found, key=lambda mapping: mapping.level)
