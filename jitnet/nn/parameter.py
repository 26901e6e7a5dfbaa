"""Parameter and Buffer: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

from jitnet import creation
from jitnet.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is learned: a leaf that shares the memory of `data` and wants a gradient."""

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        """Return a parameter over data's memory; None makes an empty one."""
        data = creation.empty((0,)) if data is None else data
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter wants a Tensor, got {type(data).__name__}")
        if requires_grad and not data.is_floating_point():
            raise RuntimeError(
                f"only floating point tensors can require gradients, got {data.dtype}; "
                "pass requires_grad=False"
            )
        made: Parameter = cls._make_subclass(data, bool(requires_grad))
        return made

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        copy: Parameter = memo[id(self)]
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Parameter, (self.detach(), self.requires_grad)


class Buffer(Tensor):
    """A tensor that is state but not learned; persistent ones are in state_dict."""

    __slots__ = ("persistent",)
    persistent: bool

    def __new__(cls, data: Any = None, *, persistent: bool = True) -> Buffer:
        """Return a buffer over data's memory; None makes an empty one."""
        data = creation.empty((0,)) if data is None else data
        if not isinstance(data, Tensor):
            raise TypeError(f"Buffer wants a Tensor, got {type(data).__name__}")
        made: Buffer = cls._make_subclass(data)
        made.persistent = persistent
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Buffer:
        if id(self) not in memo:
            memo[id(self)] = Buffer(self.detach().clone(), persistent=self.persistent)
        copy: Buffer = memo[id(self)]
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _make_buffer, (self.detach(), self.persistent)


def _make_buffer(data: Tensor, persistent: bool) -> Buffer:
    return Buffer(data, persistent=persistent)
