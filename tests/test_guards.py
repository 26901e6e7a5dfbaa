"""Watches: what Python state was, whether it still is, and putting it back."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

from jitnet.guards.container_watches import Elements, Items, Members
from jitnet.guards.holding import Guards
from jitnet.guards.plain import MISSING, brief, same, simple_copy
from jitnet.guards.reads import reads_of
from jitnet.guards.slots import Slots
from jitnet.guards.watches import Cells, Names
from jitnet.nn import epoch


def test_same_is_strict_about_types_and_kind_to_nan() -> None:
    assert same(float("nan"), float("nan"))
    assert not same(0.0, -0.0)
    assert not same(1, 1.0) and not same(1, True)
    assert same((1, [2.0, {"a": None}]), (1, [2.0, {"a": None}]))
    assert not same((1, [2.0]), (1, [3.0]))
    assert not same({"a": 1, "b": 2}, {"b": 2, "a": 1})


def test_copies_cannot_be_reached() -> None:
    original = {"a": [1, (2, {3})]}
    copy = simple_copy(original)
    original["a"].append(9)
    assert copy == {"a": [1, (2, {3})]}


def holds_then(watch: Any, change: Callable[[], None], path: str) -> None:
    assert watch.holds()
    change()
    assert not watch.holds()
    assert path in str(next(iter(watch.changes())))
    watch.restore()
    assert watch.holds()


def test_names() -> None:
    space = types.SimpleNamespace(a=1, b=[1, 2], other=3)

    def watch() -> Names:
        names = Names(space, space.__dict__, "space", False, {"a": "", "b": "", "later": ""})
        assert sorted(name for name, _ in names.extend()) == ["a", "b"]
        return names

    holds_then(watch(), lambda: setattr(space, "a", 2), "space.a was 1, is 2")
    holds_then(watch(), lambda: delattr(space, "a"), "space.a was 1, is nothing")
    holds_then(watch(), lambda: setattr(space, "later", 2), "space.later was nothing, is 2")
    names = watch()
    space.other = 4
    space.another = 5
    assert names.holds()
    space.a = int("1")
    space.b = [1, 2]
    assert names.holds()


def test_slots() -> None:
    class Point:
        __slots__ = ("x", "y")

    point = Point()
    point.x = 1
    names = Names(point, Slots(point), "point", False, {"x": "", "y": ""})
    names.extend()
    holds_then(names, lambda: setattr(point, "x", 2), "point.x was 1, is 2")
    holds_then(names, lambda: setattr(point, "y", 2), "point.y was nothing, is 2")
    assert not hasattr(point, "y")


def test_class_attributes() -> None:
    class Config:
        k = 1

    names = Names(Config, vars(Config), "Config", False, {"k": ""})
    names.extend()
    holds_then(names, lambda: setattr(Config, "k", 2), "Config.k was 1, is 2")


def test_items() -> None:
    value = {"a": 1, "b": object()}
    holds_then(Items(value, "d", False), lambda: value.update(a=2), "d['a'] was 1, is 2")
    holds_then(Items(value, "d", False), lambda: value.update(c=2), "d['c'] was nothing, is 2")
    holds_then(Items(value, "d", False), lambda: value.pop("a"), "d['a'] was 1, is nothing")
    holds_then(
        Items(value, "d", False),
        lambda: value.update(b=object()),
        "d['b'] was an object, is another",
    )
    free = Items(value, "d", False)
    free.forget({"a"})
    value["a"] = 100
    assert free.holds()


def test_elements_and_members() -> None:
    value = [1, 2.5]
    holds_then(Elements(value, "v"), lambda: value.append(3), "len(v) was 2, is 3")
    holds_then(Elements(value, "v"), lambda: value.__setitem__(0, 7), "v[0] was 1, is 7")
    assert value == [1, 2.5]
    chosen = {1, 2}
    holds_then(Members(chosen, "s"), lambda: chosen.add(3), "s was")
    assert chosen == {1, 2}


def test_cells() -> None:
    k = 1

    def function() -> int:
        return k

    def change() -> None:
        nonlocal k
        k = 2

    holds_then(Cells(function, "function"), change, "k (closed over by function) was 1, is 2")
    assert k == 1


def test_structural_guards_are_looked_at_when_the_epoch_moves() -> None:
    value = {"a": 1}
    guards = Guards([Items(value, "table", True)])
    assert guards.hold()
    value["a"] = 2
    assert guards.hold()
    epoch.bump()
    assert not guards.hold()
    assert str(guards.first_change()) == "table['a'] was 1, is 2"


def test_guards_describe_settings() -> None:
    guards = Guards([Items({"k": 3, "f": math.sin, "x": object()}, "config", False)])
    assert guards.describe() == ["config['k'] == 3"]
    assert len(guards) == 3


def test_brief() -> None:
    assert brief("a" * 100).endswith("...")
    assert brief(MISSING) == "nothing"
    assert brief(object()) == "an object"
    assert brief(Names) == "Names"


GLOBAL = 1


def reader(self: Any, x: Any) -> Any:
    import os.path as path

    self.stored = GLOBAL
    return self.layer.weight + x["key"] + getattr(self, "name") + len(path.sep)  # noqa: B009


def test_reads_of_code() -> None:
    reads = reads_of(reader.__code__)
    assert {"GLOBAL", "getattr", "len"} <= set(reads.globals)
    assert {"layer", "weight", "key", "name", "sep"} <= set(reads.attributes)
    assert set(reads.stored) == {"stored"}
    assert reads.modules and reads.modules[0].startswith("os")
    line = reader.__code__.co_firstlineno + 3
    assert reads.stored["stored"] == f"test_guards.py:{line}"


def test_computed_attribute_names() -> None:
    def plain(self: Any) -> Any:
        return getattr(self, "name", 3)

    def computed(self: Any, i: int) -> Any:
        return getattr(self, f"layer{i}")

    assert not reads_of(plain.__code__).any_attribute
    assert reads_of(computed.__code__).any_attribute
