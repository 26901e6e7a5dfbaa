"""What a checkpoint's pickle may name: each name with our own function that makes the value.

This is the whole list. A function here checks what it is given, and calls nothing of the file's.
"""

from __future__ import annotations

from argparse import Namespace
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.device import Device
from jitnet.nn.parameter import Parameter
from jitnet.runtime.dtype import DTYPES, DType
from jitnet.tensor import Tensor
from jitnet.tensors.size import Size

from . import arrays
from .elements import BY_STORAGE
from .errors import CheckpointError, shown
from .machine import Maker, Vocabulary, checked_key
from .storages import StorageKind, TypedStorage, tensor_over


def vocabulary(persistent: Callable[[Any], TypedStorage]) -> Vocabulary:
    """Return what a pickle may say whose persistent ids stand for these storages."""
    return Vocabulary(NAMES, persistent, _build, _refuse)


# -- tensors ------------------------------------------------------------------------------------


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
    """Return a tensor that needs no gradient: torch._utils._rebuild_tensor."""
    if type(storage) is not TypedStorage:
        raise CheckpointError(f"a tensor wants a storage, got a {type(storage).__name__}")
    return tensor_over(storage, storage.dtype, offset, tuple(shape), tuple(strides))


def _tensor_v2(
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    requires_grad: Any,
    hooks: Any,
    metadata: Any = None,
) -> Tensor:
    """Return a tensor; its hooks stay behind, as in PyTorch."""
    if metadata:
        raise CheckpointError(f"a tensor has the properties {shown(metadata)}, which jitnet lacks")
    return _leaf(_tensor(storage, offset, shape, strides), requires_grad)


def _tensor_v3(
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Tensor:
    """Return a tensor over a storage without a type."""
    if not isinstance(dtype, DType) or not isinstance(storage, TypedStorage):
        raise CheckpointError(f"a tensor wants a storage and a dtype, got {shown(dtype)}")
    typed = TypedStorage(storage.storage, dtype.name, 0)
    return _tensor_v2(typed, offset, shape, strides, requires_grad, hooks, metadata)


def _leaf(tensor: Tensor, requires_grad: Any) -> Tensor:
    if type(requires_grad) is not bool or (requires_grad and not tensor.dtype.is_inexact):
        raise CheckpointError(f"a {tensor.dtype} tensor has requires_grad {shown(requires_grad)}")
    return tensor.requires_grad_(requires_grad)


def _parameter(data: Any, requires_grad: Any, hooks: Any) -> Parameter:
    if not isinstance(data, Tensor):
        raise CheckpointError(f"a parameter wants a tensor, got a {type(data).__name__}")
    _leaf(data, requires_grad)
    return Parameter(data.detach(), requires_grad)


# -- plain values -------------------------------------------------------------------------------


def _ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict((checked_key(key), value) for key, value in pairs)


def _counter(counts: Any) -> Counter[Any]:
    if type(counts) is not dict:
        raise CheckpointError(f"a Counter wants a dict, got {shown(counts)}")
    return Counter(counts)


def _set(items: Any = ()) -> set[Any]:
    return {checked_key(item) for item in items}


def _frozenset(items: Any = ()) -> frozenset[Any]:
    return frozenset(_set(items))


def _bytes(text: Any = "", encoding: Any = "latin1") -> bytes:
    """Return bytes that were written as text, a character for each."""
    if type(text) is not str or encoding != "latin1":
        raise CheckpointError(f"bytes want text in latin1, got {shown(encoding)}")
    return text.encode("latin-1")


def _bytearray(content: Any = b"", encoding: Any = "latin-1") -> bytearray:
    if type(content) is bytes:
        return bytearray(content)
    return bytearray(_bytes(content, "latin1" if encoding == "latin-1" else encoding))


def _complex(real: Any, imaginary: Any) -> complex:
    return complex(float(real), float(imaginary))


def _size(sizes: Any = ()) -> Size:
    if not all(type(size) is int for size in sizes):
        raise CheckpointError(f"a Size wants whole numbers, got {shown(sizes)}")
    return Size(sizes)


def _device(kind: Any, index: Any = None) -> Device:
    if type(kind) is not str or not (index is None or type(index) is int):
        raise CheckpointError(f"a device wants a text and a number, got {shown((kind, index))}")
    return Device(kind, index)


def _makers(makers: dict[str, Any]) -> dict[str, Maker]:
    return {name: Maker(name, make) for name, make in makers.items()}


NAMES: dict[str, Any] = {
    **_makers(
        {
            "torch._utils._rebuild_tensor": _tensor,
            "torch._utils._rebuild_tensor_v2": _tensor_v2,
            "torch._utils._rebuild_tensor_v3": _tensor_v3,
            "torch._utils._rebuild_parameter": _parameter,
            "torch.Size": _size,
            "torch.device": _device,
            "collections.OrderedDict": _ordered,
            "collections.Counter": _counter,
            "argparse.Namespace": Namespace,
            "builtins.set": _set,
            "builtins.frozenset": _frozenset,
            "builtins.bytes": _bytes,
            "builtins.bytearray": _bytearray,
            "builtins.complex": _complex,
            "_codecs.encode": _bytes,
            **arrays.MAKERS,
        }
    ),
    **{f"torch.{name}": StorageKind(dtype) for name, dtype in BY_STORAGE.items()},
    "torch.storage.UntypedStorage": StorageKind("uint8"),
    **{f"torch.{dtype.name}": dtype for dtype in DTYPES},
}


def _build(held: Any, state: Any) -> None:
    """Give an object its state: only these have one."""
    match held:
        case OrderedDict() if type(state) is dict and set(state) <= {"_metadata"}:
            vars(held).update(state)
        case Namespace() if type(state) is dict and all(type(key) is str for key in state):
            vars(held).update(state)
        case np.ndarray():
            arrays.fill(held, state)
        case np.dtype():
            arrays.order(held, state)
        case _:
            raise CheckpointError(f"the file fills a {type(held).__name__} with {shown(state)}")


def _refuse(name: str) -> CheckpointError:
    """Return the error for a name that is not in the list."""
    if name.startswith(("torch.nn.modules.", "__main__.")):
        return CheckpointError(
            f"the file holds a whole module or another object of the class {name}; such a class "
            "cannot be read from a file: in PyTorch, save its state_dict() instead"
        )
    if name.startswith("torch.") and name.endswith("Storage"):
        return CheckpointError(f"the file holds tensors of {name}, a dtype that jitnet lacks")
    return CheckpointError(
        f"the file names {name}, which is neither a tensor nor a plain value; jitnet runs no code "
        "from files: save tensors, numbers, strings, and dicts, lists and tuples of them"
    )
