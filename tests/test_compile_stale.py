"""Whatever Python state a compiled function reads may change: stale code never runs."""

from __future__ import annotations

import enum
import gc
import math
import types
from collections import UserDict, deque
from dataclasses import dataclass
from typing import Any

import pytest

import jitnet
from jitnet.compile import compile
from jitnet.tensor import Tensor

SCALE = 2.0
CONFIG: dict[str, Any] = {"k": 3, "unused": 0}
SIZES = [1, 2]


class Kind(enum.Enum):
    ADD = 1
    MUL = 2


def ones(*shape: int) -> Tensor:
    return jitnet.ones(*shape)


def value(tensor: Tensor) -> float:
    return float(tensor.reshape(-1)[0].item())


def test_global_number(monkeypatch: pytest.MonkeyPatch) -> None:
    fn = compile(lambda x: x * SCALE)
    assert value(fn(ones(3))) == 2
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert value(fn(ones(3))) == 5
    monkeypatch.setitem(globals(), "SCALE", float("nan"))
    assert math.isnan(value(fn(ones(3))))
    assert math.isnan(value(fn(ones(3))))
    assert len(fn.variants) == 3
    assert "global SCALE was 2.0, is 5.0" in fn.explain()


def test_equal_value_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    fn = compile(lambda x: x * SCALE)
    fn(ones(3))
    monkeypatch.setitem(globals(), "SCALE", float("2.0"))
    fn(ones(3))
    assert len(fn.variants) == 1


def test_type_of_a_number_matters() -> None:
    holder = types.SimpleNamespace(k=1)
    fn = compile(lambda x: x * holder.k)
    x = jitnet.tensor([2, 3])
    assert fn(x).dtype is jitnet.int64
    holder.k = 1.0
    assert fn(x).dtype is jitnet.float32
    holder.k = True
    assert fn(x).dtype is jitnet.int64


