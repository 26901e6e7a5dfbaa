"""Tensor: an n-dimensional array that can remember how it was computed.

Eager: `_array` is the value. While a trace is active new tensors have `_array` None and `_node`.
A tensor is a base, which owns its memory, or a view: `_base` and `_view`, the movement steps from
it. `_origin` is the tensor whose history an in-place write into this view changes: the base, or
the `detach()` in between. On a GPU `_array` is a DeviceArray, and `on_gpu.py` does what NumPy does
here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jitnet.compiler.ir.dims import contiguous_strides
from jitnet.compiler.ir.errors import CompileError, DTypeError, ShapeError
from jitnet.compiler.ir.graph import Node, make
from jitnet.compiler.ir.narrow import compute
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.ops import (
    expand,
    full_like,
    imag,
    iota_like,
    permute,
    real,
    reshape,
    slice,
    view_as_complex,
    view_as_real,
)
from jitnet.runtime.device import refusal
from jitnet.runtime.dtype import DTYPES, DType, from_numpy_dtype
from jitnet.runtime.profile import unheard

from . import capture, tape
from .capture import set_attribute
from .device import CPU, Device
from .errors import at_line
from .frames import user_line
from .modes import mode
from .tensors import constants, overwriting
from .tensors.placement import common_device
from .tensors.size import Counter, Size
from .tensors.views import Step, moved_strides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DTYPE_OF = {dtype.numpy: dtype for dtype in DTYPES}
_ndarray = np.ndarray
VIEWS = frozenset({reshape, permute, expand, slice, real, imag, view_as_real, view_as_complex})
_COPYING = frozenset({reshape, view_as_complex})  # where strides do not allow a view


class Tensor:
    """An n-dimensional array of one dtype; names and behaviour are PyTorch's."""

    __slots__ = (
        "__weakref__",
        "_apart",
        "_array",
        "_base",
        "_counter",
        "_device",
        "_grad",
        "_grad_fn",
        "_hooks",
        "_node",
        "_origin",
        "_origin_fn",
        "_output_nr",
        "_post_hooks",
        "_requires_grad",
        "_seen",
        "_strides",
        "_type",
        "_view",
        "_weak",
    )
    __array_priority__ = 1000
    __hash__ = object.__hash__

    _array: np.ndarray | None
    _node: Node | None
    _type: TensorType
    _base: Tensor | None
    _view: tuple[Step, ...]
    _counter: Counter
    _apart: Counter | None  # of what `.data` gave: counts the writes through it and its views
    _device: Device | None  # None: a constant on the CPU, which goes where it is used
    _seen: int  # the count at which a traced view's _node was made
    _strides: tuple[int, ...] | None  # in elements, of a traced tensor; None: contiguous
    _requires_grad: bool
    _grad: Tensor | None
    _grad_fn: tape.TapeNode | None
    _output_nr: int
    _origin: Tensor | None
    _origin_fn: tape.TapeNode | None  # the origin's grad_fn when this view's was made
    _hooks: dict[int, Callable[[Tensor], Tensor | None]] | None
    _post_hooks: dict[int, Callable[[Tensor], None]] | None  # called when grad has grown
    _weak: bool  # a traced Python number: promotes like one

    if TYPE_CHECKING:  # tensors/methods.py gives the class these and all other methods

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, key: Any) -> Tensor: ...
        def __setitem__(self, key: Any, value: Any) -> None: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Iterator[Tensor]: ...
        def __bool__(self) -> bool: ...
        def __int__(self) -> int: ...
        def __float__(self) -> float: ...
        def __complex__(self) -> complex: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __rand__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __ror__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __rxor__(self, other: Any) -> Tensor: ...
        def __lshift__(self, other: Any) -> Tensor: ...
        def __rlshift__(self, other: Any) -> Tensor: ...
        def __rshift__(self, other: Any) -> Tensor: ...
        def __rrshift__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]

    def __new__(cls, *data: Any, device: Any = None) -> Tensor:
        """Make a float32 tensor from nested lists, or an uninitialised one from sizes."""
        from .tensors.making import legacy

        return cls._make_subclass(legacy(*data, device=device))  # type: ignore[no-any-return]

    # -- making ---------------------------------------------------------------------------------

    @staticmethod
    def _from_array(array: np.ndarray, requires_grad: bool = False) -> Tensor:
        """Return a base that shares memory with array."""
        dtype = _DTYPE_OF.get(array.dtype)
        if dtype is None:
            dtype = from_numpy_dtype(array.dtype)
        made = _base(array, None, TensorType(dtype, array.shape))
        made._requires_grad = requires_grad
        return made

    @staticmethod
    def _from_node(node: Node, device: Device | None = None) -> Tensor:
        """Return a traced base whose value is node; without a device, a number or a constant."""
        return _base(None, node, node.type, device)

    @classmethod
    def _make_subclass(cls, data: Tensor, requires_grad: bool = False) -> Any:
        """Return a leaf of this class that shares data's memory, as `Parameter(data)` does."""
        leaf = _alias(data, cls)
        leaf._requires_grad = requires_grad
        return leaf

    def _snapshot(self, keep: bool = False) -> Tensor:
        """Return this tensor as it is now, for a tape that outlives the next write.

        keep: whether its elements are needed then, so that they must be kept elsewhere.
        """
        copy = _alias(self, Tensor)
        copy._requires_grad = self.requires_grad
        copy._grad_fn = self._grad_fn
        copy._output_nr = self._output_nr
        if keep:
            tracing = capture.active is not None and capture.current() is not None
            copy._node = node_of(self) if tracing else None
            copy._array = None if tracing else _copy_of(self)
            copy._base, copy._view, copy._strides = None, (), None
            copy._counter, copy._apart = Counter(), None
        return copy  # type: ignore[no-any-return]

    # -- what it is -----------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The sizes of the dims."""
        return Size(self._type.shape)

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self._type.dtype

    @property
    def ndim(self) -> int:
        """The number of dims."""
        return len(self._type.shape)

    @property
    def device(self) -> Device:
        """Where the memory is."""
        return self._device or CPU

    @property
    def layout(self) -> str:
        """Always "strided"."""
        return "strided"

    @property
    def is_leaf(self) -> bool:
        """Whether no op of the tape made it."""
        return self.grad_fn is None

    @property
    def _version(self) -> int:
        """How often the memory was written in place; what `.data` gives counts for itself."""
        return self._counter.version if self._apart is None else self._apart.count

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it."""
        if self._origin is not None and self._origin._grad_fn is not self._origin_fn:
            overwriting.follow_origin(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Say whether gradients are wanted for this leaf."""
        if self.grad_fn is not None:
            if requires_grad:
                return self
            raise RuntimeError(
                at_line(
                    "only leaves can stop requiring gradients, this tensor was computed "
                    f"({self.grad_fn!r}); use detach()"
                )
            )
        if requires_grad and not self._type.dtype.is_inexact:
            raise RuntimeError(
                at_line(
                    "only tensors of floating point and complex dtype can require gradients, got "
                    f"{self._type}"
                )
            )
        set_attribute(self, "_requires_grad", bool(requires_grad))
        return self

    @property
    def grad_fn(self) -> tape.TapeNode | None:
        """The tape's record of how it was computed; None for a leaf."""
        if self._origin is not None and self._origin._grad_fn is not self._origin_fn:
            overwriting.follow_origin(self)
        return self._grad_fn

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() accumulated."""
        return capture.gradient_of(self)

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad wants a Tensor or None, got {type(value).__name__}")
            if value._type.shape != self._type.shape:
                raise ShapeError(
                    at_line(f"grad wants the tensor's type {self._type}, got {value._type}")
                )
            if value._type.dtype is not self._type.dtype:
                raise DTypeError(
                    at_line(f"grad wants the tensor's type {self._type}, got {value._type}")
                )
        set_attribute(self, "_grad", value)

    @grad.deleter
    def grad(self) -> None:
        set_attribute(self, "_grad", None)

    # -- ops ------------------------------------------------------------------------------------

    def __bind__(self, op: Op, args: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor:
        try:
            kind = op.type(*[arg._type for arg in args], **params)
        except (ShapeError, DTypeError) as error:
            raise type(error)(at_line(str(error))) from None
        trace = None if capture.active is None else capture.current()
        if op is full_like:  # these two read no elements
            return constants.filled(kind, params["value"], args[0]._device)
        if op is iota_like:
            return constants.counting(kind, params["axis"], args[0]._device)
        try:
            if trace is None:
                result = _compute(op, kind, args, params)
            else:
                result = _traced(op, kind, args, params)
        except _ElsewhereError as found:
            return found.tensor.__bind__(op, args, params)
        if op.grad is not None and mode.now.enabled and kind.dtype.is_inexact:
            for arg in args:
                if arg.requires_grad:
                    result._requires_grad = True
                    result._grad_fn = tape.OpNode(op, args, params, result)
                    break
        return result

    def _assign(self, value: Tensor) -> Tensor:
        """Overwrite the memory with value, of the same shape and dtype; return self.

        Every alias sees the write; the tape goes through it.
        """
        if value._type != self._type:
            raise ShapeError(at_line(f"cannot write {value._type} into {self._type}"))
        if value._elsewhere():
            raise RuntimeError(
                at_line(f"cannot write a {type(value).__name__} into a tensor that is none")
            )
        graph = mode.now.enabled and (self.requires_grad or value.requires_grad)
        if graph:
            overwriting.check_writable(self)
            before = overwriting.origin_of(self)._snapshot()
        overwriting.write(self, value)
        if graph:
            tape.rebase(self, before, value)
        return self

    def _elsewhere(self) -> bool:
        """Whether ops on this tensor are its own: Tensor's do not know how to read it."""
        return False

    def _moved(self, device: Device, non_blocking: bool) -> Tensor:
        """Return a copy on another device, of a tensor that ops of its own read."""
        raise NotImplementedError(type(self).__name__)

    def _whole(self) -> Tensor:
        """Return the tensor that holds all elements there are, of other items too."""
        return self

    def _copied(self) -> np.ndarray:
        """Return the value as an array of NumPy's, or say why there is none."""
        if self._array is None:
            raise CompileError(at_line(_NO_VALUE))
        if self._device is not CPU and self._device is not None:
            raise TypeError(at_line(refusal(self._device)))
        return self._array


