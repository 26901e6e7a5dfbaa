"""Nested values come apart and go together again."""

from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest

import jitnet
from jitnet.tree import LEAF, flatten, paths, rebuild, tree_map

Point = namedtuple("Point", "x y")


@dataclass(frozen=True)
class Frozen:
    left: Any
    right: Any


@dataclass
class Checked:
    width: int
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.made = [*self.made, "checked"]


NESTED = [
    3,
    (1, 2),
    [1, (2, [3])],
    {"a": 1, "b": (2, {"c": 3})},
    OrderedDict(a=1, b=2),
    Point(1, [2, 3]),
    Frozen(1, Frozen(2, (3,))),
    (),
    {"empty": []},
]


@pytest.mark.parametrize("value", NESTED, ids=repr)
def test_round_trip(value: Any) -> None:
    leaves, tree = flatten(value)
    again = rebuild(tree, iter(leaves))
    assert again == value
    assert type(again) is type(value)


def test_defaultdict_keeps_its_factory() -> None:
    leaves, tree = flatten(defaultdict(list, a=[1]))
    again = rebuild(tree, iter(leaves))
    assert again["missing"] == []


def test_dataclass_is_not_initialised_again() -> None:
    value = Checked(3)
    leaves, tree = flatten(value)
    assert rebuild(tree, iter(leaves)).made == ["checked"]


def test_trees_compare_by_structure() -> None:
    assert flatten([1, (2, 3)])[1] == flatten([9, (8, 7)])[1]
    assert flatten([1, (2, 3)])[1] != flatten([1, [2, 3]])[1]
    assert flatten({"a": 1})[1] != flatten({"b": 1})[1]
    assert hash(flatten([1, {"a": 2}])[1]) == hash(flatten([3, {"a": 4}])[1])
    assert flatten(None)[1] == LEAF


def test_tree_map_keeps_structure() -> None:
    assert tree_map(lambda leaf: leaf + 1, {"a": [1, (2,)]}) == {"a": [2, (3,)]}


def test_paths_read_as_python() -> None:
    _, tree = flatten({"x": [1, Point(2, 3)], "y": Frozen(4, 5)})
    assert paths(tree, "batch") == [
        "batch['x'][0]",
        "batch['x'][1].x",
        "batch['x'][1].y",
        "batch['y'].left",
        "batch['y'].right",
    ]


def test_a_list_inside_itself_is_refused() -> None:
    value: list[Any] = [1]
    value.append(value)
    with pytest.raises(ValueError, match="contains itself"):
        flatten(value)


def test_tree_prints() -> None:
    assert str(flatten([1, (2,), {"k": 3}])[1]) == "[*, (*,), {k: *}]"


def test_dtypes_and_devices_stay_what_they_are() -> None:
    """A compiled function gets the very dtype that it was called with."""

    @jitnet.compile
    def cast(x: jitnet.Tensor, dtype: jitnet.dtype, device: Any) -> jitnet.Tensor:
        assert dtype is jitnet.float64 and device == jitnet.device("cpu")
        return x.to(dtype) + x.double()

    result = cast(jitnet.ones(2), dtype=jitnet.float64, device=jitnet.device("cpu"))
    assert result.tolist() == [2.0, 2.0]


def test_pytorchs_words_for_trees() -> None:
    from jitnet.utils import _pytree as pytree

    @dataclass
    class Pair:
        a: int
        b: int

    pair = Pair(1, 2)
    value = {"x": [1, (2, None)], "y": pair}
    leaves, spec = pytree.tree_flatten(value)
    assert leaves == [1, 2, None, pair] and spec == pytree.tree_structure(value)
    assert pytree.tree_unflatten([5, 6, 7, 8], spec) == {"x": [5, (6, 7)], "y": 8}
    with pytest.raises(ValueError, match="4 leaves, got 3"):
        pytree.tree_unflatten([5, 6, 7], spec)
    assert pytree.tree_map(lambda a, b: (a, b), [1, [2]], [3, [[4]]]) == [(1, 3), [(2, [4])]]
    with pytest.raises(ValueError, match="trees differ"):
        pytree.tree_map(lambda a, b: a, [1, [2]], [3, (4,)])
    assert pytree.tree_map_only(int, lambda n: -n, [1, "a", (2,)]) == [-1, "a", (-2,)]
    assert pytree.tree_map_only(lambda n: n == 1, lambda n: 0, [1, 2]) == [0, 2]
    assert pytree.tree_leaves([[1], 2], is_leaf=lambda part: part == [1]) == [[1], 2]
    assert pytree.tree_all(bool, [1, (2,)]) and not pytree.tree_any(bool, [0, (0,)])
