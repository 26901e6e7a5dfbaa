"""Follows a function while it is traced, and notes all Python state that its code could read.

Every Python frame that is entered names what its code reads (reads.py). From the function, its
globals and what it closes over, every object that can be reached through those names is watched
from before the frame runs: module attributes, settings, containers, functions, classes.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from jitnet.runtime.dtype import DType
from jitnet.runtime.profile import Quiet, following

from ..device import Device
from ..errors import CompileError, at_line
from ..nn import Module
from ..nn.tables import Table
from ..optim import Optimizer
from ..tensor import Size, Tensor
from ..tree import Tree, flatten
from .appending import Log
from .assigned import Setting, WholeList, containers_in, is_value
from .container_watches import Elements, Items, Kind
from .counting import Count
from .following import Following, Wishes
from .holding import Guards
from .origins import file_of, is_being_imported, is_followed, is_users
from .plain import brief, is_plain
from .reach import LEAF_TYPES, Reach
from .reads import Reads, reads_of
from .watches import Change, Computed, Every, Names, Watch

_MACHINERY = frozenset({"_non_persistent"})  # which buffers are saved: nothing that is computed
_CONSTANT_TYPES = (
    FunctionType,
    MethodType,
    ModuleType,
    type,
    Module,
    DType,
    Device,
    Size,
    range,
    slice,
)


class Watcher(Reach):
    """The Python state that one trace can read, as it was before the trace could change it."""

    def __init__(self, wishes: Wishes) -> None:
        super().__init__()
        self.followed = Following(wishes)
        self._codes: set[CodeType] = set()
        self._quiet = Quiet()
        self._globals: dict[int, tuple[Names, dict[str, str]]] = {}
        self._loaded: dict[str, str] = {}  # attribute name -> the line that reads it
        self._stored: dict[str, str] = {}  # name -> the line that assigns it
        self._released: dict[int, set[Any]] = {}
        self._switches: dict[tuple[int, str], Watch] = {}
        self._steering: list[Watch] = []
        self._kinds: list[Watch] = []  # of the entries that calls set
        self._dropped: set[int] = set()  # ids of watches on what such entries were

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
        with following(self._quiet, self.enter, random.Random, _refuse_draw):
            yield

    def enter(self, frame: FrameType) -> None:
        """Note what a frame that is about to run can read."""
        code = frame.f_code
        file = file_of(code, frame.f_globals)
        if not is_followed(file):
            self._quiet.add(code)
            return
        if is_being_imported(frame.f_globals):
            return  # what a module makes of itself is no change, and nothing to undo
        owner = self._owner(frame)
        if owner is not None:
            if code.co_name in ("__init__", "__new__", "__setstate__"):
                self.made[id(owner)] = owner
            elif isinstance(owner, (Module, Optimizer)):
                self.reach(owner, type(owner).__name__)
        if not _is_method(code):  # those of methods matter for their owners
            self._quiet.add(code)
        if code in self._codes:
            return
        self._codes.add(code)
        self.learn(reads_of(code), frame.f_globals, is_users(file))

    def _owner(self, frame: FrameType) -> Any:
        """Return the `self` of a method's frame."""
        return frame.f_locals.get("self") if _is_method(frame.f_code) else None

    def learn(self, reads: Reads, globals_: dict[str, Any], has_settings: bool) -> None:
        """Watch all that code with these names can read; its globals too, if they are settings."""
        for name, line in reads.stored.items():
            self._stored.setdefault(name, line)
        if "random" in reads.attributes or "numpy.random" in reads.modules:
            self.draws.note_numpy()
        if has_settings:
            names, interesting = self._names_of_globals(globals_)
            for name, line in (*reads.globals.items(), *reads.stored.items()):
                interesting.setdefault(name, line)
            self.wait_for(names, names.extend())
            for module_name in reads.modules:
                if module_name in sys.modules:
                    self.reach(sys.modules[module_name], module_name)
        for name, line in reads.attributes.items():
            self._loaded.setdefault(name, line)
        new = []
        for name, line in (*reads.attributes.items(), *reads.stored.items()):
            if name not in _MACHINERY and name not in self.attributes:
                self.attributes[name] = line
                new.append(name)
        if reads.any_attribute and has_settings and not self.any_attribute:
            self.any_attribute = True
            for namespace in self.namespaces:
                if namespace.of_instance:
                    namespace.interesting = Every()
        self.look_for(self._having if self.any_attribute else new)
        self.work()

    def _names_of_globals(self, globals_: dict[str, Any]) -> tuple[Names, dict[str, str]]:
        if id(globals_) not in self._globals:
            interesting: dict[str, str] = {}
            names = Names(globals_, globals_, "", False, interesting, are_globals=True)
            self.watches.append(names)
            self._globals[id(globals_)] = names, interesting
        return self._globals[id(globals_)]

    # After the trace

    def release(self, mapping: Any, key: Any) -> None:
        """Guard this entry no more: it is read at each call."""
        self._released.setdefault(id(mapping), set()).add(key)

    def _is_input(self, change: Change, owner: Any) -> bool:
        """Whether an entry is read at each call, as something else than Python sees it."""
        return change.key in self._released.get(id(owner), ())

    def watch_switch(self, group: Any, key: str) -> None:
        """Guard whether an optimizer's option is zero."""
        place = (id(group), key)
        if place not in self._switches:
            path = f"{self.path_of(group)}[{key!r}] != 0"
            self._switches[place] = Computed(lambda: bool(group[key] != 0), path, key != "lr")

    def watch_value(self, read: Callable[[], Any], path: str) -> None:
        """Guard what is computed before each call from what small tensors hold."""
        self._steering.append(Computed(read, path, False))

    def may_return(self, value: Any) -> bool:
        """Whether a value of the result is the same in each call: plain, or an object of before."""
        kinds = (*LEAF_TYPES, *_CONSTANT_TYPES)
        return self.knows(value) or is_plain(value) or isinstance(value, kinds)

    def training_flags(self) -> Iterator[tuple[Module, bool]]:
        """Yield the modules whose training flag the function sets, and what it becomes."""
        for watch in self.watches:
            if isinstance(watch, Names) and isinstance(watch.owner, Module):
                for change in watch.changes():
                    if change.key == "training" and isinstance(change.after, bool):
                        yield watch.owner, change.after

    def may_stay(self, value: Any) -> bool:
        """Whether entries can be set to a value that is no tensor: it is the same in each call."""
        return is_value(value) or self.knows(value) or type(value) is Count

    def taken_apart(self, value: Any) -> tuple[list[Any], Tree]:
        """Return the leaves and the tree of what an entry is set to; what existed stays whole."""
        is_table = type(value) is Table  # an optimizer's state of one parameter
        opened = dict(value) if is_table else value
        leaves, tree = flatten(opened, lambda part: self.knows(part) or isinstance(part, Log))
        return leaves, replace(tree, type=Table) if is_table else tree

    def entries_set(self) -> list[Setting]:
        """Return what the function sets that a call can set, too."""
        self._settle_optimizers()
        self.followed.settle()
        found = []
        for watch in self.watches:
            entries = watch.entries()
            for change in [] if entries is None else list(watch.changes()):
                setting = _setting(watch, entries, change)
                leaves = self.taken_apart(setting.after)[0]
                flag = change.key == "training" and isinstance(watch.owner, Module)
                if flag or self.followed.is_lost(setting):
                    continue
                if self._is_input(change, watch.owner) and not self.followed.has(setting):
                    continue
                if all(isinstance(leaf, Tensor) or self.may_stay(leaf) for leaf in leaves):
                    found.append(setting)
        return found

    def leave_to_calls(self, setting: Setting, uses: bool) -> None:
        """Put an entry back, which each call sets; guard its kind if it is read.

        uses: whether the function computes with a tensor of what it was.
        """
        watch, key, before = setting.watch, setting.key, setting.before
        attribute = isinstance(watch, Names) and not watch.are_globals
        if isinstance(setting.entries, WholeList):
            watch.restore()
            self._released.setdefault(id(watch.owner), set()).update(watch.keys)
            self._dropped.add(id(watch))
        else:
            watch.put_back(key, before)
            watch.ignore(key)
            self.release(watch.owner, key)
        for other in self.watches:
            other.insist(watch.owner)
        inside = {id(part) for part in containers_in(before)}
        self._dropped |= {id(other) for other in self.watches if id(other.owner) in inside}
        if self.followed.follows(setting):
            return  # it may be any number
        if uses or not attribute or key in self._loaded:
            self._kinds.append(Kind(setting.entries, key, setting.path, before))

    def check(self) -> None:
        """Raise CompileError if the function changed Python's state, which calls would not do."""
        self.draws.check()
        for watch in self.watches:
            for change in watch.changes():
                if self._is_allowed(watch, change):
                    continue
                line = self._stored.get(change.key) if isinstance(change.key, str) else None
                place = f" at {line}" if line else ""
                raise CompileError(
                    f"the function changes {change.path}{place} (was {brief(change.before)}, is "
                    f"{brief(change.after)}); compiled code sets what alone holds a value, and no "
                    "objects that it makes: keep the value in a tensor, return it, or change it "
                    "outside"
                )

    def _is_allowed(self, watch: Watch, change: Change) -> bool:
        return change.key == "training" and isinstance(watch.owner, Module)

    def _settle_optimizers(self) -> None:
        """Take the state that optimizers made while tracing for given, and watch it."""
        tables: dict[int, Any] = {}
        for optimizer in self.optimizers:
            for table in (optimizer.state, *optimizer.state.values()):
                tables[id(table)] = table
        for watch in self.watches:
            if isinstance(watch, Items) and id(watch.owner) in tables:
                watch.settle({each.key for each in watch.changes() if _is_made(each.after)})
        for optimizer in self.optimizers:
            if id(optimizer.state) not in self._seen:
                continue  # the function does not read it
            for param, table in optimizer.state.items():
                owner = self._name_if_known(param)
                self.reach(table, f"{owner}'s state")

    def restore(self) -> None:
        """Put all that the trace changed back as it was."""
        for watch in self.watches:
            watch.restore()
        self.draws.restore()

    def guards(self) -> Guards:
        """Return what must hold for the trace to be right for another call."""
        for watch, key in self.followed.free():
            self.release(watch.owner, key)
        for watch in self.watches:
            free = set(self._released.get(id(watch.owner), ()))
            if isinstance(watch, Names):
                free |= {key for key in watch.keys if self._is_only_stored(watch, key)}
                if not watch.are_globals and not isinstance(watch.interesting, Every):
                    watch.interesting = self._loaded
            watch.forget(free)
        # A change of a learning rate moves no epoch: unless it is an input, look at each call.
        rates = [
            watch for group, watch in self.rates if "lr" not in self._released.get(id(group), ())
        ]
        kept = [
            watch
            for watch in self.watches
            if id(watch) not in self._dropped and not self.followed.drops(watch)
        ]
        kept += self.followed.guards()
        return Guards([*kept, *rates, *self._switches.values(), *self._kinds, *self._steering])

    def _is_only_stored(self, watch: Names, key: str) -> bool:
        if watch.are_globals:
            return False
        return key in self._stored and key not in self._loaded