class _ElsewhereError(Exception):
    """An argument of an op has ops of its own."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.tensor = tensor


_NO_VALUE = (
    "this tensor was made while a function was traced and has no value outside of it; "
    "return it from the compiled function"
)
_new = object.__new__


def _base(
    array: np.ndarray | None,
    node: Node | None,
    kind: TensorType,
    device: Device | None = CPU,
    cls: type[Tensor] | None = None,
) -> Tensor:
    """Return a tensor that owns its memory."""
    made = _new(cls or Tensor)
    made._array = array
    made._node = node
    made._type = kind
    made._base = None
    made._view = ()
    made._counter = Counter()
    made._apart = None
    made._device = device
    made._seen = 0
    made._strides = None
    made._requires_grad = False
    made._grad = None
    made._grad_fn = None
    made._output_nr = 0
    made._origin = None
    made._origin_fn = None
    made._hooks = None
    made._post_hooks = None
    made._weak = False
    return made


def _alias(tensor: Tensor, cls: type[Tensor]) -> Any:
    """Return another tensor over the same memory, a leaf without history."""
    made = _new(cls)
    made._array = tensor._array
    made._node = tensor._node if tensor._array is None else None
    made._type = tensor._type
    made._base = base_of(tensor)
    made._view = tensor._view
    made._counter = tensor._counter
    made._apart = tensor._apart
    made._device = tensor._device
    made._seen = tensor._seen if tensor._base is not None else tensor._counter.count
    made._strides = tensor._strides
    made._requires_grad = False
    made._grad = None
    made._grad_fn = None
    made._output_nr = 0
    made._origin = None
    made._origin_fn = None
    made._hooks = None
    made._post_hooks = None
    made._weak = False
    return made


def _view_of(
    tensor: Tensor,
    step: Step,
    kind: TensorType,
    array: np.ndarray | None,
    node: Node | None,
    strides: tuple[int, ...] | None,
) -> Tensor:
    """Return the view that `step` makes of tensor."""
    made = _alias(tensor, Tensor)
    made._array = array
    made._node = node
    made._type = kind
    made._view = (*tensor._view, step)
    made._seen = tensor._counter.count
    made._strides = strides
    if mode.now.enabled:
        origin = overwriting.origin_of(tensor)
        made._origin = origin
        made._origin_fn = origin._grad_fn
    return made  # type: ignore[no-any-return]


# -- eager --------------------------------------------------------------------------------------


def _compute(op: Op, kind: TensorType, args: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor:
    """Apply op to the values of args now."""
    arrays, narrow = [], kind.dtype.narrow
    device = None
    for arg in args:
        array = arg._array
        if array is None:
            if arg._elsewhere():
                raise _ElsewhereError(arg)
            array = arg._copied()  # says why there is none
        if arg._device is not device and arg._device is not None:
            device = arg._device if device is None else common_device(args)
        arrays.append(array)
        narrow = narrow or arg._type.dtype.narrow
    if device is not CPU and device is not None:
        return _on_gpu().compute(op, kind, args, params, device)
    out = compute(op, arrays, params, kind.dtype) if narrow else op.eval(*arrays, **params)
    if type(out) is not _ndarray:
        out = np.asarray(out)
    if op in VIEWS:
        source = arrays[0]
        if op not in _COPYING or source.flags.c_contiguous or np.may_share_memory(out, source):  # type: ignore[union-attr]
            return _view_of(args[0], (op, params), kind, out, None, None)
    if not out.flags.c_contiguous:
        out = np.ascontiguousarray(out)
    return _base(out, None, kind, device)


def _on_gpu() -> Any:
    """Return what computes on GPUs; nobody else imports it."""
    from . import on_gpu

    return on_gpu


def _copy_of(tensor: Tensor) -> Any:
    """Return a copy of a tensor's array, where it is."""
    if tensor._device is not CPU and tensor._device is not None:
        return _on_gpu().packed(tensor, copy=True)
    return tensor._copied().copy()


