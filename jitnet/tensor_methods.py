"""Tensor's methods: what tensor.py leaves to the functions, and the operators."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import CompileError
from jitnet.runtime.dtype import (
    DType,
    bool_,
    dtype_named,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)

from . import capture, creation, tape
from .capture import set_attribute
from .device import Device, check_device
from .errors import at_line
from .functional import (
    activation,
    arithmetic,
    indexing,
    linear_algebra,
    reduction,
    shape,
    sorting,
)
from .functional.promote import as_operand, fit, result_type, to_dtype, to_shape
from .grad_mode import no_grad
from .indexing import getitem, setitem
from .tensor import Tensor, _alias, strides_of

# -- out of the tensor --------------------------------------------------------------------------

_OUTSIDE = "keep it as a tensor (jitnet.where for choices), or return it and read it outside"


def _value(x: Tensor, what: str) -> np.ndarray:
    """Return the value as an array; CompileError in a trace."""
    if capture.active is not None:
        capture.refuse(what, _OUTSIDE, x)
    return x._copied()


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """Return an array that shares memory."""
    array = _value(self, "numpy()")
    if self.requires_grad and not force:
        raise RuntimeError(
            at_line("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy()")
        )
    return array


def as_array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """Return the value for NumPy's functions."""
    array = numpy(self)
    if dtype is None or np.dtype(dtype) == array.dtype:
        return array.copy() if copy else array
    return array.astype(dtype)


def wrap_array(self: Tensor, array: np.ndarray, *context: Any) -> Any:
    """Return a NumPy function's result as a tensor."""
    return creation.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def item(self: Tensor) -> Any:
    """Return the only element as a Python number."""
    if self._type.numel != 1:
        raise RuntimeError(
            at_line(f"a Tensor with {self._type.numel} elements cannot be converted to Scalar")
        )
    return _value(self, "item()").item()


def tolist(self: Tensor) -> Any:
    """Return nested lists of Python numbers."""
    return _value(self, "tolist()").tolist()


def as_bool(self: Tensor) -> bool:
    """Return whether the only element is not 0."""
    if self._type.numel != 1:
        words = "no values" if not self._type.numel else "more than one value"
        raise RuntimeError(at_line(f"Boolean value of Tensor with {words} is ambiguous"))
    return bool(_value(self, "bool(tensor), as in `if tensor:`,").item())


def as_int(self: Tensor) -> int:
    """Return the only element as an int."""
    capture.refuse("int(tensor)", _OUTSIDE, self)
    return int(item(self))


def as_float(self: Tensor) -> float:
    """Return the only element as a float."""
    capture.refuse("float(tensor)", _OUTSIDE, self)
    return float(item(self))


def as_index(self: Tensor) -> int:
    """Return the only element, a whole number, as an int."""
    if self._type.dtype.kind == "float" or self._type.numel != 1:
        raise TypeError(at_line("only integer tensors of a single element can be an index"))
    capture.refuse("using a tensor as a Python index", "use it inside [...] of a tensor")
    return int(item(self))


def length(self: Tensor) -> int:
    """Return the size of the first dim."""
    if not self._type.shape:
        raise TypeError(at_line("len() of a 0-d tensor"))
    return self._type.shape[0]


def rows(self: Tensor) -> Iterator[Tensor]:
    """Return the rows."""
    if not self._type.shape:
        raise TypeError(at_line("iteration over a 0-d tensor"))
    return iter(shape.unbind(self))


def contains(self: Tensor, element: Any) -> bool:
    """Return whether some element is equal."""
    capture.refuse("`in` on a tensor", _OUTSIDE)
    return bool(reduction.any(arithmetic.eq(self, element)))


def text(self: Tensor) -> str:
    """Return the tensor as PyTorch prints it."""
    from .printing import describe

    return describe(self)


def formatted(self: Tensor, spec: str) -> str:
    """Format a single number by spec; anything else as printed."""
    if not self._type.shape and (self._array is not None or spec or self._weak):
        return item(self).__format__(spec)  # type: ignore[no-any-return]
    return object.__format__(self, spec)


def dlpack(self: Tensor, **options: Any) -> Any:
    """Return a capsule for another library, sharing memory."""
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return _value(self, "__dlpack__()").__dlpack__(**options)


def dlpack_device(self: Tensor) -> tuple[int, int]:
    """Return DLPack's name of the CPU."""
    return 1, 0


def data_ptr(self: Tensor) -> int:
    """Return the address of the first element."""
    return int(_value(self, "data_ptr()").__array_interface__["data"][0])


# -- what it is ---------------------------------------------------------------------------------


