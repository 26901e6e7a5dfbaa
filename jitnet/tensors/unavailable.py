"""Stand-ins for values that a gradient cannot have any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitnet.compiler.ir.types import TensorType

from ..device import CPU, Device
from ..errors import at_line
from ..tensor import Tensor
from .size import Counter


class Unavailable(Tensor):
    """A saved value that is gone: written over, or released by an earlier backward().

    Its type can still be read, which many gradient rules need; its value gives the error.
    """

    __slots__ = ("_why",)
    _why: Callable[[], str]

    @classmethod
    def of(
        cls, kind: TensorType, why: Callable[[], str], device: Device | None = CPU
    ) -> Unavailable:
        """Return the stand-in for a value of this type; `why` says why it is gone."""
        made = object.__new__(cls)
        made._type, made._why, made._device = kind, why, device
        made._base = made._origin = made._grad_fn = None
        made._requires_grad = made._weak = False
        made._view, made._counter, made._apart = (), Counter(), None
        return made

    @property
    def _array(self) -> Any:  # type: ignore[override]
        raise RuntimeError(at_line(self._why()))

    @property
    def _node(self) -> Any:  # type: ignore[override]
        raise RuntimeError(at_line(self._why()))
