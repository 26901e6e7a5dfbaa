"""Watches: what one namespace or container held when code could first read it.

Entries are compared by identity first, which for state that nobody touched costs some 40 ns an
entry, and by value only where an object was replaced.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import is_
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from jitnet.runtime import facts, looks
from jitnet.runtime.instruction import Instruction

from ..tensor import Tensor
from ..tensors.holder import HOLDER
from .assigned import ClosedOver
from .plain import BY_IDENTITY, MISSING, brief, dotted, same, simple_copy


@dataclass(frozen=True)
class Change:
    """One entry that is not what it was."""

    path: str
    key: Any
    before: Any
    after: Any

    def __str__(self) -> str:
        before, after = brief(self.before), brief(self.after)
        return f"{self.path} was {before}, is {'another' if after == before else after}"


class Watch:
    """Entries of one Python object, and what they held.

    Subclasses say how entries are read (`current`), called (`label`) and put back (`restore`).
    """

    def __init__(self, owner: Any, path: str, structural: bool) -> None:
        self.owner = owner
        self.path = path
        self.structural = structural  # its changes move nn.epoch
        self.keys: list[Any] = []
        self.expected: list[Any] = []
        self._copies: list[Any] = []

    def keep(self, keys: Iterable[Any], values: Iterable[Any]) -> None:
        """Remember entries as they are now."""
        for key, value in zip(keys, values, strict=True):
            self.keys.append(key)
            self.expected.append(value)
            self._copies.append(simple_copy(value))

    def forget(self, keys: set[Any]) -> None:
        """Watch these entries no more."""
        kept = [
            (key, value, copy)
            for key, value, copy in zip(self.keys, self.expected, self._copies, strict=True)
            if key not in keys
        ]
        self.keys = [key for key, _, _ in kept]
        self.expected = [value for _, value, _ in kept]
        self._copies = [copy for _, _, copy in kept]

    def current(self) -> Sequence[Any]:
        """Return what the entries hold now, in the order of `keys`."""
        raise NotImplementedError

    def entries(self) -> Any:
        """Return what calls can set the entries of, by their keys; None if they cannot."""
        return None

    def place(self, key: Any) -> tuple[int, Any]:
        """Return what tells an entry from all others."""
        return id(self.entries()), key

    def before(self, key: Any) -> Any:
        """Return what an entry was; MISSING if it did not exist."""
        return dict(zip(self.keys, self.expected, strict=True)).get(key, MISSING)

    def ignore(self, key: Any) -> None:
        """Say no more that an entry appeared."""

    def insist(self, value: Any) -> None:
        """Take no equal object for this one, if an entry holds it."""
        for position, held in enumerate(self.expected):
            if held is value:
                self._copies[position] = BY_IDENTITY

    def looks(self) -> list[Instruction]:
        """Return how native code tells that it holds; if it cannot tell, `holds` has to.

        There are always as many for one watch.
        """
        return [facts.Holds(self.holds)]

    def label(self, key: Any) -> str:
        """Return how a person writes an entry."""
        return dotted(self.path, key)

    def put_back(self, key: Any, value: Any) -> None:
        """Set one entry to what it was."""
        raise NotImplementedError

    def holds(self) -> bool:
        """Whether every entry is what it was."""
        current = self.current()
        expected = self.expected
        if len(current) == len(expected) and all(map(is_, current, expected)):
            return True
        return next(self.changes(), None) is None

    def changes(self) -> Any:
        """Yield a Change for every entry that is not what it was."""
        current = self.current()
        for position, (key, before, after) in enumerate(
            zip(self.keys, self.expected, current, strict=False)
        ):
            if before is after:
                continue
            copy = self._copies[position]
            if copy is not BY_IDENTITY and same(copy, after):
                if not isinstance(after, (list, dict, set)):
                    self.expected[position] = after  # next time they are identical
                continue
            yield Change(self.label(key), key, before, after)

    def restore(self) -> None:
        """Put every entry back as it was."""
        for key, before, after in zip(self.keys, self.expected, self.current(), strict=False):
            if before is not after:
                self.put_back(key, before)


class Every(Mapping[str, str]):
    """Every name: what code may use that computes the names of attributes."""

    def __getitem__(self, name: str) -> str:
        return ""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        raise TypeError("there is no end of names")

    def __len__(self) -> int:
        return 1 << 60


class Names(Watch):
    """Some entries of a namespace: a module's globals, an instance's or a class's attributes.

    interesting: the names that code uses; one that appears later is a change too.
    """

    def __init__(
        self,
        owner: Any,
        mapping: Mapping[str, Any],
        path: str,
        structural: bool,
        interesting: Mapping[str, str],
        are_globals: bool = False,
    ) -> None:
        super().__init__(owner, path, structural)
        self.are_globals = are_globals
        self.of_instance = False
        self.mapping = mapping
        self.interesting = interesting
        self._size = len(mapping)
        self._known: set[str] = set()
        self._at_first = mapping if are_globals else frozenset(mapping)

    def entries(self) -> Any:
        return self.mapping if isinstance(self.mapping, dict) else None

    def ignore(self, key: str) -> None:
        self._known.add(key)

    def extend(self) -> list[tuple[str, Any]]:
        """Watch the interesting names that existed and were not watched; return those entries."""
        if len(self.interesting) < len(self.mapping):
            new = [name for name in self.interesting if name in self.mapping]
        else:
            new = [name for name in self.mapping if name in self.interesting]
        new = [name for name in new if name not in self._known and name in self._at_first]
        self._known.update(new)
        values = [self.mapping[name] for name in new]
        self.keep(new, values)
        return list(zip(new, values, strict=True))

    def current(self) -> Sequence[Any]:
        get = self.mapping.get
        return [get(key, MISSING) for key in self.keys]

    def holds(self) -> bool:
        if len(self.mapping) != self._size:
            if next(self._appeared(), None) is not None:
                return False
            self._size = len(self.mapping)
        return super().holds()

    def looks(self) -> list[Instruction]:
        mapping = _dict_of(self.mapping)
        if mapping is None:
            return super().looks()
        return entries_of(mapping, self._size, self.keys, self.expected)

    def changes(self) -> Any:
        yield from super().changes()
        yield from self._appeared()

    def _appeared(self) -> Any:
        """Yield a Change for every interesting name that did not exist."""
        for name in list(self.mapping):
            is_new = name in self.interesting and name not in self._known
            if is_new and not self._is_submodule(name):
                yield Change(self.label(name), name, MISSING, self.mapping[name])

    def _is_submodule(self, name: str) -> bool:
        """Tell whether an entry is what importing a module leaves in its package."""
        value = self.mapping[name]
        if not isinstance(value, ModuleType):
            return False
        return sys.modules.get(f"{self.mapping.get('__name__')}.{name}") is value

    def label(self, key: Any) -> str:
        return f"global {key}" if self.are_globals else dotted(self.path, key)

    def put_back(self, key: Any, value: Any) -> None:
        if isinstance(self.mapping, dict):
            if value is MISSING:
                del self.mapping[key]
            else:
                self.mapping[key] = value
        elif isinstance(self.owner, type):
            delattr(self.owner, key) if value is MISSING else setattr(self.owner, key, value)
        elif value is MISSING:
            object.__delattr__(self.owner, key)
        else:
            object.__setattr__(self.owner, key, value)

    def restore(self) -> None:
        super().restore()
        for change in list(self._appeared()):
            self.put_back(change.key, MISSING)


def _dict_of(mapping: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the dict that holds a namespace's entries; None if there is none."""
    if isinstance(mapping, MappingProxyType):  # a class's; what it shows is the only thing it holds
        (mapping,) = gc.get_referents(mapping)
    return mapping if isinstance(mapping, dict) else None


