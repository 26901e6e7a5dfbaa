"""What the tape records: a node for each op that was applied, with what backward needs of it."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.ops import concat, full_like, reshape

from .. import tensor as tensors
from ..capture import set_attribute
from . import constants, overwriting, packing, views
from .size import stamp

if TYPE_CHECKING:
    from ..tensor import Tensor

Gradients = Sequence[Any]  # for each edge a Tensor, None, or a function that gives the Tensor
Hook = Callable[..., Any]

_numbers = itertools.count()

STALE = (
    "one of the variables needed for gradient computation has been modified by an inplace "
    "operation ({kind} of {name} was written {times} since); clone() it before the write"
)
RELEASED = (
    "Trying to backward through the graph a second time ({name}), but its saved values were freed "
    "by the first; give retain_graph=True to the first backward()"
)


class TapeNode:
    """One recorded computation: `edges` lead to the nodes (or leaves) of its arguments."""

    __slots__ = ("__weakref__", "edges", "hooks", "retained", "sequence", "tensor_hooks")

    edges: tuple[tuple[TapeNode | Tensor | None, int], ...]

    def __init__(self, args: Iterable[Any]) -> None:
        self.edges = tuple([_edge(arg) for arg in args])  # may make nodes: of views written since
        self.sequence = next(_numbers)
        self.hooks: dict[int, Hook] | None = None
        self.tensor_hooks: list[tuple[int, dict[int, Hook]]] | None = None
        self.retained: list[tuple[int, weakref.ref[Tensor]]] | None = None

    @property
    def outputs(self) -> int:
        """The number of results."""
        return 1

    def gradients(self, grads: list[Tensor | None]) -> Gradients:
        """Return a gradient for each argument, given one (or None) for each result."""
        raise NotImplementedError

    def release(self) -> None:
        """Let go of the saved values."""

    def name(self) -> str:
        """Return the name that PyTorch gives such nodes, such as "MulBackward0"."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """The nodes of the arguments, as PyTorch shows them."""
        found: list[tuple[Any, int]] = []
        for target, number in self.edges:
            if target is None or isinstance(target, TapeNode):
                found.append((target, number))
            else:
                found.append((AccumulateGrad(target), 0))
        return tuple(found)

    def register_hook(self, hook: Hook) -> RemovableHandle:
        """Call hook(gradients of arguments, gradients of results) after each backward step."""
        if self.hooks is None:
            self.hooks = {}
        return RemovableHandle(self.hooks, hook)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


def _edge(arg: Any) -> tuple[Any, int]:
    """Return where a gradient of arg goes: (node, result number), (leaf, 0) or (None, 0)."""
    if not isinstance(arg, tensors.Tensor) or not arg.requires_grad:
        return None, 0
    node = arg._grad_fn
    return (arg, 0) if node is None else (node, arg._output_nr)


class AccumulateGrad:
    """The end of the tape at a leaf, as `next_functions` shows it."""

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable
        self.next_functions = ()

    def name(self) -> str:
        """Return "AccumulateGrad"."""
        return "AccumulateGrad"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return hash(("AccumulateGrad", id(self.variable)))

    def __repr__(self) -> str:
        return "<AccumulateGrad>"


class RemovableHandle:
    """What registering a hook returns: remove() takes the hook away."""

    _ids = itertools.count()

    def __init__(self, hooks: dict[int, Hook], hook: Hook) -> None:
        self.id = next(self._ids)
        self._hooks = hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        """Take the hook away."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class OpNode(TapeNode):
    """An op that was applied: what its gradient reads of arguments and result, as it was then."""

    __slots__ = ("args", "counts", "device", "op", "params", "result", "types")

    def __init__(self, op: Op, args: Sequence[Tensor], params: dict[str, Any], y: Tensor) -> None:
        super().__init__(args)
        self.op = op
        self.params = params
        self.device = y._device
        self.types = [arg._type for arg in args]
        self.types.append(y._type)
        keeps = op.keeps
        self.args: Sequence[Any] | None  # None where only the type is read; or released
        if keeps is None:
            self.args = args
            self.counts = [stamp(arg._counter, arg._apart) for arg in args]
        else:
            self.args = [arg if n in keeps else None for n, arg in enumerate(args)]
            self.counts = [stamp(arg._counter, arg._apart) for arg in args] if keeps else []
        # Not y itself, which holds this node.
        kept = keeps is None or -1 in keeps
        counter = y._counter
        self.result: Any = (y._array, y._node, counter, stamp(counter, None)) if kept else None
        if packing.hooks is not None and packing.active():
            self.args = [None if arg is None else packing.Packed(arg) for arg in self.args]
            self.result = packing.Packed(y) if kept else None

    def name(self) -> str:
        """Return the op's name as PyTorch writes it."""
        words = self.op.name.replace(".", "_").split("_")
        return "".join(word.capitalize() for word in words) + "Backward0"

    def gradients(self, grads: list[Tensor | None]) -> Gradients:
        """Apply the op's gradient rule to what was kept."""
        assert self.op.grad is not None
        (g,) = grads
        arguments = [self._argument(number) for number in range(len(self.types) - 1)]
        return self.op.grad(g, self._result(), *arguments, **self.params)

    def _argument(self, number: int) -> Tensor:
        arg = None if self.args is None else self.args[number]
        if arg is None:
            return self._absent(self.types[number])
        if type(arg) is packing.Packed:
            return arg.tensor()  # type: ignore[no-any-return]
        count = self.counts[number]
        now = stamp(arg._counter, arg._apart)
        return arg if now == count else self._stale("an argument", arg, now - count)

    def _absent(self, kind: TensorType) -> Tensor:
        return _unavailable(kind, lambda: RELEASED.format(name=self.name()), self.device)

    def _stale(self, what: str, arg: Tensor, writes: int) -> Tensor:
        times = f"{writes} time(s)"
        why = partial(STALE.format, kind=f"{what}, {arg._type},", name=self.op.name, times=times)
        return _unavailable(arg._type, why, arg._device)

    def _result(self) -> Tensor:
        kind = self.types[-1]
        if self.result is None:
            return self._absent(kind)
        if type(self.result) is packing.Packed:
            y = self.result.tensor()
            y._requires_grad, y._grad_fn = True, self
            return y  # type: ignore[no-any-return]
        array, node, counter, count = self.result
        y = self._remade(array, node, kind)
        y._counter = counter
        y._grad_fn = self
        writes = counter.version - count
        return self._stale("the result", y, writes) if writes else y

    def _remade(self, array: Any, node: Any, kind: TensorType) -> Tensor:
        made = tensors._base(array, node, kind, self.device)
        made._requires_grad = True
        return made

    def release(self) -> None:
        """Keep only the types: some rules need no more."""
        self.args = self.result = None


