"""What a compiled function sets: attributes, globals, closed-over names, entries of containers.

A call sets them as the function does, to tensors, plain values, objects that existed before, and
lists, tuples and dicts of these. Of what such an entry was before, the kind is guarded; a tensor
that the function computes with, such as a hidden state, is found by the entry at each call.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jitnet.runtime.dtype import DType

from ..device import Device
from ..tensor import Tensor, base_of, strides_of
from ..tensors.size import Size
from .plain import MISSING, is_plain
from .signature import tensor_key

_VALUES = (DType, Device, Size, range, slice, type)  # never change


def is_value(value: Any) -> bool:
    """Whether a value is no tensor, and the same for every call: nobody can change it."""
    return isinstance(value, _VALUES) or (is_plain(value) and not isinstance(value, set))


def entry(entries: Any, key: Any) -> Any:
    """Return what a dict, a list or the like holds under a key; MISSING if nothing."""
    if isinstance(entries, dict):  # a defaultdict's own [] would make it
        return dict.get(entries, key, MISSING)
    try:
        return entries[key]
    except (IndexError, KeyError):
        return MISSING


def set_entry(entries: Any, key: Any, value: Any) -> None:
    """Set an entry; MISSING takes it away."""
    if value is not MISSING:
        entries[key] = value
    elif entry(entries, key) is not MISSING:
        del entries[key]


def parts_of(value: Any) -> Iterable[tuple[Any, Any]]:
    """Yield the (key, part) pairs of a tuple, list or dict; nothing of other values."""
    if type(value) in (tuple, list):
        return enumerate(value)
    return value.items() if isinstance(value, dict) else ()


def tensors_in(value: Any) -> dict[tuple[Any, ...], Tensor]:
    """Return the tensors of a nested value by their keys, from the outermost container's on."""
    if isinstance(value, Tensor):
        return {(): value}
    return {
        (key, *place): tensor
        for key, part in parts_of(value)
        for place, tensor in tensors_in(part).items()
    }


def containers_in(value: Any) -> list[Any]:
    """Return the lists and dicts that a nested value is made of."""
    own = [value] if isinstance(value, (list, dict)) else []
    return own + [inner for _, part in parts_of(value) for inner in containers_in(part)]


def kind_of(value: Any) -> str:
    """Return what code can tell of a value without computing with its tensors."""
    if type(value) is tuple:
        return f"({', '.join(map(kind_of, value))})"
    if isinstance(value, (list, dict)):
        inside = [f"{key!r}: {kind_of(part)}" for key, part in parts_of(value)]
        return f"{type(value).__name__}[{', '.join(inside)}]"
    if isinstance(value, Tensor):
        return _kind_of_tensor(value)
    if value is MISSING:
        return "missing"
    return repr(value) if is_plain(value) else f"{type(value).__name__} {id(value)}"


def _kind_of_tensor(value: Tensor) -> str:
    key = tensor_key(value)
    facts = f"strides {key.strides}, requires_grad {key.requires_grad}, leaf {key.leaf}"
    if value._base is not None:
        base = base_of(value)
        facts += f", of {base._type} {strides_of(base)} by {value._view}"
    return f"{key.kind.__name__} {value._type}, {facts}"


@dataclass(frozen=True, eq=False)
class Setting:
    """An entry that a function sets: where it is, what it was and what it becomes."""

    watch: Any
    entries: Any
    key: Any
    path: str
    before: Any
    after: Any


class WholeList:
    """A list as an entry of its own: setting it replaces the contents."""

    def __init__(self, owner: list[Any]) -> None:
        self.owner = owner

    def __getitem__(self, key: Any) -> list[Any]:
        return self.owner

    def __setitem__(self, key: Any, value: list[Any]) -> None:
        self.owner[:] = value


class ListInside:
    """All that is in a list that an entry holds, as an entry: setting it replaces that."""

    def __init__(self, entries: Any, key: Any) -> None:
        self.entries = entries
        self.key = key

    def __setitem__(self, key: Any, value: list[Any]) -> None:
        self.entries[self.key][:] = value


class ListEnd:
    """The end of a list that an entry holds, as an entry: setting it appends."""

    def __init__(self, entries: Any, key: Any) -> None:
        self.entries = entries
        self.key = key

    def __setitem__(self, key: Any, value: list[Any]) -> None:
        self.entries[self.key].extend(value)


class ClosedOver:
    """Closed-over names as entries."""

    def __init__(self, cells: dict[str, Any]) -> None:
        self.cells = cells

    def __getitem__(self, key: str) -> Any:
        try:
            return self.cells[key].cell_contents
        except ValueError:  # the variable was never assigned, or was deleted
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.cells[key].cell_contents = value

    def __delitem__(self, key: str) -> None:
        del self.cells[key].cell_contents