def entries_of(
    mapping: dict[Any, Any], size: int, keys: list[Any], expected: list[Any]
) -> list[Instruction]:
    """Return the looks at a dict that has this size and these entries."""
    found: list[Instruction] = [facts.Size(mapping, size)]
    for key, value in zip(keys, expected, strict=True):
        found.append(facts.Entry(mapping, key, value))
    return found


class Cells(Watch):
    """What a function closes over."""

    def __init__(self, owner: FunctionType, path: str) -> None:
        super().__init__(owner, path, False)
        cells = zip(owner.__code__.co_freevars, owner.__closure__ or (), strict=True)
        self._cells = {name: cell for name, cell in cells if name != "__class__"}
        self._closed_over = ClosedOver(self._cells)
        self.keep(self._cells, self.current_of(self._cells))

    def entries(self) -> Any:
        return self._closed_over

    def place(self, key: str) -> tuple[int, Any]:
        return id(self._cells[key]), key

    def current_of(self, names: Iterable[str]) -> list[Any]:
        """Return the contents of the cells with these names."""
        return [_contents(self._cells[name]) for name in names]

    def current(self) -> Sequence[Any]:
        return self.current_of(self.keys)

    def looks(self) -> list[Instruction]:
        pairs = zip(self.keys, self.expected, strict=True)
        return [facts.Contents(self._cells[key], value) for key, value in pairs]

    def label(self, key: Any) -> str:
        return f"{key} (closed over by {self.path})"

    def put_back(self, key: Any, value: Any) -> None:
        if value is MISSING:
            del self._cells[key].cell_contents
        else:
            self._cells[key].cell_contents = value


