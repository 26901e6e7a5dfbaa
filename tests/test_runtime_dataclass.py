"""The runtime's quick dataclass is like Python's own, but for assignments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jitnet.runtime.dataclass import dataclass

ROOT = Path(__file__).parents[1]
Decorator = Callable[..., Any]


def classes(decorate: Decorator) -> Iterator[list[Any]]:
    """Yield instances of classes that a decorator has made."""

    @decorate(frozen=True)
    class Pair:
        a: int
        b: Any = 2
        hidden: int = dataclasses.field(default=0, repr=False, compare=False)

    @decorate(frozen=True)
    class Triple(Pair):
        c: list[int] = dataclasses.field(default_factory=list)

    @decorate(frozen=True)
    class One:
        a: Any

    @decorate(frozen=True)
    class Nothing:
        pass

    @decorate(frozen=True, eq=False)
    class Itself:
        a: int

    @decorate
    class Mutable:
        a: int

    @decorate(frozen=True)
    class Own:
        a: int

        def __repr__(self) -> str:
            return "mine"

        def __hash__(self) -> int:
            return 7

    nan = float("nan")
    yield [Pair(1), Pair(1, 2), Pair(1, hidden=5), Pair(a=2), Pair(nan, nan), Pair(nan, nan)]
    yield [Triple(1), Triple(1), Triple(1, 2, 0, [1]), Pair(1)]
    yield [One(nan), One(nan), One(1), One(1.0), One((1,)), Nothing(), Nothing()]
    yield [Itself(1), Itself(1), Mutable(1), Mutable(1), Mutable(2), Own(1), Own(1), Own(2)]


def looked_at(instances: list[Any]) -> list[Any]:
    """What can be seen of instances from outside."""
    found: list[Any] = []
    for one in instances:
        found.append((repr(one), dataclasses.astuple(one), type(one).__match_args__))
        found.append([one == other for other in instances])
        try:
            hash(one)
        except TypeError as error:
            found.append(str(error))
        else:
            found.append([hash(one) == hash(one) for other in instances if one == other])
    return found


def test_it_does_what_pythons_own_does() -> None:
    ours, theirs = classes(dataclass), classes(dataclasses.dataclass)
    for made, wanted in zip(ours, theirs, strict=True):
        assert str(looked_at(made)) == str(looked_at(wanted))
        changed = [dataclasses.replace(one) for one in made]
        assert [a == b for a, b in zip(changed, made, strict=True)] == [
            dataclasses.replace(one) == one for one in wanted
        ]


def test_compiler_and_runtime_use_it() -> None:
    files = [path for part in ("compiler", "runtime") for path in (ROOT / part).rglob("*.py")]
    own = ROOT / "runtime" / "dataclass.py"
    for path in files:
        names = [line for line in path.read_text().splitlines() if line.startswith("from dataclas")]
        assert path == own or not any("dataclass" in line.split("import")[1] for line in names), (
            path
        )
