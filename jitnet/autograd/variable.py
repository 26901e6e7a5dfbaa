"""Variable: what tensors that want gradients were called before PyTorch 0.4."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor


class _IsTensor(type):
    """Tensors are instances of Variable."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_IsTensor):
    """`Variable(data)` is data detached; volatile, which was no_grad() once, changes nothing."""

    def __new__(  # type: ignore[misc]
        cls, data: Tensor, requires_grad: bool = False, volatile: bool = False
    ) -> Tensor:
        """Return a tensor over data's memory."""
        made = data.detach()
        if requires_grad:
            made.requires_grad_()
        return made  # type: ignore[no-any-return]
