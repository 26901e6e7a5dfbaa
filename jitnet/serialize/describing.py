"""What the values of a checkpoint are in PyTorch's words, and the storages that they lie in."""

from __future__ import annotations

from argparse import Namespace
from collections import OrderedDict
from typing import Any

import numpy as np

from jitnet.device import Device
from jitnet.nn.module import Module
from jitnet.nn.parameter import Parameter
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor
from jitnet.tensors.memory import address, place_of
from jitnet.tensors.size import Size

from .elements import STORAGE_OF
from .objects import HoldsModuleError
from .pickling import Call, Name, Persistent

_PARAMETER = Name("torch._utils", "_rebuild_parameter")
_TENSOR = Name("torch._utils", "_rebuild_tensor_v2")
_TENSOR_OF_BYTES = Name("torch._utils", "_rebuild_tensor_v3")  # of a dtype without storages
_BYTES = Name("torch.storage", "UntypedStorage")


class Describer:
    """Describes values that are no plain containers; collects storages, each once."""

    def __init__(self) -> None:
        self.storages: list[np.ndarray] = []
        self._numbers: dict[Any, int] = {}  # where memory is -> the number of its storage

    def describe(self, value: Any, path: str) -> Any:
        """Return a Name, a Call or a container; TypeError for what has no such description."""
        match value:
            case Parameter():
                data = self._tensor(value.detach())
                return Call(_PARAMETER, (data, value.requires_grad, OrderedDict()))
            case Tensor():
                return self._tensor(value)
            case np.bool_() | np.number():
                return value.item()
            case np.ndarray() if value.dtype.kind in "biufc":
                return _array(value)
            case DType():
                return Name("torch", value.name)
            case Device():
                rest = () if value.index is None else (value.index,)
                return Call(Name("torch", "device"), (value.type, *rest))
            case bytes():
                return Call(Name("_codecs", "encode"), (value.decode("latin-1"), "latin1"))
            case complex():
                return Call(Name("__builtin__", "complex"), (value.real, value.imag))
            case Size():
                return Call(Name("torch", "Size"), (tuple(value),))
            case set() | frozenset():
                kind = "set" if isinstance(value, set) else "frozenset"
                return Call(Name("__builtin__", kind), (list(value),))
            case Namespace():
                return Call(Name("argparse", "Namespace"), (), dict(vars(value)))
        if isinstance(value, Module):
            raise HoldsModuleError(path)
        raise TypeError(_refusal(value, path))

    def _tensor(self, tensor: Tensor) -> Call:
        """Return the tensor as a view of its storage, which is the memory of its base."""
        memory, (offset, shape, strides) = place_of(tensor)
        layout = (self._storage(memory.array, str(memory.device)), offset, shape, strides)
        rest = (tensor.requires_grad, OrderedDict())
        if STORAGE_OF[tensor.dtype.name] is None:
            return Call(_TENSOR_OF_BYTES, (*layout, *rest, Name("torch", tensor.dtype.name)))
        return Call(_TENSOR, (*layout, *rest))

    def _storage(self, line: np.ndarray, device: str) -> Persistent:
        """Return the name of some memory: one, however many tensors or arrays show it."""
        key = (address(line), len(line), line.dtype) if line.size else id(line)
        number = self._numbers.setdefault(key, len(self.storages))
        if number == len(self.storages):
            self.storages.append(line)
        storage = STORAGE_OF[line.dtype.name]
        kind = _BYTES if storage is None else Name("torch", storage)
        size = line.nbytes if storage is None else len(line)
        return Persistent(("storage", kind, str(number), device, size))


def _array(array: np.ndarray) -> Call:
    """Return a NumPy array as NumPy pickles it."""
    dtype = array.dtype
    order = dtype.str[0]
    kind = Call(
        Name("numpy", "dtype"), (dtype.str[1:], False, True), (3, order, *[None] * 3, -1, -1, 0)
    )
    empty = (Name("numpy", "ndarray"), (0,), b"b")
    state = (1, array.shape, kind, False, array.tobytes())
    return Call(Name("numpy._core.multiarray", "_reconstruct"), empty, state)


def _refusal(value: Any, path: str) -> str:
    what = f"{path}: a" if path else "a"
    if hasattr(value, "_fields"):
        return (
            f"cannot save {what} {type(value).__name__}, a class that a file cannot name; "
            "save it as a dict, by _asdict()"
        )
    hint = "save tensors, numbers, strings, and dicts, lists and tuples of them"
    if hasattr(value, "state_dict"):
        hint = "save its state_dict()"
    return f"cannot save {what} {type(value).__name__}; {hint}"
