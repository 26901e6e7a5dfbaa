"""Finds the Python objects that code can read, and sets a watch on each.

An object is reached from a function, its globals and what it closes over, through the names that
the code uses; what no code names is not looked at.
"""

from __future__ import annotations

import enum
import functools
import sys
from collections import deque
from collections.abc import Iterable
from itertools import islice
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np

from ..nn import Module, epoch
from ..nn.tables import Table as BumpingTable
from ..optim import Optimizer
from ..optim.groups import ParamGroup
from ..tensor import Tensor, base_of
from ..tree import CONTAINERS
from .container_watches import Contents, Elements, Items, Members, Table
from .draws import Draws
from .following import Following
from .origins import is_users
from .plain import dotted
from .slots import Slots
from .watches import Cells, Computed, Definition, Every, Names, Watch

LEAF_TYPES = (
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(None),
    enum.Enum,
    Tensor,
    np.ndarray,
    np.generic,
    BuiltinFunctionType,
    CodeType,
)
MOST_ELEMENTS = 4_096  # of a NumPy array; the elements of a larger one are not watched
MOST_ITEMS = 10_000  # a longer container is watched by the names of its keys only


class Reach:
    """The objects that were reached so far, and the watches on them."""

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.namespaces: list[Names] = []
        self._having: dict[str, list[int]] = {}  # name -> the namespaces that had it
        self.attributes: dict[str, str] = {}  # names that code uses, with the first line
        self.any_attribute = False  # whether code ran that computes the names of attributes
        self.tensors: dict[int, Tensor] = {}
        self.optimizers: list[Optimizer] = []
        self.rates: list[tuple[ParamGroup, Watch]] = []
        self.draws = Draws()
        self.made: dict[int, Any] = {}  # objects made while tracing: they are not state
        self._seen: dict[int, Any] = {}  # by id; the object is kept, so that the id stays its own
        self._paths: dict[int, str] = {}
        self._tensor_names: dict[int, str] = {}  # by id of a base
        self._named_state: dict[int, int] = {}  # by id of an optimizer: so many of its entries
        self._named_in_epoch = -1
        self._waiting: list[tuple[Any, str]] = []
        self.followed = Following()

    def knows(self, value: Any) -> bool:
        """Whether an object was reached, so existed before the trace."""
        return id(value) in self._seen and id(value) not in self.made

    def reach(self, value: Any, path: str) -> None:
        """Watch an object that existed before the trace, and all that is reached from it."""
        self._waiting.append((value, path))
        self.work()

    def work(self) -> None:
        """Open every object that waits."""
        while self._waiting:
            value, path = self._waiting.pop()
            if type(value) in CONTAINERS:
                keys, inside, _ = CONTAINERS[type(value)].open(value)
                self._waiting += [(part, f"{path}.{key}") for key, part in zip(keys, inside)]  # noqa: B905
                continue
            if isinstance(value, Tensor):
                self._keep_name(value, path)
            if isinstance(value, np.ndarray) and id(value) not in self._seen:
                self._open_array(value, path)
            if isinstance(value, LEAF_TYPES) or id(value) in self._seen:
                continue
            if id(value) in self.made:
                continue
            self._seen[id(value)] = value
            self._paths[id(value)] = path
            self._open(value, path)

    def look_for(self, attributes: Iterable[str]) -> None:
        """Watch these names, which code turned out to use, in every namespace that had them."""
        having = {number for name in attributes for number in self._having.get(name, ())}
        for number in sorted(having):
            namespace = self.namespaces[number]
            self.wait_for(namespace, namespace.extend())

    def wait_for(self, watch: Watch, entries: list[tuple[Any, Any]]) -> None:
        """Let the values of a watch's new entries wait to be opened."""
        self.followed.stand_in(watch, entries)
        for key, value in entries:
            self._waiting.append((value, watch.label(key).removeprefix("global ")))

    def _keep_name(self, tensor: Tensor, path: str) -> None:
        base = base_of(tensor)
        self._seen[id(base)] = base
        self._tensor_names.setdefault(id(base), path)
        if id(tensor) not in self.tensors and tensor._hooks is not None:
            self._add(Items(tensor._hooks, f"{path}'s hooks", False))
        attributes = _attributes(tensor)  # of a parameter
        if attributes is not None and id(tensor) not in self.tensors:
            self._add_names(tensor, attributes, path, False, of_instance=True)
        self.tensors[id(tensor)] = tensor

    def name_of(self, tensor: Tensor) -> str:
        """Return how a person writes a tensor that the function reached; "" if unknown."""
        base = base_of(tensor)
        if id(base) not in self._tensor_names:
            self._name_new_state()
        if id(base) not in self._tensor_names and self._named_in_epoch != epoch.current:
            self._named_in_epoch = epoch.current
            self._named_state.clear()
            self._name_new_state()
        return self._tensor_names.get(id(base), "")

    def _name_new_state(self) -> None:
        """Name what optimizers hold for the parameters that were last or not yet looked at."""
        for optimizer in self.optimizers:
            known = self._named_state.get(id(optimizer), 0)
            for param, entry in islice(optimizer.state.items(), max(known - 1, 0), None):
                owner = self._name_if_known(param)
                for key, value in entry.items():
                    if isinstance(value, Tensor):
                        self._keep_name(value, f"{owner}.{key}")
            self._named_state[id(optimizer)] = len(optimizer.state)

    def _name_if_known(self, tensor: Tensor) -> str:
        base = base_of(tensor)
        return self._tensor_names.get(id(base), "parameter")

    def path_of(self, value: Any) -> str:
        """Return how a person writes an object that was reached; "" if it was not."""
        return self._paths.get(id(value), "")

    def _open(self, value: Any, path: str) -> None:
        """Watch one object and queue what it holds."""
        match value:
            case FunctionType():
                self._open_function(value, path)
            case MethodType():
                self._waiting += [(value.__func__, path), (value.__self__, "self")]
            case functools.partial():
                parts = (value.func, *value.args, *value.keywords.values())
                self._waiting += [(part, path) for part in parts]
            case property():
                self._waiting += [(part, path) for part in (value.fget,) if part is not None]
            case classmethod() | staticmethod():
                self._waiting.append((value.__func__, path))
            case ModuleType():
                if is_users(getattr(value, "__file__", None) or "<frozen"):
                    self._add_names(value, vars(value), path, False)
            case type():
                self._open_class(value, path)
            case tuple() | frozenset():
                self._waiting += [(item, f"{path}[{i}]") for i, item in enumerate(value)]
            case list() | deque():
                self._open_list(value, path)
            case dict():
                self._open_dict(value, path)
            case set():
                if len(value) <= MOST_ITEMS:
                    self._add(Members(value, path))
                    self._waiting += [(item, path) for item in value]
            case _ if Draws.is_generator(value):
                self.draws.note(value, path)
            case Optimizer():
                self._open_optimizer(value, path)
            case _:
                self._open_instance(value, path)
                return
        if isinstance(value, (list, dict, set, deque)) and _attributes(value) is not None:
            self._open_instance(value, path)  # a subclass may have attributes too

    def _add(self, watch: Watch) -> None:
        self.watches.append(watch)
        self.followed.stand_in(watch, zip(watch.keys, watch.expected, strict=True))

    def _add_names(
        self, owner: Any, mapping: Any, path: str, structural: bool, of_instance: bool = False
    ) -> None:
        # The code of Python's own containers (UserDict, ChainMap) is not followed.
        is_container = of_instance and type(owner).__module__ == "collections"
        computes = of_instance and self.any_attribute
        interesting = Every() if computes or is_container else self.attributes
        names = Names(owner, mapping, path, structural, interesting)
        names.of_instance = of_instance
        for name in mapping:
            self._having.setdefault(name, []).append(len(self.namespaces))
        self.namespaces.append(names)
        self._add(names)
        self.wait_for(names, names.extend())

    def _open_function(self, function: FunctionType, path: str) -> None:
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self._waiting.append((wrapped, path))
        if is_users(function.__code__.co_filename):
            self._add(Definition(function, path))
        for part in (function.__defaults__, function.__kwdefaults__):
            if part:
                self._waiting.append((part, f"{path}.__defaults__"))
        if function.__closure__:
            cells = Cells(function, path)
            self._add(cells)
            for key, value in zip(cells.keys, cells.expected, strict=True):
                self._waiting.append((value, key))

    def _open_class(self, cls: type, path: str) -> None:
        for base in cls.__mro__:
            module = sys.modules.get(base.__module__)
            file = getattr(module, "__file__", None) or "<frozen"
            if base is not cls and id(base) in self._seen:
                continue
            if base.__module__ != "__main__" and not is_users(file):
                continue
            self._seen[id(base)] = base
            mapping: MappingProxyType[str, Any] = vars(base)
            self._add_names(base, mapping, base.__name__, False)

    def _open_list(self, value: list[Any] | deque[Any], path: str) -> None:
        if len(value) <= MOST_ITEMS:
            elements = Elements(value, path)
            self._add(elements)
            self._waiting += [(item, f"{path}[{i}]") for i, item in enumerate(elements.expected)]

    def _open_array(self, value: np.ndarray[Any, Any], path: str) -> None:
        self._seen[id(value)] = value
        if value.size <= MOST_ELEMENTS and not value.dtype.hasobject:
            self._add(Contents(value, path))

    def _open_dict(self, value: dict[Any, Any], path: str) -> None:
        structural = isinstance(value, BumpingTable)
        if len(value) > MOST_ITEMS:
            self._add_names(value, value, path, structural)
            return
        if isinstance(value, ParamGroup):
            self.rates.append((value, Computed(lambda: value.get("lr"), f"{path}['lr']", False)))
        items = Items(value, path, structural)
        self._add(items)
        for key, item in zip(items.keys, items.expected, strict=True):
            self._waiting.append((item, items.label(key)))
            if not isinstance(key, LEAF_TYPES):
                self._waiting.append((key, f"a key of {path}"))

    def _open_instance(self, value: Any, path: str) -> None:
        cls = type(value)
        is_module = isinstance(value, Module)
        attributes = _attributes(value)
        wrapped = None if attributes is None else attributes.get("__wrapped__")
        if wrapped is not None:
            self._waiting.append((wrapped, path))
        library = cls.__module__.partition(".")[0]
        if library in ("numpy", "builtins") or isinstance(value, BumpingTable):
            return
        if library == "jitnet" and not cls.__module__.startswith(("jitnet.nn", "jitnet.optim")):
            return
        self._waiting.append((cls, cls.__name__))
        if attributes is not None:
            self._add_names(value, attributes, path, is_module, of_instance=True)
        if is_module:
            for table in ("_parameters", "_buffers", "_modules"):
                self._open_table(value, table, path)
            return
        slots = Slots(value)
        if len(slots):
            self._add_names(value, slots, path, False, of_instance=True)

    def _open_table(self, module: Module, name: str, path: str) -> None:
        """Watch a module's parameters, buffers or submodules; their paths read as attributes."""
        table = module.__dict__.get(name)
        if table is None or id(table) in self._seen:
            return
        self._seen[id(table)] = table
        watch = Table(table, path, isinstance(table, BumpingTable))
        self._add(watch)
        entries = zip(watch.keys, watch.expected, strict=True)
        self._waiting += [(item, dotted(path, key)) for key, item in entries]

    def _open_optimizer(self, optimizer: Optimizer, path: str) -> None:
        self.optimizers.append(optimizer)
        self._add_names(optimizer, optimizer.__dict__, path, False)
        self._waiting.append((type(optimizer), type(optimizer).__name__))


def _attributes(value: Any) -> dict[str, Any] | None:
    """Return an instance's own attributes; None without asking a __getattr__ that makes any up."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return found if isinstance(found, dict) else None