def _setting(watch: Watch, entries: Any, change: Change) -> Setting:
    """Return a change as what a call would set; another length of a list as the whole list."""
    if isinstance(watch, Elements) and change.key is None:
        before, after = list(watch.expected), list(watch.owner)
        return Setting(watch, WholeList(watch.owner), None, watch.path, before, after)
    return Setting(watch, entries, change.key, change.path, change.before, change.after)


def _is_made(value: Any) -> bool:
    """Whether an optimizer made this state outside the trace: tensors that have a value."""
    leaves = flatten(dict(value) if isinstance(value, dict) else value)[0]
    return bool(leaves) and all(
        isinstance(leaf, Tensor) and leaf._array is not None for leaf in leaves
    )


def _is_method(code: CodeType) -> bool:
    return code.co_argcount > 0 and code.co_varnames[0] == "self"


def _refuse_draw(builtin: Any) -> None:
    """Raise CompileError for a call of a random.Random's method."""
    if any(value is builtin.__self__ for value in _deciding_nothing()):
        return
    name = type(builtin.__self__).__name__
    raise CompileError(
        at_line(
            f"{name}.{builtin.__name__}() would give one and the same number in every call; "
            "draw with jitnet (jitnet.rand), or outside and pass it"
        )
    )


def _deciding_nothing() -> Iterator[Any]:
    """Yield generators of libraries, whose numbers decide no result.

    Of SymPy, for the order in which it tries things (libraries of tensor notation solve for their
    shapes with it); of names of temporary files, which compiled code is kept in for a moment, that
    of an op which runs while a function is traced too.
    """
    yield from vars(sys.modules.get("sympy.core.random", object)).values()
    names = getattr(sys.modules.get("tempfile"), "_name_sequence", None)
    yield getattr(names, "_rng", None)