# -- traced -------------------------------------------------------------------------------------


def base_of(tensor: Tensor) -> Tensor:
    """Return the tensor that stands for all of this one's memory: itself, or what it views."""
    base = tensor._base
    if base is None:
        return tensor
    if base._base is not None:  # it was a base, and has taken other memory since
        tensor._base = base = tensor._counter.home
    return base


def node_of(tensor: Tensor) -> Node:
    """Return the node of a tensor's value now."""
    trace = capture.current()
    assert trace is not None
    if tensor._base is None:
        return trace.read(tensor)
    if tensor._node is not None and tensor._seen == tensor._counter.count:
        return tensor._node
    node = trace.read(base_of(tensor), tensor)
    for op, params in tensor._view:
        node = make(op, node, line=user_line(), **params)
    if tensor._array is None:
        tensor._node, tensor._seen = node, tensor._counter.count
    return node


@unheard
def _traced(op: Op, kind: TensorType, args: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor:
    """Grow the graph by op."""
    for arg in args:
        if arg._elsewhere():
            raise _ElsewhereError(arg)
    node = Node(op, tuple([node_of(arg) for arg in args]), params, kind, user_line())
    if op in VIEWS:
        strides = moved_strides(op, params, args[0]._type.shape, strides_of(args[0]))
        if strides is not None:
            return _view_of(args[0], (op, params), kind, None, node, strides)
    made = _base(None, node, kind, common_device(args))
    made._weak = all(arg._weak for arg in args)
    return made


def strides_of(tensor: Tensor) -> tuple[int, ...]:
    """Return the strides in elements."""
    if tensor._array is not None:
        steps = tensor._array.strides
        if not tensor._array.size and not any(steps):  # NumPy's, of results without elements
            return contiguous_strides(tensor._type.shape)
        size = tensor._type.dtype.size
        return tuple([step // size for step in steps])
    if tensor._strides is not None:
        return tensor._strides
    return contiguous_strides(tensor._type.shape)