def _unavailable(kind: TensorType, why: Callable[[], str], device: Any) -> Tensor:
    from .unavailable import Unavailable  # it is a Tensor, which this module is made before

    return Unavailable.of(kind, why, device)


class PartsNode(TapeNode):
    """A tensor taken apart along one axis: one node for all parts, whose gradients it joins.

    A node for each part would make as many gradients of the whole tensor, and their sum.
    """

    __slots__ = ("axis", "kind", "label", "sizes")

    def __init__(self, label: str, whole: Tensor, axis: int, sizes: Sequence[int]) -> None:
        super().__init__((whole,))
        self.label = label
        self.kind = whole._type
        self.axis = axis
        self.sizes = sizes

    @property
    def outputs(self) -> int:
        """The number of parts."""
        return len(self.sizes)

    def name(self) -> str:
        """Return the name that PyTorch gives such nodes."""
        return f"{self.label}Backward0"

    def gradients(self, grads: list[Tensor | None]) -> Gradients:
        """Join the parts' gradients; those of parts that nothing used are zeros."""
        shape, axis = self.kind.shape, self.axis
        parts: list[Any] = []
        for size, gradient in zip(self.sizes, grads, strict=True):
            own = (*shape[:axis], size, *shape[axis + 1 :])
            if gradient is None:
                parts.append(constants.constant_like(TensorType(self.kind.dtype, own), 0))
            else:
                parts.append(reshape(gradient, shape=own))
        return (concat(*parts, axis=axis),)


# -- writes in place ----------------------------------------------------------------------------


def _view_assign_grad(
    g: Any, y: Any, base: Any, value: Any, *, steps: tuple[Any, ...]
) -> tuple[Any, Any]:
    """The written elements' gradient goes to the value, all others' to the old base."""

    def seen() -> list[Any]:
        values = [g]
        for op, params in steps:
            values.append(op(values[-1], **params))
        return values

    def rest() -> Any:
        *values, written = seen()
        result = full_like(written, value=0)
        for old, (op, params) in zip(reversed(values), reversed(steps), strict=True):
            result = views.unmoved(op, params, old, result, lambda op, *a, **kw: op(*a, **kw))
        return result

    return rest, lambda: seen()[-1]


view_assign = Op(
    "copy_slices",
    type=lambda base, value, *, steps: base,
    eval=lambda base, value, *, steps: base,  # only recorded, never applied
    grad=_view_assign_grad,
    keeps=(),
)


def rebase(tensor: Tensor, before: Tensor, value: Tensor) -> None:
    """Make the history of a tensor that was just overwritten: value, written over `before`."""
    origin = overwriting.origin_of(tensor)
    node, number = value._grad_fn, value._output_nr
    if origin is not tensor or node is None:
        steps = tensor._view[len(origin._view) :] if origin is not tensor else ()
        node, number = OpNode(view_assign, (before, value), {"steps": steps}, origin), 0
    set_attribute(origin, "_requires_grad", True)
    set_attribute(origin, "_grad_fn", node)
    set_attribute(origin, "_output_nr", number)
