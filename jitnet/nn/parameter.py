"""Parameter and Buffer: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any

from jitnet import creation
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor


class Parameter(Tensor):
    """A tensor that is learned: a leaf that shares the memory of `data` and wants a gradient.

    It may be given attributes, such as `weight.decays = False`.
    """

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        """Return a parameter over data's memory; None makes an empty one."""
        data = creation.empty((0,)) if data is None else data
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter wants a Tensor, got {type(data).__name__}")
        if requires_grad and not data._type.dtype.is_inexact:
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


class Uninitialized:
    """What a lazy layer holds until it knows its shape; `materialize` makes it a plain one.

    Not a Tensor itself: Python changes an object's class only to that of its first Tensor.
    """

    __slots__ = ()
    data: Tensor
    dtype: DType

    def materialize(
        self, shape: tuple[int, ...], device: Any = None, dtype: DType | None = None
    ) -> None:
        """Give it a shape, with elements of any value, and the class that it stands for."""
        self.data = creation.empty(tuple(shape), device=device, dtype=dtype or self.dtype)
        self.__class__ = Buffer if isinstance(self, Buffer) else Parameter

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(Uninitialized, Parameter):
    """A Parameter whose shape is not known yet."""

    __slots__ = ()

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: DType | None = None
    ) -> UninitializedParameter:
        """Return a parameter of no elements that waits for its shape."""
        empty = creation.empty((0,), device=device, dtype=dtype)
        made: UninitializedParameter = cls._make_subclass(empty, requires_grad)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedParameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, dtype=self.dtype)
        copy: UninitializedParameter = memo[id(self)]
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return UninitializedParameter, (self.requires_grad, None, self.dtype)


class UninitializedBuffer(Uninitialized, Buffer):
    """A Buffer whose shape is not known yet."""

    __slots__ = ()

    def __new__(  # type: ignore[misc]
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: DType | None = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        """Return a buffer of no elements that waits for its shape."""
        empty = creation.empty((0,), device=device, dtype=dtype)
        made: UninitializedBuffer = cls._make_subclass(empty, requires_grad)
        made.persistent = persistent
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedBuffer:
        if id(self) not in memo:
            memo[id(self)] = type(self)(False, None, self.dtype, self.persistent)
        copy: UninitializedBuffer = memo[id(self)]
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return UninitializedBuffer, (False, None, self.dtype, self.persistent)
