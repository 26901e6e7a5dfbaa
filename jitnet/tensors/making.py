"""Tensors made from Python values, filled, and counting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.ops import constant
from jitnet.runtime.dtype import (
    DType,
    bool_,
    convert,
    float32,
    float64,
    from_numpy_dtype,
    int64,
)

from .. import capture
from ..device import CPU, chosen_home, home
from ..errors import at_line
from ..tensor import Tensor
from .constants import counting as index_along
from .constants import filled, leaf
from .listed import array_of

_default: DType = float32
DEFAULT = "_default"  # the global of this module that compiled code looks at


def get_default_dtype() -> DType:
    """Return the dtype of floats made without saying one."""
    return _default


def set_default_dtype(dtype: DType) -> None:
    """Say which dtype floats have that are made without saying one."""
    global _default
    if not isinstance(dtype, DType) or dtype.kind != "float":
        raise TypeError(f"the default dtype must be floating point, got {dtype}")
    _default = dtype


def tracing() -> bool:
    """Return whether this thread is in a trace."""
    return capture.active is not None and capture.current() is not None


def unread(*tensors: Tensor) -> bool:
    """Return whether nobody may wait for the values of tensors here: in a trace, on a GPU."""
    return tracing() or any(each._device is not CPU and each._device for each in tensors)


def values_for_shape(x: Tensor, what: str, instead: str) -> np.ndarray | None:
    """Return the values that a result's shape depends on; None where they are on a GPU.

    In a trace they are those that are known there; CompileError for what only a run knows.
    """
    if tracing():
        return capture.value_of(x, f"{what} (a shape that depends on data)", instead)
    return None if unread(x) else x._copied()


def sizes(given: Sequence[Any]) -> tuple[int, ...]:
    """Return a shape from `f(2, 3)` or `f((2, 3))`; RuntimeError for negative sizes."""
    if len(given) == 1 and isinstance(given[0], Sequence | np.ndarray):
        given = given[0]  # type: ignore[assignment]
    shape = []
    for size in given:
        if isinstance(size, float) or not hasattr(size, "__index__"):
            raise TypeError(at_line(f"a shape wants whole numbers, got {size!r}"))
        shape.append(size.__index__())
    if shape and min(shape) < 0:
        raise RuntimeError(at_line(f"a shape wants sizes >= 0, got {shape}"))
    return tuple(shape)


def _made(result: Tensor, requires_grad: bool, device: Any = None) -> Tensor:
    """Return a new tensor on a device, as a leaf."""
    where = home(device)
    if result._device is None and (tracing() or where.type == "cpu"):
        result._device = where
    elif result._device is not where:
        result = on_device(result, where)
    return _leaf(result, requires_grad)


def _leaf(result: Tensor, requires_grad: bool) -> Tensor:
    return result.requires_grad_() if requires_grad else result


def on_device(x: Tensor, device: Any) -> Tensor:
    """Return x on a device; None is the one that it is on."""
    if device is None:
        return x
    from .transfer import moved

    return moved(x, device)


# -- from values --------------------------------------------------------------------------------


def tensor(
    data: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a new tensor with a copy of data: numbers, nested lists, arrays.

    >>> jitnet.tensor([[1, 2], [3, 4]], dtype=jitnet.float32)
    """
    if isinstance(data, Tensor):
        copy = data.detach().clone() if dtype is None else data.detach().to(dtype, copy=True)
        return _made(copy, requires_grad, device or chosen_home() or copy.device)
    if tracing() and isinstance(data, np.ndarray):
        copy = from_numpy(data).clone()
        return _made(copy if dtype is None else copy.to(dtype), requires_grad, device)
    array = array_of(data, dtype, _default)
    if tracing():
        array.flags.writeable = False
        return _made(leaf(constant, value=array), requires_grad, device)
    return _made(Tensor._from_array(array), requires_grad, device)


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """Return data as a tensor, sharing memory with an array or a tensor where that is possible."""
    if isinstance(data, Tensor):
        return on_device(data if dtype is None else data.to(dtype), device)
    if isinstance(data, np.ndarray):
        made = from_numpy(data)
        return on_device(made if dtype is None else made.to(dtype), device or chosen_home())
    if hasattr(data, "__cuda_array_interface__"):
        from .gpu_exchange import of_interface

        made = of_interface(data)
        return on_device(made if dtype is None else made.to(dtype), device)
    return tensor(data, dtype, device)


