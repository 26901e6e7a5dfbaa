"""A tensor's part in autograd: backward, hooks, detach, data, copies."""

from __future__ import annotations

import copy
from collections.abc import Callable
from sys import getrefcount
from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.compiler.ir.errors import CompileError

from .. import capture, creation, tape
from ..capture import set_attribute
from ..errors import at_line
from ..functional import unary
from ..grad_mode import no_grad
from ..tensor import Tensor, _alias, _base, base_of
from .memory import Layout, Memory, place_of
from .size import Counter
from .values import _value


def backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this tensor with respect to each leaf to the leaf's grad."""
    keep = create_graph if retain_graph is None else retain_graph
    chosen = [inputs] if isinstance(inputs, Tensor) else inputs
    tape.run_backward([self], [gradient], keep, create_graph, chosen)


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> tape.RemovableHandle:
    """Call hook(gradient) when this tensor's gradient is known; what it returns replaces it."""
    if not self.requires_grad:
        raise RuntimeError(
            at_line("cannot register a hook on a tensor that doesn't require gradient")
        )
    node = self.grad_fn
    if node is None:
        if self._hooks is None:
            set_attribute(self, "_hooks", {})
        return tape.RemovableHandle(self._hooks, hook)  # type: ignore[arg-type]
    if node.tensor_hooks is None:
        node.tensor_hooks = []
    hooks: dict[int, Any] = {}
    node.tensor_hooks.append((self._output_nr, hooks))
    return tape.RemovableHandle(hooks, hook)


def register_post_accumulate_grad_hook(
    self: Tensor, hook: Callable[[Tensor], None]
) -> tape.RemovableHandle:
    """Call hook(tensor) whenever backward() has added to this leaf's grad."""
    if self.grad_fn is not None or not self.requires_grad:
        raise RuntimeError(at_line("post accumulate grad hooks are for leaves that require grad"))
    if self._post_hooks is None:
        set_attribute(self, "_post_hooks", {})
    return tape.RemovableHandle(self._post_hooks, hook)  # type: ignore[arg-type]


def retain_grad(self: Tensor) -> None:
    """Keep this tensor's gradient in grad, although it is no leaf."""
    if not self.requires_grad:
        raise RuntimeError(at_line("can't retain_grad on Tensor that has requires_grad=False"))
    node = self.grad_fn
    if node is None or retains_grad(self):
        return
    import weakref

    node.retained = [*(node.retained or ()), (self._output_nr, weakref.ref(self))]


def retains_grad(self: Tensor) -> bool:
    """Return whether a tensor that is no leaf keeps its gradient."""
    node = self.grad_fn
    return node is not None and any(kept() is self for _, kept in node.retained or ())


def detach(self: Tensor) -> Tensor:
    """Return a tensor over the same memory, without history."""
    made: Tensor = _alias(self, Tensor)
    if capture.active is not None and made._array is not None:
        trace = capture.current()
        if trace is not None:
            trace.adopt(made)
    return made


def data(self: Tensor) -> Tensor:
    """Return a tensor over the same memory whose writes autograd does not notice.

    So backward() computes with what is in memory by then, as in PyTorch; detach() refuses.
    """
    made = detach(self)
    made._apart = Counter()
    return made


def detach_(self: Tensor) -> Tensor:
    """Forget the history."""
    if self._origin is not None:
        raise RuntimeError(at_line("Can't detach views in-place. Use detach() instead"))
    set_attribute(self, "_grad_fn", None)
    set_attribute(self, "_requires_grad", False)
    return self


def leave_views(tensor: Tensor) -> None:
    """Let those who view a tensor's memory have another base: this one is to take other memory."""
    if (
        tensor._base is None and getrefcount(tensor._counter) > 2
    ):  # more than its own and the call's
        tensor._base = leave(tensor)


def leave(base: Tensor) -> Tensor:
    """Return another base of a base's memory, for all who view it."""
    counter = base._counter
    node = None if base._array is not None else base._node
    home = _base(base._array, node, base._type, base._device)
    home._counter, home._strides = counter, base._strides
    counter.home = home
    return home


def set_data(self: Tensor, value: Tensor) -> None:
    """Make this tensor use value's memory; in a trace of equal types, copy the elements."""
    if (
        value._type.dtype is not self._type.dtype
        and self.requires_grad
        and not value._type.dtype.is_inexact
    ):
        raise RuntimeError(at_line(f"data wants floating point, got {value._type}"))
    if creation.tracing():
        if value._type != self._type:
            raise CompileError(
                at_line(f".data = ... cannot change {self._type} to {value._type} while tracing")
            )
        with no_grad():
            detach(self)._assign(value)
        return
    if value is self:
        return
    leave_views(self)
    base = base_of(value)
    set_attribute(self, "_array", value._array)
    set_attribute(self, "_type", value._type)
    self._base, self._device = base, value._device
    self._view, self._counter, self._strides = value._view, value._counter, value._strides
    self._origin = self._origin_fn = None


def share_memory_(self: Tensor) -> Tensor:
    """Return self: memory is shared between threads already."""
    return self


def deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """Return a copy of a leaf, with requires_grad and grad; what shared memory shares it again."""
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]
    if self.grad_fn is not None:
        raise RuntimeError(
            at_line("only leaves can be deep-copied; detach() or clone() the tensor instead")
        )
    with no_grad():
        if creation.tracing():
            made = unary.clone(self)
        else:
            memory, layout = place_of(self)
            made = copy.deepcopy(memory, memo).tensor(*layout)
        if type(self) is not Tensor:
            made = type(self)._make_subclass(made)
        made.requires_grad_(self.requires_grad)
        made._grad = copy.deepcopy(self._grad, memo)
    memo[id(self)] = made
    return made  # type: ignore[no-any-return]


def _rebuilt(memory: Memory, layout: Layout, requires_grad: bool) -> Tensor:
    """Return a pickled tensor again."""
    return memory.tensor(*layout).requires_grad_(requires_grad)


def pickled(self: Tensor, protocol: Any) -> Any:
    """Pickle the value; for files use jitnet.save, whose files run no code when loaded.

    Tensors over all of some memory share it again, in one pickle. A part of a larger tensor is
    pickled alone, lest the whole goes with it. As in PyTorch, the history stays behind.
    """
    array = _value(self, "pickling")
    memory, layout = place_of(self)
    if array.size != len(memory.array):
        memory = Memory(np.ascontiguousarray(array).reshape(-1))
        layout = (0, array.shape, contiguous_strides(array.shape))
    return _rebuilt, (memory, layout, self.requires_grad)
