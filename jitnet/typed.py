"""FloatTensor, LongTensor and kin: PyTorch's older names of tensors of one dtype."""

from __future__ import annotations

from typing import Any

from jitnet.runtime.dtype import (
    DType,
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)

from .errors import DTypeError, at_line
from .tensor import Tensor
from .tensors import making


class _OfType(type):
    """A name whose instances are the tensors of one dtype, on one kind of device."""

    dtype: DType
    where: str

    def __instancecheck__(cls, instance: Any) -> bool:
        fits = isinstance(instance, Tensor) and instance._type.dtype is cls.dtype
        return fits and instance.device.type == cls.where

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        """Return a tensor of values, or zeros of given sizes."""
        if len(data) == 1 and isinstance(data[0], Tensor):
            if data[0]._type.dtype is not cls.dtype:
                raise DTypeError(
                    at_line(f"{cls.__name__} wants {cls.dtype}, got {data[0]._type}; use .to()")
                )
            return making.on_device(data[0].detach(), device or cls.where)  # type: ignore[no-any-return]
        if len(data) == 1 and not isinstance(data[0], int):
            return making.tensor(data[0], dtype=cls.dtype, device=device or cls.where)
        return making.zeros(*(data or (0,)), dtype=cls.dtype, device=device or cls.where)


def _named(name: str, dtype: DType, where: str = "cpu") -> _OfType:
    doc = f"Tensors of {dtype.name}: `{name}(2, 3)` makes one, isinstance() knows them."
    package = "jitnet" if where == "cpu" else f"jitnet.{where}"
    parts = {"dtype": dtype, "where": where, "__doc__": doc, "__module__": package}
    return _OfType(name, (), parts)


FloatTensor = _named("FloatTensor", float32)
HalfTensor = _named("HalfTensor", float16)
BFloat16Tensor = _named("BFloat16Tensor", bfloat16)
DoubleTensor = _named("DoubleTensor", float64)
CharTensor = _named("CharTensor", int8)
ShortTensor = _named("ShortTensor", int16)
IntTensor = _named("IntTensor", int32)
LongTensor = _named("LongTensor", int64)
ByteTensor = _named("ByteTensor", uint8)
UInt16Tensor = _named("UInt16Tensor", uint16)
UInt32Tensor = _named("UInt32Tensor", uint32)
UInt64Tensor = _named("UInt64Tensor", uint64)
BoolTensor = _named("BoolTensor", bool_)
ComplexFloatTensor = _named("ComplexFloatTensor", complex64)
ComplexDoubleTensor = _named("ComplexDoubleTensor", complex128)


_TYPES = (
    FloatTensor, HalfTensor, BFloat16Tensor, DoubleTensor, CharTensor, ShortTensor, IntTensor,
    LongTensor, ByteTensor, UInt16Tensor, UInt32Tensor, UInt64Tensor, BoolTensor,
    ComplexFloatTensor, ComplexDoubleTensor,
)  # fmt: skip
ON_GPU = {made.__name__: _named(made.__name__, made.dtype, "cuda") for made in _TYPES}
_NAMES = {made.dtype: made.__name__ for made in _TYPES}
_BY_NAME = {name: dtype for dtype, name in _NAMES.items()}


def type_name(x: Tensor) -> str:
    """Return what `x.type()` calls such tensors."""
    return f"jitnet.{'cuda.' if x.is_cuda else ''}{_NAMES[x._type.dtype]}"


def type_of(given: Any) -> tuple[Any, str | None]:
    """Return dtype and device of FloatTensor and kin, or of their names; else what is given."""
    if isinstance(given, str):
        package, _, name = given.rpartition(".")
        if package.removesuffix(".cuda") not in ("jitnet", "torch") or name not in _BY_NAME:
            raise ValueError(at_line(f"invalid type: {given!r}; use one of {list(_BY_NAME)}"))
        return _BY_NAME[name], "cuda" if package.endswith(".cuda") else "cpu"
    return (given.dtype, given.where) if isinstance(given, _OfType) else (given, None)


def set_default_tensor_type(given: Any) -> None:
    """Make FloatTensor or DoubleTensor (or its name) what new tensors of reals are."""
    name = given if isinstance(given, str) else f"{given.__module__}.{given.__name__}"
    known = {"FloatTensor": float32, "DoubleTensor": float64}
    if name.rpartition(".")[2] not in known or ".cuda." in name:
        raise TypeError(at_line(f"the default is one of {list(known)}, got {name}"))
    making.set_default_dtype(known[name.rpartition(".")[2]])
