"""Nested state as JSON: containers and plain values described, tensors referred to by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType, dtype_named

from . import creation
from .tensor import Tensor

_PLAIN = (bool, int, float, str, type(None))


def pack(obj: Any) -> tuple[Any, dict[str, Tensor]]:
    """Return a JSON-able description of obj and the tensors that it names.

    TypeError names the place of what is neither a container, a tensor nor a plain value.
    """
    packer = _Packer()
    return packer.describe(obj, "", ()), packer.tensors


def unpack(description: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return the object that `pack` described; KeyError or TypeError for a wrong description."""
    if not isinstance(description, dict):
        return description
    ((kind, content),) = description.items()
    return _UNPACK[kind](content, tensors)


class _Packer:
    """Describes objects, and collects their tensors under names that are not yet taken."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[Any, str] = {}  # what memory a tensor shows -> its name

    def describe(self, value: Any, path: str, above: tuple[int, ...]) -> Any:
        """Return the description of one value."""
        if type(value) in _PLAIN:
            return value
        if id(value) in above:
            raise ValueError(f"cannot save {path or 'it'}: it contains itself")
        above = (*above, id(value))
        match value:
            case Tensor():
                return self._tensor(value, path)
            case np.ndarray():
                return {"array": self._tensor(creation.from_numpy(value.copy()), path)}
            case np.generic():
                return self.describe(value.item(), path, above)
            case DType():
                return {"dtype": value.name}
            case bytes():
                return {"bytes": value.hex()}
            case dict():
                return {"dict": self._items(value, path, above)}
            case list() | tuple() | set() | frozenset():
                return self._sequence(value, path, above)
        raise TypeError(_refusal(value, path))

    def _items(self, value: dict[Any, Any], path: str, above: tuple[int, ...]) -> list[Any]:
        for key in value:
            if type(key) not in _PLAIN:
                raise TypeError(
                    f"cannot save {path or 'the dict'}: its keys must be plain values, "
                    f"got a {type(key).__name__}"
                )
        return [
            [key, self.describe(item, f"{path}.{key}" if path else str(key), above)]
            for key, item in value.items()
        ]

    def _sequence(self, value: Any, path: str, above: tuple[int, ...]) -> dict[str, Any]:
        kinds = (list, tuple, set, frozenset)
        kind = next(kind for kind in kinds if isinstance(value, kind))
        if hasattr(value, "_fields"):
            raise TypeError(
                f"cannot save {path or 'it'}: a {type(value).__name__} is a class that a file "
                "cannot name; save it as a dict, by _asdict()"
            )
        return {
            kind.__name__: [
                self.describe(item, f"{path}.{position}" if path else str(position), above)
                for position, item in enumerate(value)
            ]
        }

    def _tensor(self, tensor: Tensor, path: str) -> dict[str, Any]:
        array = tensor._copied()
        pointer = array.__array_interface__["data"][0] if array.size else id(tensor)
        memory = (pointer, array.shape, array.strides, array.dtype)
        name = self._names.get(memory)
        if name is None:
            name = self._free_name(path or "tensor")
            self._names[memory] = name
            self.tensors[name] = tensor
        if tensor.requires_grad and tensor.is_leaf:
            return {"leaf": name}
        return {"tensor": name}

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self.tensors:
            number += 1
            name = f"{wanted}#{number}"
        return name


def _refusal(value: Any, path: str) -> str:
    what = f"{path}: a" if path else "a"
    hint = "save tensors, numbers, strings, and dicts, lists and tuples of them"
    if hasattr(value, "state_dict"):
        hint = "save its state_dict()"
    return f"cannot save {what} {type(value).__name__}; {hint}"


def _unpack_items(content: Any, tensors: Mapping[str, Tensor]) -> dict[Any, Any]:
    return {key: unpack(item, tensors) for key, item in content}


def _unpack_leaf(content: str, tensors: Mapping[str, Tensor]) -> Tensor:
    return tensors[content].requires_grad_()


def _sequence_of(kind: Callable[[Any], Any]) -> Callable[[Any, Mapping[str, Tensor]], Any]:
    return lambda content, tensors: kind([unpack(item, tensors) for item in content])


_UNPACK: dict[str, Callable[[Any, Mapping[str, Tensor]], Any]] = {
    "tensor": lambda content, tensors: tensors[content],
    "leaf": _unpack_leaf,
    "array": lambda content, tensors: unpack(content, tensors).numpy(),
    "dtype": lambda content, tensors: dtype_named(content),
    "bytes": lambda content, tensors: bytes.fromhex(content),
    "dict": _unpack_items,
    "list": _sequence_of(list),
    "tuple": _sequence_of(tuple),
    "set": _sequence_of(set),
    "frozenset": _sequence_of(frozenset),
}
