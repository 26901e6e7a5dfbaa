"""The tape's records of compiled calls: one node whose backward is a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import CPU
from ..errors import at_line
from ..modes import mode
from ..tape import RELEASED, STALE, Gradients, TapeNode
from ..tensor import Tensor
from ..tensors.constants import filled
from ..tensors.size import stamp
from ..tracing.joint import Backward

if TYPE_CHECKING:
    from .variant import Variant

Array = np.ndarray[Any, Any]


class CompiledNode(TapeNode):
    """One call of a compiled function: what its backward program reads."""

    __slots__ = ("_backward", "_counts", "_kept", "_name", "_saved", "_variant")

    def __init__(
        self,
        name: str,
        owners: Sequence[Tensor],
        kept: Sequence[Any],
        saved: Sequence[Tensor],
        backward: Backward,
        variant: Variant,
    ) -> None:
        super().__init__(owners)
        self._name = name
        self._kept: Sequence[Any] | None = kept
        self._saved: Sequence[Array] = [tensor._array for tensor in saved]  # type: ignore[misc]  # no cycle
        self._backward = backward
        self._variant = variant
        self._counts = [  # writing into one of these makes backward impossible
            ((tensor._counter, tensor._apart), stamp(tensor._counter, tensor._apart), tensor._type)
            for tensor in (*kept, *saved)
            if isinstance(tensor, Tensor)
        ]

    @property
    def outputs(self) -> int:
        return len(self._backward.outputs)

    def name(self) -> str:
        return f"Compiled[{self._name}]"

    def gradients(self, grads: list[Tensor | None]) -> Gradients:
        """Run the backward program."""
        if self._kept is None:
            raise RuntimeError(at_line(RELEASED.format(name=self.name())))
        if mode.now.enabled:
            raise RuntimeError(
                at_line(
                    f"a second derivative through the compiled function {self._name} is not "
                    "possible: call backward() or grad() with create_graph inside the compiled "
                    "function, or run it uncompiled (`with jitnet.eager():`)"
                )
            )
        for counts, before, kind in self._counts:
            writes = stamp(*counts) - before
            if writes:
                times = f"{writes} time(s)"
                what = f"a tensor {kind}"
                raise RuntimeError(at_line(STALE.format(kind=what, name=self.name(), times=times)))
        arrays = [item._array if isinstance(item, Tensor) else item for item in self._kept]
        arrays += [*self._saved, *map(self._gradient, grads, self._root_types())]  # type: ignore[list-item]
        return list(self._variant.run_backward(arrays))

    def _root_types(self) -> list[Any]:
        inputs = self._backward.graph.inputs
        return [item.node.type for item in inputs[len(inputs) - self.outputs :]]

    def _gradient(self, grad: Tensor | None, kind: Any) -> Array:
        device = self._variant.traced.device
        if device is not CPU:
            from ..on_gpu import packed

            given = filled(kind, 0, device) if grad is None else grad.reshape(kind.shape)
            return packed(given)  # type: ignore[return-value]
        if grad is None:
            return np.zeros(kind.shape, kind.dtype.numpy)
        return np.ascontiguousarray(grad._copied()).reshape(kind.shape)

    def release(self) -> None:
        """Let go of the saved values."""
        self._kept, self._saved = None, ()


class SpentNode(TapeNode):
    """The history of a result that backward() inside the compiled function has used up."""

    __slots__ = ("_why",)

    def __init__(self, why: str) -> None:
        super().__init__(())
        self._why = why

    def gradients(self, grads: list[Tensor | None]) -> Gradients:
        """Raise what eager would."""
        raise RuntimeError(at_line(self._why))
