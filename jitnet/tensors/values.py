"""A tensor's value outside: NumPy, Python numbers, other dtypes, other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType, bfloat16, of_python
from jitnet.runtime.layout import address_of

from .. import capture, creation
from ..device import CPU, Device
from ..errors import at_line
from ..functional import arithmetic, joining, reduction, unary
from ..functional.promote import to_dtype
from ..tensor import Tensor, base_of
from ..typed import type_name, type_of
from .memory import span_of
from .transfer import moved

_OUTSIDE = "keep it as a tensor (jitnet.where for choices), or return it and read it outside"


def _value(x: Tensor, what: str, instead: str = _OUTSIDE) -> np.ndarray:
    """Return the value as an array; CompileError in a trace that does not know it.

    From a GPU a copy, once all that it depends on has run.
    """
    if x._array is not None and x.device is not CPU:
        capture.refuse(what, instead)
        from ..on_gpu import host_copy

        return host_copy(x)
    return capture.value_of(x, what, instead)


def _lent(x: Tensor, what: str) -> np.ndarray:
    """Return the value as an array to give away: whoever has it can write into the memory."""
    array = capture.value_of(x, what, _OUTSIDE)
    x._counter.lent = True
    return array


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """Return an array that shares memory; TypeError for bfloat16, which NumPy has not."""
    if self._type.dtype is bfloat16:
        _value(self, "numpy()")
        raise TypeError(at_line("NumPy has no bfloat16; use .float().numpy()"))
    if self.requires_grad and not force:
        _value(self, "numpy()")
        raise RuntimeError(
            at_line("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy()")
        )
    return _lent(self, "numpy()")


def as_array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """Return the value for NumPy's functions."""
    array = numpy(self)
    if dtype is None or np.dtype(dtype) == array.dtype:
        return array.copy() if copy else array
    if copy is False:
        raise ValueError(at_line(f"{self._type} cannot be {np.dtype(dtype)} without a copy"))
    return array.astype(dtype)


def wrap_array(self: Tensor, array: np.ndarray, *context: Any) -> Any:
    """Return a NumPy function's result as a tensor."""
    return creation.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def item(self: Tensor) -> Any:
    """Return the only element as a Python number."""
    return _number(self, "item()")


def _number(x: Tensor, what: str) -> Any:
    if x._type.numel != 1:
        raise RuntimeError(
            at_line(f"a Tensor with {x._type.numel} elements cannot be converted to Scalar")
        )
    return _value(x, what).item()


def _real_number(x: Tensor, what: str) -> Any:
    """Return the only element without its imaginary part, which must be 0."""
    number = _number(x, what)
    if not isinstance(number, complex):
        return number
    if number.imag != 0:
        raise RuntimeError(
            at_line(
                f"value cannot be converted without overflow: {number} has an imaginary part; "
                "use .real or complex()"
            )
        )
    return number.real


def tolist(self: Tensor) -> Any:
    """Return nested lists of Python numbers."""
    return _value(self, "tolist()").tolist()


def as_bool(self: Tensor) -> bool:
    """Return whether the only element is not 0."""
    if self._type.numel != 1:
        words = "no values" if not self._type.numel else "more than one value"
        raise RuntimeError(at_line(f"Boolean value of Tensor with {words} is ambiguous"))
    if capture.active is not None and self._type.dtype.is_inexact:
        self = arithmetic.ne(self, 0)  # which a trace may know where the number is not known
    return bool(_value(self, "bool(tensor), as in `if tensor:`,").item())


def as_int(self: Tensor) -> int:
    """Return the only element as an int."""
    return int(_real_number(self, "int(tensor)"))


def as_float(self: Tensor) -> float:
    """Return the only element as a float."""
    return float(_real_number(self, "float(tensor)"))


def as_complex(self: Tensor) -> complex:
    """Return the only element as a complex number."""
    return complex(_number(self, "complex(tensor)"))


def as_index(self: Tensor) -> int:
    """Return the only element, a whole number, as an int."""
    if self._type.dtype.is_inexact or self._type.numel != 1:
        raise TypeError(at_line("only integer tensors of a single element can be an index"))
    inside = "use it inside [...] of a tensor"
    return int(_value(self, "using a tensor as a Python index", inside).item())