def test_going_back_finds_the_old_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    fn = compile(lambda x: x * SCALE)
    for scale in (2.0, 3.0, 2.0, 3.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        assert value(fn(ones(2))) == scale
    assert len(fn.variants) == 2


def test_closure_cell() -> None:
    def make() -> tuple[Any, Any]:
        k = 2

        def set_k(new: int) -> None:
            nonlocal k
            k = new

        return (lambda x: x * k), set_k

    fn, set_k = make()
    fn = compile(fn)
    assert value(fn(ones(2))) == 2
    set_k(7)
    assert value(fn(ones(2))) == 7


def test_dict_list_and_nested_settings() -> None:
    settings = {"a": [1, {"b": (2, 3)}], "k": 3}
    fn = compile(lambda x: x * settings["a"][1]["b"][0] + settings["k"])
    assert value(fn(ones(2))) == 5
    settings["k"] = 4
    assert value(fn(ones(2))) == 6
    settings["a"][1]["b"] = (5, 3)
    assert value(fn(ones(2))) == 9
    settings["a"][1] = {"b": (6,)}
    assert value(fn(ones(2))) == 10


def test_global_dict_and_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def function(x: Tensor) -> Tensor:
        for size in SIZES:
            x = x + size
        return x * CONFIG["k"]

    fn = compile(function)
    assert value(fn(ones(2))) == 12
    monkeypatch.setitem(CONFIG, "k", 1)
    assert value(fn(ones(2))) == 4
    SIZES.append(10)
    try:
        assert value(fn(ones(2))) == 14
    finally:
        SIZES.pop()
    assert value(fn(ones(2))) == 4


def test_attribute_reached_through_locals_and_calls() -> None:
    class Config:
        kind = Kind.ADD

        def __init__(self) -> None:
            self.inner = types.SimpleNamespace(k=2)

    config = Config()

    def pick() -> Config:
        return config

    def function(x: Tensor) -> Tensor:
        c = pick()
        inner = c.inner
        return x + inner.k if c.kind is Kind.ADD else x * inner.k * 10

    fn = compile(function)
    assert value(fn(ones(2))) == 3
    config.inner.k = 4
    assert value(fn(ones(2))) == 5
    config.kind = Kind.MUL  # now an attribute of the instance, which hides the class's
    assert value(fn(ones(2))) == 40
    del config.kind
    Config.kind = Kind.MUL
    assert value(fn(ones(2))) == 40
    config.inner = types.SimpleNamespace(k=1)
    assert value(fn(ones(2))) == 10


def test_getattr_with_a_name() -> None:
    holder = types.SimpleNamespace(k=1)
    fn = compile(lambda x: x + getattr(holder, "k", 0))
    assert value(fn(ones(1))) == 2
    del holder.k
    assert value(fn(ones(1))) == 1
    holder.k = 5
    assert value(fn(ones(1))) == 6


def test_slots_and_dataclasses() -> None:
    @dataclass(slots=True)
    class Options:
        k: int

    options = Options(2)
    fn = compile(lambda x: x * options.k)
    assert value(fn(ones(1))) == 2
    options.k = 3
    assert value(fn(ones(1))) == 3


def helper(x: Tensor) -> Tensor:
    return x + 1


def test_replaced_function(monkeypatch: pytest.MonkeyPatch) -> None:
    fn = compile(lambda x: helper(x))
    assert value(fn(ones(1))) == 2
    monkeypatch.setitem(globals(), "helper", lambda x: x + 10)
    assert value(fn(ones(1))) == 11


def test_python_arguments() -> None:
    fn = compile(lambda x, n, flag=False, name="a": x * n if flag else x + n + len(name))
    assert value(fn(ones(1), 2)) == 4
    assert value(fn(ones(1), 3)) == 5
    assert value(fn(ones(1), 3, True)) == 3
    assert value(fn(ones(1), 3, name="abc")) == 7
    assert value(fn(ones(1), 2)) == 4
    assert len(fn.variants) == 4


def test_float_arguments_do_not_recompile() -> None:
    fn = compile(lambda x, rate: x - rate * x)
    for rate in (0.5, 0.25, 0.125):
        assert value(fn(ones(2), rate)) == 1 - rate
    assert len(fn.variants) == 1


def test_float_argument_that_python_looks_at_is_compiled_in() -> None:
    def function(x: Tensor, rate: float) -> Tensor:
        return x * rate if rate > 0.3 else x * math.sqrt(rate)

    fn = compile(function)
    for rate in (0.5, 0.25, 0.16, 0.5):
        assert abs(value(fn(ones(2), rate)) - value(function(ones(2), rate))) < 1e-6
    assert len(fn.variants) == 3


def test_default_dtype() -> None:
    fn = compile(lambda: jitnet.ones(2) * 2)
    assert fn().dtype is jitnet.float32
    jitnet.set_default_dtype(jitnet.float64)
    try:
        assert fn().dtype is jitnet.float64
    finally:
        jitnet.set_default_dtype(jitnet.float32)


def test_too_many_variants_warn_once() -> None:
    fn = compile(lambda x, n: x + n, limit=3)
    for n in range(3):
        fn(ones(1), n)
    with pytest.warns(UserWarning, match="argument n: was 2, is 3"):
        fn(ones(1), 3)
    assert value(fn(ones(1), 4)) == 5
    assert len(fn.variants) == 3
    assert value(fn(ones(1), 0)) == 1


def test_tensor_in_a_global_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    holder = types.SimpleNamespace(t=jitnet.ones(2))
    fn = compile(lambda x: x + holder.t)
    assert value(fn(ones(2))) == 2
    holder.t.fill_(5)
    assert value(fn(ones(2))) == 6
    holder.t = jitnet.full((2,), 8.0)
    assert value(fn(ones(2))) == 9
    holder.t = jitnet.full((1,), 3.0)
    assert value(fn(ones(2))) == 4


def test_containers_of_other_kinds() -> None:
    class Settings(dict):
        scale = 1

    settings = Settings(k=2)
    settings.extra = 3
    user = UserDict(k=1)
    queue = deque([1, 2])
    fn = compile(lambda x: x * settings["k"] + settings.extra + user["k"] + sum(queue))
    assert value(fn(ones(1))) == 9
    settings["k"] = 3
    assert value(fn(ones(1))) == 10
    settings.extra = 4
    assert value(fn(ones(1))) == 11
    user["k"] = 2
    assert value(fn(ones(1))) == 12
    queue.append(5)
    assert value(fn(ones(1))) == 17


def scaled(x: Tensor, factor: float = 1.0, *, shift: float = 0.0) -> Tensor:
    return x * factor + shift


def scaled_otherwise(x: Tensor, factor: float = 1.0, *, shift: float = 0.0) -> Tensor:
    return x * factor - shift - 1


CHANGED = {
    "__defaults__": (3.0,),
    "__kwdefaults__": {"shift": 5.0},
    "__code__": scaled_otherwise.__code__,
}


@pytest.mark.parametrize("name", CHANGED)
def test_function_changed_in_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a notebook does that reloads a module."""
    fn = jitnet.compile(lambda x: scaled(x))
    x = jitnet.ones(2)
    assert fn(x).tolist() == [1, 1]
    monkeypatch.setattr(scaled, name, CHANGED[name])
    assert fn(x).tolist() == scaled(x).tolist() != [1, 1]
    monkeypatch.undo()
    assert fn(x).tolist() == [1, 1]


def test_object_that_answers_to_every_name() -> None:
    class Greedy:
        __slots__ = ("factor",)

        def __init__(self) -> None:
            self.factor = 2.0

        def __getattr__(self, name: str) -> Any:
            return Greedy

    greedy = Greedy()
    fn = jitnet.compile(lambda x: x * greedy.factor)
    assert value(fn(ones(2))) == 2
    greedy.factor = 3.0
    assert value(fn(ones(2))) == 3


collections = 0


def count_collection(phase: str, info: dict[str, int]) -> None:
    global collections
    collections += 1


def test_what_collecting_garbage_runs_is_not_the_functions() -> None:
    before = gc.get_threshold()
    gc.callbacks.append(count_collection)
    gc.set_threshold(1)
    try:
        fn = jitnet.compile(lambda x: x * 2 + 1)
        assert value(fn(ones(2))) == 3
        assert collections and gc.isenabled()
    finally:
        gc.callbacks.remove(count_collection)
        gc.set_threshold(*before)