def _contents(cell: Any) -> Any:
    """Return what a cell holds; MISSING for an empty one."""
    try:
        return cell.cell_contents
    except ValueError:  # the variable was never assigned, or was deleted
        return MISSING


class Definition(Watch):
    """What a function is: a notebook that reloads modules changes functions in place."""

    def __init__(self, owner: FunctionType, path: str) -> None:
        super().__init__(owner, path, False)
        self.keep(("__code__", "__defaults__", "__kwdefaults__"), self.current())

    def current(self) -> Sequence[Any]:
        function = self.owner
        return (function.__code__, function.__defaults__, function.__kwdefaults__)

    def looks(self) -> list[Instruction]:
        parts = zip(self.keys, self.current(), strict=True)
        return [facts.Part.of(self.owner, name, value) for name, value in parts]

    def put_back(self, key: Any, value: Any) -> None:
        setattr(self.owner, key, value)


class Computed(Watch):
    """One value that is computed from Python's state, such as whether an option is zero."""

    def __init__(self, read: Callable[[], Any], path: str, structural: bool) -> None:
        super().__init__(read, path, structural)
        self.keep([None], [read()])

    def current(self) -> Sequence[Any]:
        return [self.owner()]

    def label(self, key: Any) -> str:
        return self.path

    def restore(self) -> None:
        """Do nothing: what it is computed from is watched by itself."""


_OF_TENSORS = ("memory", "requires_grad", "grad_fn", "hooks")


class Tensors(Watch):
    """Tensors that a variant holds: where their memory is, and what becomes of gradients.

    What changes these moves `capture.structure`.
    """

    def __init__(self, owner: Sequence[Tensor], names: Sequence[str]) -> None:
        super().__init__(owner, "", True)
        self._names = names
        self.keep(range(len(_OF_TENSORS) * len(owner)), self.current())

    def current(self) -> Sequence[Any]:
        return [
            value
            for tensor in self.owner
            for value in (tensor._array, tensor.requires_grad, tensor.grad_fn, tensor._hooks)
        ]

    def label(self, key: Any) -> str:
        number, what = divmod(key, len(_OF_TENSORS))
        return f"{self._names[number]}'s {_OF_TENSORS[what]}"

    def looks(self) -> list[Instruction]:
        found: list[Instruction] = []
        for number, tensor in enumerate(self.owner):
            array, wants_gradient, history, hooks = self.expected[4 * number : 4 * number + 4]
            found += [
                looks.Object(tensor),
                looks.Settled(HOLDER),
                looks.Keeps(HOLDER.place("array"), array),
                looks.Keeps(HOLDER.place("wants_gradient"), wants_gradient),
                looks.Keeps(HOLDER.place("history"), history),
                looks.Keeps(HOLDER.place("hooks"), hooks),
            ]
        return found

    def restore(self) -> None:
        """Do nothing: the trace journals its tensors."""