def size(self: Tensor, dim: int | None = None) -> Any:
    """Return the shape, or the size of one dim."""
    return self.shape if dim is None else self._type.shape[_dim(self, dim)]


def _dim(x: Tensor, dim: int) -> int:
    from .functional.promote import normal_dim

    if not x._type.shape:
        raise IndexError(at_line("Dimension specified but the tensor has no dimensions"))
    return normal_dim(dim, x.ndim)


def stride(self: Tensor, dim: int | None = None) -> Any:
    """Return the strides in elements, or that of one dim."""
    steps = strides_of(self)
    return steps if dim is None else steps[_dim(self, dim)]


def is_contiguous(self: Tensor, memory_format: Any = None) -> bool:
    """Return whether elements lie in memory in row-major order without gaps."""
    expected = 1
    if not self._type.numel:
        return True
    for count, step in zip(reversed(self._type.shape), reversed(strides_of(self)), strict=True):
        if count != 1:
            if step != expected:
                return False
            expected *= count
    return True


def contiguous(self: Tensor, memory_format: Any = None) -> Tensor:
    """Return the tensor itself if it is contiguous, or else a contiguous copy."""
    return self if is_contiguous(self) else arithmetic.clone(self)


def storage_offset(self: Tensor) -> int:
    """Return the elements between the base's first and this tensor's first."""
    if self._base is None:
        return 0
    return (data_ptr(self) - data_ptr(self._base)) // self._type.dtype.size


def is_floating_point(self: Tensor) -> bool:
    """Return whether elements are real numbers."""
    return self._type.dtype.kind == "float"


def is_complex(self: Tensor) -> bool:
    """Return False: there are no complex dtypes yet."""
    return False


def is_same_size(self: Tensor, other: Tensor) -> bool:
    """Return whether the shapes are equal."""
    return self._type.shape == other._type.shape


# -- history ------------------------------------------------------------------------------------


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
    return _alias(self, Tensor)  # type: ignore[no-any-return]


def detach_(self: Tensor) -> Tensor:
    """Forget the history."""
    if self._origin is not None:
        raise RuntimeError(at_line("Can't detach views in-place. Use detach() instead"))
    set_attribute(self, "_grad_fn", None)
    set_attribute(self, "_requires_grad", False)
    return self


def _set_data(self: Tensor, value: Tensor) -> None:
    """Make this tensor use value's memory; in a trace of equal types, copy the elements."""
    if (
        value._type.dtype is not self._type.dtype
        and self.requires_grad
        and (value._type.dtype.kind != "float")
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
    set_attribute(self, "_array", value._array)
    set_attribute(self, "_type", value._type)
    self._base = value if value._base is None else value._base
    self._view, self._counter, self._strides = value._view, value._counter, value._strides
    self._origin = self._origin_fn = None


def share_memory_(self: Tensor) -> Tensor:
    """Return self: memory is shared between threads already."""
    return self


# -- conversion ---------------------------------------------------------------------------------


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return the tensor as another dtype, on another device, or like another tensor."""
    dtype, force = kwargs.get("dtype"), bool(kwargs.get("copy", False))
    check_device(kwargs.get("device"))
    for position, arg in enumerate(args):
        if isinstance(arg, DType):
            dtype = arg
        elif isinstance(arg, Tensor):
            dtype = arg._type.dtype
        elif isinstance(arg, str | Device):
            check_device(arg)
        elif isinstance(arg, bool):
            force = force or (arg and position == len(args) - 1 and position > 1)
        elif arg is not None:
            raise TypeError(at_line(f"to() wants a dtype, a device or a Tensor, got {arg!r}"))
    if dtype is None or dtype is self._type.dtype:
        return arithmetic.clone(self) if force else self
    return to_dtype(self, dtype)


def type_(self: Tensor, dtype: Any = None) -> Any:
    """Return the dtype's name, or the tensor as that dtype."""
    if dtype is None:
        return f"jitnet.{self._type.dtype.name.capitalize()}Tensor"
    return to(self, dtype_named(dtype) if isinstance(dtype, str) else dtype)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the tensor as other's dtype."""
    return to_dtype(self, other._type.dtype)


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """Return self: it is on the CPU."""
    return self


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """Raise RuntimeError: there is no GPU support yet."""
    check_device("cuda")
    return self


def _converter(dtype: DType) -> Callable[[Tensor], Tensor]:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return to_dtype(self, dtype)

    convert.__doc__ = f"Return the tensor as {dtype.name}."
    return convert


def _deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]
    if self.grad_fn is not None:
        raise RuntimeError(
            at_line("only leaves can be deep-copied; detach() or clone() the tensor instead")
        )
    with no_grad():
        made = type(self)._make_subclass(arithmetic.clone(self), self.requires_grad)
        made._grad = copy.deepcopy(self._grad, memo)
    made.__dict__.update(copy.deepcopy(self.__dict__, memo)) if hasattr(self, "__dict__") else None
    memo[id(self)] = made
    return made  # type: ignore[no-any-return]