def from_numpy(array: np.ndarray) -> Tensor:
    """Return a tensor that shares memory with the array, with its strides."""
    if not isinstance(array, np.ndarray):
        raise TypeError(at_line(f"from_numpy wants an ndarray, got {type(array).__name__}"))
    dtype = from_numpy_dtype(array.dtype)
    if not array.dtype.isnative:
        raise ValueError(at_line("from_numpy wants native byte order; use astype first"))
    if not array.flags.aligned or any(step % dtype.size for step in array.strides):
        raise ValueError(at_line("from_numpy wants aligned elements; use array.copy() first"))
    if any(step < 0 for step in array.strides):
        raise ValueError(
            at_line("from_numpy does not take negative strides; use array.copy() first")
        )
    made = Tensor._from_array(np.asarray(array))
    made._counter.lent = True
    return made


def legacy(*data: Any, device: Any = None) -> Tensor:
    """Return what `Tensor(...)` makes: float32 from data, or memory of the given sizes."""
    if len(data) == 1 and not isinstance(data[0], int):
        return tensor(data[0], dtype=_default, device=device or CPU)
    return zeros(sizes(data) if data else (0,), device=device or CPU)


# -- filled -------------------------------------------------------------------------------------


def full(
    size: Sequence[int],
    fill_value: Any,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor with fill_value everywhere."""
    shape = sizes((size,))
    if isinstance(fill_value, Tensor):
        chosen = fill_value if dtype is None else fill_value.to(dtype)
        made = chosen.detach().reshape(()).expand(shape).clone()
        return _made(made, requires_grad, device or chosen_home() or made.device)
    if dtype is None:
        dtype = _dtype_of_number(fill_value)
    return _leaf(filled(TensorType(dtype, shape), fill_value, home(device)), requires_grad)


def _dtype_of_number(value: Any) -> DType:
    if isinstance(value, bool | np.bool_):
        return bool_
    if isinstance(value, complex | np.complexfloating):
        return _default.to_complex()
    return int64 if isinstance(value, int | np.integer) else _default


def zeros(
    *size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return zeros of the given sizes."""
    kind = TensorType(dtype or _default, sizes(size))
    return _leaf(filled(kind, 0, home(device)), requires_grad)


def ones(
    *size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return ones of the given sizes."""
    kind = TensorType(dtype or _default, sizes(size))
    return _leaf(filled(kind, 1, home(device)), requires_grad)


def empty(
    *size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return memory of the given sizes; its content is not defined (here: zeros)."""
    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


# -- counting -----------------------------------------------------------------------------------


def counting(shape: tuple[int, ...], axis: int, dtype: DType = int64) -> Tensor:
    """Return the index along axis at every place."""
    return index_along(TensorType(dtype, shape), axis)


def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return start, start + step, ... below end."""
    if end is None:
        start, end = 0, start
    start, end, step = (_number(value, "arange") for value in (start, end, step))
    if not all(map(math.isfinite, (start, end, step))):
        raise RuntimeError(at_line(f"arange wants finite numbers, got {start}, {end}, {step}"))
    given = start, end, step
    if dtype is not None and dtype.kind in ("int", "uint"):
        start, end, step = int(start), int(end), int(step)
    if dtype is int64:
        given = start, end, step  # the other whole numbers count their steps in floats
    count = _steps(*given)
    whole = all(isinstance(value, int) for value in (start, end, step))
    dtype = dtype or (int64 if whole else _default)
    if tracing() and whole and dtype is not bool_:
        line = counting((count,), 0)
        line = line if step == 1 else line * step
        return _made((line if start == 0 else line + start).to(dtype), requires_grad, device)
    exact = np.int64 if whole else np.float64
    values = start + np.arange(count, dtype=exact) * exact(step)
    return _made(literal(convert(values, dtype)), requires_grad, device)


def _steps(start: Any, end: Any, step: Any) -> int:
    """Return how many steps lead from start to end."""
    if step == 0:
        raise RuntimeError(at_line("arange wants a step other than 0"))
    if (end - start) * step < 0:
        return 0
    if all(isinstance(value, int) for value in (start, end, step)):
        return -((start - end) // step)
    return math.ceil((end - start) / step)


def _number(value: Any, name: str) -> Any:
    """Return a Python number, from one or from a tensor of one element."""
    if isinstance(value, Tensor):
        if tracing():
            what = f"{name}() with a tensor as bound"
            return capture.value_of(value, what, "give it a Python number").item()
        return value.item()
    return value.item() if isinstance(value, np.generic) else value


def literal(values: np.ndarray) -> Tensor:
    """Return an array's values as a tensor, a constant in a trace."""
    if tracing():
        values.flags.writeable = False
        return leaf(constant, value=values)
    made = Tensor._from_array(values)
    made._device = None
    return made


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    endpoint: bool = True,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return `steps` evenly spaced numbers from start to end, which endpoint includes."""
    dtype = dtype or (_default.to_complex() if _has_complex(start, end) else _default)
    return _made(_line(*_bounds(start, end, dtype), steps, endpoint, dtype), requires_grad, device)


def _has_complex(*bounds: Any) -> bool:
    return any(
        bound.is_complex() if isinstance(bound, Tensor) else isinstance(bound, complex)
        for bound in bounds
    )


def _bounds(start: Any, end: Any, dtype: DType) -> tuple[Any, Any]:
    """Return the bounds of a line; their whole parts, where it is one of whole numbers."""
    if dtype.kind not in ("int", "uint"):
        return start, end
    return tuple(x.to(dtype).to(float64) if isinstance(x, Tensor) else int(x) for x in (start, end))  # type: ignore[return-value]


def _line(start: Any, end: Any, steps: int, endpoint: bool, dtype: DType) -> Tensor:
    """Return evenly spaced numbers, of which tensors may be the bounds."""
    if steps < 0:
        raise RuntimeError(at_line(f"a line wants steps >= 0, got {steps}"))
    if isinstance(start, Tensor) or isinstance(end, Tensor):
        for bound in (start, end):
            if isinstance(bound, Tensor) and bound.ndim:
                raise RuntimeError(at_line(f"a line wants numbers as bounds, got {bound._type}"))
        places = literal(np.arange(steps, dtype=np.float64))
        step = (end - start) / float(max(steps - endpoint, 1))
        if not endpoint:
            return (start + step * places).to(dtype)  # type: ignore[no-any-return]
        near = places < max(steps // 2, 1)
        turned = end - step * (steps - 1 - places)
        return (start + step * places).where(near, turned).to(dtype)  # type: ignore[no-any-return]
    return literal(convert(np.linspace(start, end, steps, endpoint=endpoint), dtype))


def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return base ** linspace(start, end, steps)."""
    dtype = dtype or _default
    powers = _line(*_bounds(start, end, dtype), steps, True, float64)
    return _made((float(base) ** powers).to(dtype), requires_grad, device)


def eye(
    n: int,
    m: int | None = None,
    *,
    k: int = 0,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ones on the k-th diagonal of an n x m matrix of zeros."""
    shape = sizes((n, n if m is None else m))
    if tracing():
        ones_at = (counting(shape, 0) + k).eq(counting(shape, 1))
        return _made(ones_at.to(dtype or _default), requires_grad, device)
    return _made(
        Tensor._from_array(np.eye(*shape, k, dtype=(dtype or _default).numpy)),
        requires_grad,
        device,
    )


def scalar_tensor(
    value: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Return a zero-dimensional tensor."""
    return full((), value, dtype=dtype or _default, device=device, requires_grad=requires_grad)


def is_tensor(value: Any) -> bool:
    """Return whether value is a Tensor."""
    return isinstance(value, Tensor)