def length(self: Tensor) -> int:
    """Return the size of the first dim."""
    if not self._type.shape:
        raise TypeError(at_line("len() of a 0-d tensor"))
    return self._type.shape[0]


def rows(self: Tensor) -> Iterator[Tensor]:
    """Return the rows."""
    if not self._type.shape:
        raise TypeError(at_line("iteration over a 0-d tensor"))
    return iter(joining.unbind(self))


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


def data_ptr(self: Tensor) -> int:
    """Return the address of the first element."""
    if self._array is not None and self.device is not CPU:
        self._counter.lent = True
        return self._array.address  # type: ignore[attr-defined, no-any-return]
    return address_of(_lent(self, "data_ptr()"))


def storage_offset(self: Tensor) -> int:
    """Return the elements between the base's first and this tensor's first."""
    what = "storage_offset()"
    base = base_of(self)
    if self._array is not None and self.device is not CPU:
        first, own = span_of(base)[0], span_of(self)[0]
        return (own - first) // self._type.dtype.size
    distance = address_of(_value(self, what)) - address_of(_value(base, what))
    return distance // self._type.dtype.size


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return the tensor as another dtype, on another device, or like another tensor.

    non_blocking: do not wait until pinned memory has been read.
    """
    dtype, device = of_python(kwargs.get("dtype")), kwargs.get("device")
    non_blocking, force = bool(kwargs.get("non_blocking")), bool(kwargs.get("copy"))
    flags = []
    for arg in map(of_python, args):
        if isinstance(arg, DType):
            dtype = arg
        elif isinstance(arg, Tensor):
            dtype, device = arg._type.dtype, arg.device
        elif isinstance(arg, bool):
            flags.append(arg)
        elif isinstance(arg, str | int | Device):
            device = arg
        elif arg is not None:
            raise TypeError(at_line(f"to() wants a dtype, a device or a Tensor, got {arg!r}"))
    if flags:  # to(..., non_blocking, copy)
        non_blocking, force = flags[0], force or (flags[-1] and len(flags) > 1)
    if device is not None:
        there = moved(self, device, non_blocking)
        force = force and there is self
        self = there
    if dtype is None or dtype is self._type.dtype:
        return unary.clone(self) if force else self
    return _converted(self, dtype)


def _converted(x: Tensor, dtype: DType) -> Tensor:
    """Return x as dtype; a warning, as PyTorch's, where imaginary parts are lost."""
    if x._type.dtype.is_complex and dtype.kind not in ("complex", "bool"):
        warnings.warn(
            "Casting complex values to real discards the imaginary part; take .real", stacklevel=3
        )
    return to_dtype(x, dtype)


def type_(self: Tensor, dtype: Any = None) -> Any:
    """Return the type's name, or the tensor as that type: "jitnet.cuda.FloatTensor", a dtype."""
    if dtype is None:
        return type_name(self)
    wanted, device = type_of(dtype)
    return to(self, wanted, device=None if self.device.type == device else device)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """Return the tensor as other's dtype, on its device."""
    return to(self, other)


def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """Return the tensor on the CPU: itself if it is there."""
    return moved(self, CPU)


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """Return the tensor on a GPU: itself if it is there."""
    return moved(self, "cuda" if device is None else device, non_blocking)


def converter(dtype: DType) -> Callable[[Tensor], Tensor]:
    """Return the method that gives a tensor as this dtype."""

    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        return _converted(self, dtype)

    convert.__doc__ = f"Return the tensor as {dtype.name}."
    return convert


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Write what a Python function makes of each element; eager only."""
    return _by_elements(self, "apply_", callable)


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Write what a Python function makes of each element and that of tensor; eager only."""
    return _by_elements(self, "map_", callable, tensor.expand(self._type.shape))


def _by_elements(self: Tensor, name: str, function: Callable[..., Any], *others: Tensor) -> Tensor:
    from ..creation import tensor
    from .writing import write

    capture.refuse(f"{name}()", "use functions of whole tensors")
    rows = [x.detach().reshape(-1).tolist() for x in (self, *others)]
    made = [function(*each) for each in zip(*rows, strict=True)]
    return write(self.detach(), tensor(made, dtype=self._type.dtype).reshape(self._type.shape))
