"""Follows a function while it is traced, and notes all Python state that its code could read.

Every Python frame that is entered names what its code reads (reads.py). From the function, its
globals and what it closes over, every object that can be reached through those names is watched
from before the frame runs: module attributes, settings, containers, functions, classes.
"""

from __future__ import annotations

import enum
import functools
import random
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType

from .device import Device
from .errors import CompileError, at_line
from .frames import is_ours
from .guards import (
    Cells,
    Change,
    Computed,
    Contents,
    Elements,
    Every,
    Guards,
    Items,
    Members,
    Names,
    Slots,
    Table,
    Watch,
    brief,
    dotted,
    is_plain,
)
from .nn import Module
from .nn.tables import Table as BumpingTable
from .optim import Optimizer
from .optim.groups import ParamGroup
from .reads import Reads, reads_of
from .tensor import Tensor

_HERE = Path(__file__).resolve().parent
_LIBRARY = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib"))
_SITE = tuple(str(Path(sysconfig.get_path(name)).resolve()) for name in ("purelib", "platlib"))
_USER_LIKE = tuple(str(_HERE / name) for name in ("nn", "optim"))
_LEAF_TYPES = (
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
_DRAWS = (random.Random, np.random.Generator, np.random.RandomState)
_CONSTANT_TYPES = (FunctionType, MethodType, ModuleType, type, Module, DType, Device, range, slice)
MOST_ELEMENTS = 4_096  # of a NumPy array; the elements of a larger one are not watched
MOST_ITEMS = 10_000  # a longer container is watched by the names of its keys only


@functools.lru_cache(maxsize=None)
def is_followed(filename: str) -> bool:
    """Whether code of this file is watched: the user's, nn's and optim's, not Python's or ours."""
    path = str(Path(filename).resolve()) if not filename.startswith("<") else filename
    if path.startswith("<frozen") or path == "<__array_function__ internals>":
        return False
    if path.startswith(_USER_LIKE):
        return True
    if is_ours(filename) and filename != "<string>":
        return False
    if path.startswith(_SITE):
        return not path.startswith(tuple(f"{folder}/numpy" for folder in _SITE))
    return not path.startswith(_LIBRARY)


@functools.lru_cache(maxsize=None)
def is_users(filename: str) -> bool:
    """Whether a file is the user's own: no library's."""
    path = str(Path(filename).resolve()) if not filename.startswith("<") else filename
    if path.startswith((*_LIBRARY, *_SITE, "<frozen")):
        return False
    return not is_ours(filename) and not path.startswith(_USER_LIKE)


class Watcher:
    """The Python state that one trace can read, as it was before the trace could change it."""

    def __init__(self) -> None:
        self._codes: set[CodeType] = set()
        self._globals: dict[int, tuple[Names, dict[str, str]]] = {}
        self._loaded: dict[str, str] = {}  # attribute name -> the line that reads it
        self._stored: dict[str, str] = {}  # name -> the line that assigns it
        self._attributes: dict[str, str] = {}  # both
        self._namespaces: list[Names] = []
        self._any_attribute = False  # whether code ran that computes the names of attributes
        self._watches: list[Watch] = []
        self._seen: dict[int, Any] = {}  # by id; the object is kept, so that the id stays its own
        self._fresh: dict[int, Any] = {}  # objects made while tracing
        self._waiting: list[tuple[Any, str]] = []
        self._released: dict[int, set[Any]] = {}
        self._paths: dict[int, str] = {}  # by id of an object that was reached
        self._tensor_names: dict[int, str] = {}  # by id of a base
        self.tensors: dict[int, Tensor] = {}  # that were reached
        self._optimizers: list[Optimizer] = []
        self._switches: dict[tuple[int, str], Watch] = {}
        self._rates: list[tuple[ParamGroup, Watch]] = []

    def begin(self, function: Any, objects: Iterable[Any]) -> None:
        """Reach the function itself and what it is given."""
        is_module = isinstance(function, Module)
        name = "" if is_module else getattr(function, "__name__", type(function).__name__)
        self.reach(function, name)
        for value in objects:
            self.reach(value, type(value).__name__)

    # Following frames

    @contextmanager
    def following(self) -> Iterator[None]:
        """Watch every Python frame that this thread enters inside the block."""
        before = sys.getprofile()
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            if before is not None:
                _resume(before)

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            self.enter(frame)
        elif event == "c_call" and isinstance(getattr(arg, "__self__", None), _DRAWS):
            name = type(arg.__self__).__name__
            raise CompileError(
                at_line(
                    f"{name}.{arg.__name__}() would give one and the same number in every call; "
                    "draw with jitnet (jitnet.rand), or outside and pass it"
                )
            )

    def enter(self, frame: FrameType) -> None:
        """Note what a frame that is about to run can read."""
        code = frame.f_code
        if not is_followed(code.co_filename):
            return
        owner = self._owner(frame)
        if owner is not None:
            if code.co_name in ("__init__", "__new__", "__setstate__"):
                self._fresh[id(owner)] = owner
            elif isinstance(owner, (Module, Optimizer)):
                self.reach(owner, type(owner).__name__)
        if code in self._codes:
            return
        self._codes.add(code)
        self.learn(reads_of(code), frame.f_globals, is_users(code.co_filename))

    def _owner(self, frame: FrameType) -> Any:
        """Return the `self` of a method's frame."""
        code = frame.f_code
        if code.co_argcount and code.co_varnames[0] == "self":
            return frame.f_locals.get("self")
        return None

    def learn(self, reads: Reads, globals_: dict[str, Any], has_settings: bool) -> None:
        """Watch all that code with these names can read; its globals too, if they are settings."""
        for name, line in reads.stored.items():
            self._stored.setdefault(name, line)
        if has_settings:
            names, interesting = self._names_of_globals(globals_)
            for name, line in (*reads.globals.items(), *reads.stored.items()):
                interesting.setdefault(name, line)
            self._wait_for(names, names.extend())
            for module_name in reads.modules:
                if module_name in sys.modules:
                    self.reach(sys.modules[module_name], module_name)
        for name, line in reads.attributes.items():
            self._loaded.setdefault(name, line)
        known = len(self._attributes)
        for found in (reads.attributes, reads.stored):
            for name, line in found.items():
                self._attributes.setdefault(name, line)
        if reads.any_attribute and not self._any_attribute:
            self._any_attribute = True
            for namespace in self._namespaces:
                if namespace.of_instance:
                    namespace.interesting = Every()
        if len(self._attributes) != known or reads.any_attribute:
            for namespace in list(self._namespaces):
                self._wait_for(namespace, namespace.extend())
        self._work()

    def _names_of_globals(self, globals_: dict[str, Any]) -> tuple[Names, dict[str, str]]:
        if id(globals_) not in self._globals:
            interesting: dict[str, str] = {}
            names = Names(globals_, globals_, "", False, interesting, are_globals=True)
            self._watches.append(names)
            self._globals[id(globals_)] = names, interesting
        return self._globals[id(globals_)]

    # Reaching objects

    def reach(self, value: Any, path: str) -> None:
        """Watch an object that existed before the trace, and all that is reached from it."""
        self._waiting.append((value, path))
        self._work()

    def _work(self) -> None:
        while self._waiting:
            value, path = self._waiting.pop()
            if isinstance(value, Tensor):
                self._keep_name(value, path)
            if isinstance(value, np.ndarray) and id(value) not in self._seen:
                self._open_array(value, path)
            if isinstance(value, _LEAF_TYPES) or id(value) in self._seen:
                continue
            if id(value) in self._fresh:
                continue
            self._seen[id(value)] = value
            self._paths[id(value)] = path
            self._open(value, path)

    def _wait_for(self, watch: Watch, entries: list[tuple[Any, Any]]) -> None:
        for key, value in entries:
            self._waiting.append((value, watch.label(key).removeprefix("global ")))

    def _keep_name(self, tensor: Tensor, path: str) -> None:
        base = tensor if tensor._base is None else tensor._base
        self._seen[id(base)] = base
        self._tensor_names.setdefault(id(base), path)
        self.tensors[id(tensor)] = tensor

    def name_of(self, tensor: Tensor) -> str:
        """Return how a person writes a tensor that the function reached; "" if unknown."""
        base = tensor if tensor._base is None else tensor._base
        if id(base) not in self._tensor_names:
            self._name_optimizer_state()
        return self._tensor_names.get(id(base), "")

    def _name_optimizer_state(self) -> None:
        for optimizer in self._optimizers:
            for param, entry in optimizer.state.items():
                owner = self._name_if_known(param)
                for key, value in entry.items():
                    if isinstance(value, Tensor):
                        self._keep_name(value, f"{owner}.{key}")

    def _name_if_known(self, tensor: Tensor) -> str:
        base = tensor if tensor._base is None else tensor._base
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
                self._waiting += [(value.__func__, path), (value.__self__, f"{path}.__self__")]
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
            case list():
                self._open_list(value, path)
            case dict():
                self._open_dict(value, path)
            case set():
                if len(value) <= MOST_ITEMS:
                    self._add(Members(value, path))
                    self._waiting += [(item, path) for item in value]
            case Optimizer():
                self._open_optimizer(value, path)
            case _:
                self._open_instance(value, path)

    def _add(self, watch: Watch) -> None:
        self._watches.append(watch)

    def _add_names(
        self, owner: Any, mapping: Any, path: str, structural: bool, of_instance: bool = False
    ) -> None:
        interesting = Every() if of_instance and self._any_attribute else self._attributes
        names = Names(owner, mapping, path, structural, interesting)
        names.of_instance = of_instance
        self._namespaces.append(names)
        self._add(names)
        self._wait_for(names, names.extend())

    def _open_function(self, function: FunctionType, path: str) -> None:
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self._waiting.append((wrapped, path))
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

    def _open_list(self, value: list[Any], path: str) -> None:
        if len(value) <= MOST_ITEMS:
            self._add(Elements(value, path))
            self._waiting += [(item, f"{path}[{i}]") for i, item in enumerate(value)]

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
            self._rates.append((value, Computed(lambda: value.get("lr"), f"{path}['lr']", False)))
        items = Items(value, path, structural)
        self._add(items)
        for key, item in list(value.items()):
            self._waiting.append((item, items.label(key)))
            if not isinstance(key, _LEAF_TYPES):
                self._waiting.append((key, f"a key of {path}"))

    def _open_instance(self, value: Any, path: str) -> None:
        cls = type(value)
        is_module = isinstance(value, Module)
        wrapped = vars(value).get("__wrapped__") if hasattr(value, "__dict__") else None
        if wrapped is not None:
            self._waiting.append((wrapped, path))
        library = cls.__module__.partition(".")[0]
        if library in ("numpy", "builtins"):
            return
        if library == "jitnet" and not cls.__module__.startswith(("jitnet.nn", "jitnet.optim")):
            return
        self._waiting.append((cls, cls.__name__))
        if hasattr(value, "__dict__"):
            self._add_names(value, value.__dict__, path, is_module, of_instance=True)
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
        self._add(Table(table, path, isinstance(table, BumpingTable)))
        self._waiting += [(item, dotted(path, key)) for key, item in table.items()]

    def _open_optimizer(self, optimizer: Optimizer, path: str) -> None:
        self._optimizers.append(optimizer)
        self._add_names(optimizer, optimizer.__dict__, path, False)
        self._waiting.append((type(optimizer), type(optimizer).__name__))

    # After the trace

    def release(self, mapping: Any, key: Any) -> None:
        """Guard this entry no more: it is read at each call."""
        self._released.setdefault(id(mapping), set()).add(key)

    def watch_switch(self, group: Any, key: str) -> None:
        """Guard whether an optimizer's option is zero."""
        place = (id(group), key)
        if place not in self._switches:
            path = f"{self.path_of(group)}[{key!r}] != 0"
            self._switches[place] = Computed(lambda: bool(group[key] != 0), path, key != "lr")

    def may_return(self, value: Any) -> bool:
        """Whether a value of the result is the same in each call: plain, or an object of before."""
        is_known = id(value) in self._seen and id(value) not in self._fresh
        return is_known or is_plain(value) or isinstance(value, (*_LEAF_TYPES, *_CONSTANT_TYPES))

    def training_flags(self) -> Iterator[tuple[Module, bool]]:
        """Yield the modules whose training flag the function sets, and what it becomes."""
        for watch in self._watches:
            if isinstance(watch, Names) and isinstance(watch.owner, Module):
                for change in watch.changes():
                    if change.key == "training" and isinstance(change.after, bool):
                        yield watch.owner, change.after

    def check(self) -> None:
        """Raise CompileError if the function changed Python's state, which calls would not do."""
        self._settle_optimizers()
        for watch in self._watches:
            for change in watch.changes():
                if self._is_allowed(watch, change):
                    continue
                line = self._stored.get(change.key) if isinstance(change.key, str) else None
                place = f" at {line}" if line else ""
                raise CompileError(
                    f"the function changes {change.path}{place} (was {brief(change.before)}, is "
                    f"{brief(change.after)}); compiled code changes tensors only, so a later call "
                    "would not: keep the value in a tensor, return it, or change it outside"
                )

    def _is_allowed(self, watch: Watch, change: Change) -> bool:
        if change.key in self._released.get(id(watch.owner), ()):
            return True
        return change.key == "training" and isinstance(watch.owner, Module)

    def _settle_optimizers(self) -> None:
        """Take the state that optimizers made while tracing for given, and watch it."""
        tables: dict[int, Any] = {}
        for optimizer in self._optimizers:
            for table in (optimizer.state, *optimizer.state.values()):
                tables[id(table)] = table
        for watch in self._watches:
            if isinstance(watch, Items) and id(watch.owner) in tables:
                watch.settle()
        for optimizer in self._optimizers:
            for param, table in optimizer.state.items():
                owner = self._name_if_known(param)
                self.reach(table, f"{owner}'s state")

    def restore(self) -> None:
        """Put all that the trace changed back as it was."""
        for watch in self._watches:
            watch.restore()

    def guards(self) -> Guards:
        """Return what must hold for the trace to be right for another call."""
        for watch in self._watches:
            free = set(self._released.get(id(watch.owner), ()))
            if isinstance(watch, Names):
                free |= {key for key in watch.keys if self._is_only_stored(watch, key)}
                if not watch.are_globals and not isinstance(watch.interesting, Every):
                    watch.interesting = self._loaded
            watch.forget(free)
        # A change of a learning rate moves no epoch: unless it is an input, look at each call.
        rates = [
            watch for group, watch in self._rates if "lr" not in self._released.get(id(group), ())
        ]
        return Guards([*self._watches, *rates, *self._switches.values()])

    def _is_only_stored(self, watch: Names, key: str) -> bool:
        if watch.are_globals:
            return False
        return key in self._stored and key not in self._loaded


def _resume(profiler: Any) -> None:
    """Set the profiler that was active before: a function, or cProfile's object."""
    if hasattr(profiler, "enable"):
        profiler.enable()
    else:
        sys.setprofile(profiler)
