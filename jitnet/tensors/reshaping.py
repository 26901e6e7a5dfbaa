"""Methods that change a tensor's own shape: unsqueeze_(), t_(), resize_() and their kin.

The tensor becomes the view that the function without "_" makes of it; it was a base, perhaps: then
those who view it, and it itself, get another base for the same memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import capture, creation, functional
from ..errors import CompileError, at_line
from ..modes import mode
from ..tensor import Tensor, base_of
from . import making
from .history import leave, leave_views, set_data
from .overwriting import check_places

_PLACE = ("_array", "_node", "_type", "_view", "_strides", "_seen")
_HISTORY = ("_requires_grad", "_grad_fn", "_output_nr")
NAMES = ("squeeze", "unsqueeze", "t", "transpose", "swapaxes", "swapdims", "as_strided")


def _check(self: Tensor, name: str) -> None:
    """Refuse leaves that gradients flow to, and tensors that a trace did not make."""
    if self._elsewhere():
        raise RuntimeError(at_line(f"{name}() is not there for a {type(self).__name__}"))
    if mode.now.enabled and self.requires_grad and self.is_leaf:
        raise RuntimeError(
            at_line(f"a leaf Variable that requires grad is being used in {name}(), in place")
        )
    if _outside(self):
        raise CompileError(
            at_line(
                f"{name}() of a tensor from outside of the compiled function: use "
                f"{name.removesuffix('_')}(), whose result is a view"
            )
        )


def _outside(self: Tensor) -> bool:
    """Return whether a trace is active that did not make this tensor."""
    trace = None if capture.active is None else capture.current()
    return trace is not None and (
        self._array is not None or trace.memory(base_of(self)) is not None
    )


def in_place(name: str) -> Callable[..., Tensor]:
    """Return the method that makes a tensor the view that function `name` makes of it."""
    function = getattr(functional, name)

    def change(self: Tensor, *args: Any, **options: Any) -> Tensor:
        _check(self, f"{name}_")
        before = self._snapshot()
        return _become(self, function(before, *args, **options), before)

    change.__doc__ = f"Change the tensor's own shape as {name}() does; return the tensor."
    change.__name__ = change.__qualname__ = f"{name}_"
    return change


def _become(self: Tensor, view: Tensor, before: Tensor) -> Tensor:
    """Make self the view of its own memory that was made of `before`, itself until now."""
    if view is before:
        return self
    if self._base is None:
        self._base = before = leave(self)
    for name in _PLACE:
        setattr(self, name, getattr(view, name))
    if self._requires_grad and self._grad_fn is None:
        return self  # a leaf, outside of what is recorded
    if self._origin is None:  # those who view it follow the history of another from now on
        for name in _HISTORY:
            setattr(before, name, getattr(self, name))
        self._origin, self._origin_fn = before, before._grad_fn
    for name in _HISTORY:
        setattr(self, name, getattr(view, name))
    return self


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Give the tensor another shape: of its first elements, or of more, the new ones 0.

    RuntimeError for tensors that require gradients or are not contiguous.
    """
    shape = making.sizes(sizes)
    _check(self, "resize_")
    if self.requires_grad or not self.is_contiguous():
        raise RuntimeError(
            at_line(
                "cannot resize variables that require grad, or are not contiguous: "
                f"{self._type}; use reshape() or a slice"
            )
        )
    old, count = self._type.numel, making.zeros(shape)._type.numel
    if count <= old:
        before = self._snapshot()
        return _become(self, functional.view(before, (old,))[:count].view(shape), before)
    larger = making.zeros(count, dtype=self.dtype, device=self._device)
    larger[:old] = self.reshape(old)
    return _take(self, larger.view(shape))


def resized_for(out: Tensor, result: Tensor) -> Tensor:
    """Give the tensor `out` a result's shape, before the result is written into it."""
    check_places(out)
    shape, count = result._type.shape, result._type.numel
    if _outside(out):
        raise CompileError(
            at_line(
                f"out has shape {list(out._type.shape)}, the result {list(shape)}: a compiled "
                "function cannot resize a tensor from outside; give `out` the result's shape"
            )
        )
    if out.requires_grad or (count <= out._type.numel and out.is_contiguous()):
        return resize_(out, shape)
    return _take(out, making.zeros(shape, dtype=out.dtype, device=out._device))


def _take(self: Tensor, value: Tensor) -> Tensor:
    """Make self a tensor of value's memory, in a trace too, where self must be the trace's own."""
    if not creation.tracing():
        set_data(self, value)
        return self
    leave_views(self)
    self._base, self._counter = base_of(value), value._counter
    for name in _PLACE:
        setattr(self, name, getattr(value, name))
    self._origin = self._origin_fn = None
    return self


def resize_as_(self: Tensor, other: Tensor, memory_format: Any = None) -> Tensor:
    """Give the tensor another's shape, as resize_() does."""
    return resize_(self, *other._type.shape)


def set_(self: Tensor, source: Tensor | None = None) -> Tensor:
    """Let the tensor be another's memory and shape; without one, be empty."""
    set_data(self, making.zeros(0, dtype=self.dtype) if source is None else source)
    return self