def _rebuilt(array: np.ndarray, requires_grad: bool) -> Tensor:
    """Return a pickled tensor again."""
    return Tensor._from_array(array, requires_grad)


def pickled(self: Tensor, protocol: Any) -> Any:
    """Pickle the value; for files use jitnet.save, whose files run no code when loaded."""
    if self.grad_fn is not None:
        raise RuntimeError(at_line("only leaves can be pickled; detach() the tensor first"))
    return _rebuilt, (np.ascontiguousarray(_value(self, "pickling")), self.requires_grad)


# -- making others ------------------------------------------------------------------------------


def new_tensor(
    self: Tensor,
    data: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return data as a tensor of this tensor's dtype."""
    return creation.tensor(data, dtype or self._type.dtype, device, requires_grad)


def new_full(
    self: Tensor,
    size: Any,
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a filled tensor of this tensor's dtype."""
    return creation.full(
        size,
        fill_value,
        dtype=dtype or self._type.dtype,
        device=device,
        requires_grad=requires_grad,
    )


def new_zeros(
    self: Tensor,
    *size: Any,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return zeros of this tensor's dtype."""
    return new_full(
        self, creation.sizes(size), 0, dtype=dtype, device=device, requires_grad=requires_grad
    )


def new_ones(
    self: Tensor,
    *size: Any,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ones of this tensor's dtype."""
    return new_full(
        self, creation.sizes(size), 1, dtype=dtype, device=device, requires_grad=requires_grad
    )


# -- in place -----------------------------------------------------------------------------------


# In-place functions whose gradient does not read what they overwrite.
_LINEAR_IN_SELF = frozenset(
    (
        "add", "sub", "subtract", "neg", "negative", "relu", "clamp", "clip", "clamp_min",
        "clamp_max", "masked_fill", "scatter", "scatter_add", "index_add", "index_copy",
        "index_fill", "index_put", "tril", "triu", "cumsum", "addmm", "addmv", "addr", "baddbmm",
    )
)  # fmt: skip


def _source(self: Tensor, name: str, others: tuple[Any, ...]) -> Tensor:
    """Return what an in-place function reads: a snapshot where the tape will keep it."""
    if not tape.mode.enabled:
        return self
    recorded = self.requires_grad or any(getattr(x, "requires_grad", False) for x in others)
    return self._snapshot(keep=name not in _LINEAR_IN_SELF) if recorded else self


def write(self: Tensor, value: Any) -> Tensor:
    """Overwrite self by a result, which must fit self's shape and dtype."""
    kind = value._type
    if kind.shape != self._type.shape:
        raise RuntimeError(
            at_line(
                f"output with shape {list(self._type.shape)} doesn't match the broadcast shape "
                f"{list(kind.shape)}"
            )
        )
    if kind.dtype is not self._type.dtype:
        rank = {"bool": 0, "uint": 1, "int": 1, "float": 2}
        if rank[kind.dtype.kind] > rank[self._type.dtype.kind]:
            raise RuntimeError(
                at_line(
                    f"result type {kind.dtype.name} can't be cast to the desired output type "
                    f"{self._type.dtype.name}"
                )
            )
        value = to_dtype(value, self._type.dtype)
    return self._assign(value)


def _in_place(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    def apply(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return write(self, function(_source(self, name[:-1], args), *args, **kwargs))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Do {name[:-1]} in place."
    return apply


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite the elements with src's, cast and broadcast."""
    value = creation.as_tensor(src) if not isinstance(src, Tensor) else src
    fitted = to_shape(to_dtype(value, self._type.dtype), self._type.shape)
    return self._assign(fitted)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Set every element to value."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                at_line(f"fill_ only supports 0-dimension value tensor but got {value._type}")
            )
        return copy_(self, value)
    return self._assign(creation.full(self._type.shape, value, dtype=self._type.dtype))


def zero_(self: Tensor) -> Tensor:
    """Set every element to 0."""
    return fill_(self, 0)


def _movement_in_place(self: Tensor, *args: Any) -> Tensor:
    raise RuntimeError(
        at_line("changing a tensor's shape in place is not there; use the function without '_'")
    )


# -- operators ----------------------------------------------------------------------------------


def _operand(value: Any) -> bool:
    return isinstance(value, Tensor | bool | int | float | np.generic | np.ndarray)


def _operator(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: Tensor, other: Any) -> Any:
        if type(other) is not Tensor and not _operand(other):
            return NotImplemented
        return function(self, other)

    return apply


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: Tensor, other: Any) -> Any:
        return function(other, self) if _operand(other) else NotImplemented

    return apply


def _assigning(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def apply(self: Tensor, other: Any) -> Any:
        if not _operand(other):
            return NotImplemented
        return write(self, function(_source(self, name, (other,)), other))

    return apply


def _pow(base: Any, exponent: Any) -> Tensor:
    if not isinstance(base, Tensor):
        base = fit(as_operand(base), result_type(as_operand(base), exponent), exponent._type.shape)
    return arithmetic.pow(base, exponent)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "add": arithmetic.add,
    "sub": arithmetic.sub,
    "mul": arithmetic.mul,
    "truediv": arithmetic.div,
    "floordiv": arithmetic.floor_divide,
    "mod": arithmetic.remainder,
    "pow": _pow,
    "matmul": linear_algebra.matmul,
    "and": arithmetic.bitwise_and,
    "or": arithmetic.bitwise_or,
    "xor": arithmetic.bitwise_xor,
    "lshift": arithmetic.left_shift,
    "rshift": arithmetic.right_shift,
}
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

# Functions that are methods too, under their own name; the first argument is the tensor.
_ARITHMETIC = (
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sin",
    "cos", "tan", "asin", "arcsin", "acos", "arccos", "atan", "arctan", "sinh", "cosh", "tanh",
    "asinh", "arcsinh", "acosh", "arccosh", "atanh", "arctanh", "erf", "erfc", "erfinv",
    "sigmoid", "floor", "ceil", "trunc", "fix", "round", "frac", "neg", "negative", "positive",
    "abs", "absolute", "sign", "sgn", "square", "clone", "isnan", "isinf", "isfinite", "add",
    "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "floor_divide",
    "remainder", "fmod", "bitwise_left_shift", "bitwise_right_shift", "bitwise_and", "bitwise_or",
    "bitwise_xor", "bitwise_not", "eq", "ne", "not_equal", "lt", "less", "le", "less_equal", "gt",
    "greater", "ge", "greater_equal", "atan2", "arctan2", "pow", "maximum", "minimum", "fmax",
    "fmin", "logical_and", "logical_or", "logical_xor", "logical_not", "clamp", "clip",
    "clamp_min", "clamp_max", "lerp", "addcmul", "addcdiv", "nan_to_num", "isclose", "allclose",
    "equal", "deg2rad", "rad2deg", "hypot", "logaddexp", "xlogy", "logit", "heaviside", "signbit",
    "copysign",
)  # fmt: skip
_REDUCTION = (
    "sum", "nansum", "mean", "prod", "var", "std", "amax", "amin", "aminmax", "max", "min",
    "argmax", "argmin", "any", "all", "count_nonzero", "logsumexp", "norm", "cumsum", "cumprod",
    "median",
)  # fmt: skip
_SHAPE = (
    "reshape", "view", "permute", "transpose", "swapaxes", "swapdims", "t", "movedim", "moveaxis",
    "squeeze", "unsqueeze", "flatten", "ravel", "unflatten", "expand", "expand_as",
    "broadcast_to", "repeat", "tile", "repeat_interleave", "narrow", "select", "unbind", "split",
    "chunk", "tensor_split", "flip", "fliplr", "flipud", "roll", "rot90", "tril", "triu",
    "diagonal", "diag", "diag_embed", "trace",
)  # fmt: skip
_INDEXING = (
    "gather", "take_along_dim", "scatter", "scatter_add", "index_select", "index_add",
    "index_copy", "index_fill", "index_put", "take", "masked_fill", "masked_select",
    "masked_scatter", "nonzero", "argwhere", "bincount",
)  # fmt: skip
_LINEAR = (
    "matmul", "mm", "bmm", "mv", "dot", "inner", "outer", "ger", "addmm", "addmv", "addr",
    "baddbmm", "tensordot",
)  # fmt: skip
_SORTING = ("sort", "argsort", "topk", "unique")
_ACTIVATION = ("relu", "softmax", "log_softmax")
_IN_PLACE = (
    "relu",
    "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    "erf", "erfc", "erfinv", "sigmoid", "floor", "ceil", "trunc", "fix", "round", "frac", "neg",
    "negative", "abs", "absolute", "sign", "square", "add", "sub", "subtract", "mul", "multiply",
    "div", "divide", "true_divide", "floor_divide", "remainder", "fmod", "bitwise_and",
    "bitwise_or", "bitwise_xor", "bitwise_not", "atan2", "pow", "logical_and", "logical_or",
    "logical_xor", "logical_not", "clamp", "clip", "clamp_min", "clamp_max", "lerp", "addcmul",
    "addcdiv", "nan_to_num", "eq", "ne", "lt", "le", "gt", "ge", "hypot", "logit", "xlogy",
    "copysign", "cumsum", "cumprod", "addmm", "addmv", "addr", "baddbmm", "tril", "triu",
    "scatter", "scatter_add", "index_add", "index_copy", "index_fill", "index_put", "masked_fill",
    "masked_scatter",
)  # fmt: skip


def _install() -> None:
    """Give Tensor its methods."""
    families = [
        (arithmetic, _ARITHMETIC),
        (reduction, _REDUCTION),
        (shape, _SHAPE),
        (indexing, _INDEXING),
        (linear_algebra, _LINEAR),
        (sorting, _SORTING),
        (activation, _ACTIVATION),
    ]
    functions: dict[str, Any] = {}
    for module, names in families:
        for name in names:
            functions[name] = getattr(module, name)
            setattr(Tensor, name, functions[name])
    for name in _IN_PLACE:
        setattr(Tensor, f"{name}_", _in_place(functions[name], f"{name}_"))
    for name, function in _OPERATORS.items():
        setattr(Tensor, f"__{name}__", _operator(function))
        setattr(Tensor, f"__r{name}__", _reflected(function))
        setattr(Tensor, f"__i{name}__", _assigning(function, name))
    for name in _COMPARISONS:
        setattr(Tensor, f"__{name}__", _operator(getattr(arithmetic, name)))
    own: dict[str, Any] = {
        "__neg__": arithmetic.neg,
        "__pos__": arithmetic.positive,
        "__abs__": arithmetic.abs,
        "__invert__": arithmetic.bitwise_not,
        "__array__": as_array,
        "__array_wrap__": wrap_array,
        "__bool__": as_bool,
        "__int__": as_int,
        "__float__": as_float,
        "__index__": as_index,
        "__len__": length,
        "__iter__": rows,
        "__contains__": contains,
        "__repr__": text,
        "__format__": formatted,
        "__dlpack__": dlpack,
        "__dlpack_device__": dlpack_device,
        "__reduce_ex__": pickled,
        "__getitem__": getitem,
        "__setitem__": setitem,
        "__deepcopy__": _deepcopy,
        "T": property(lambda self: self.permute(list(range(self.ndim))[::-1])),
        "mT": property(lambda self: self.transpose(-2, -1)),
        "data": property(detach, _set_data),
        "is_cuda": property(lambda self: False),
        "nbytes": property(lambda self: self._type.nbytes),
        "itemsize": property(lambda self: self._type.dtype.size),
        "retains_grad": property(retains_grad),
        "where": lambda self, condition, other: arithmetic.where(condition, self, other),
        "numel": lambda self: self._type.numel,
        "nelement": lambda self: self._type.numel,
        "element_size": lambda self: self._type.dtype.size,
        "dim": lambda self: len(self._type.shape),
        "ndimension": lambda self: len(self._type.shape),
        "view_as": lambda self, other: shape.view(self, other._type.shape),
        "reshape_as": lambda self, other: shape.reshape(self, other._type.shape),
        "type": type_,
        "masked_fill_": _in_place(indexing.masked_fill, "masked_fill_"),
        "_is_view": lambda self: self._origin is not None,
    }
    for name, dtype in {
        "float": float32,
        "double": float64,
        "int": int32,
        "long": int64,
        "short": int16,
        "char": int8,
        "byte": uint8,
        "bool": bool_,
    }.items():
        own[name] = _converter(dtype)
    for function in (
        numpy, item, tolist, data_ptr, size, stride, is_contiguous, contiguous, storage_offset,
        is_floating_point, is_complex, is_same_size, backward, register_hook, retain_grad, detach,
        detach_, share_memory_, to, type_as, cpu, cuda, new_tensor, new_full, new_zeros, new_ones,
        copy_, fill_, zero_,
    ):  # fmt: skip
        own[function.__name__] = function
    own["new_empty"] = new_zeros
    for name in ("squeeze_", "unsqueeze_", "t_", "transpose_", "resize_"):
        own[name] = _movement_in_place
    for name, value in own.items():
        setattr(Tensor, name, value)


_install()
