"""Names: what the packages offer, and what they say about names that they do not have."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest

import jitnet

PACKAGES = ["nn", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "utils.data"]


def _find(root: Any, path: str) -> Any:
    for name in path.split("."):
        root = getattr(root, name)
    return root


@pytest.mark.parametrize(
    ("path", "name", "near"),
    [
        ("nn", "Conv2D", "jitnet.nn.Conv2d"),
        ("nn.functional", "crossentropy", "jitnet.nn.functional.cross_entropy"),
        ("optim", "ADAM", "jitnet.optim.Adam"),
        ("optim.lr_scheduler", "StepLr", "jitnet.optim.lr_scheduler.StepLR"),
        ("utils.data", "Dataloader", "jitnet.utils.data.DataLoader"),
    ],
)
def test_a_missing_name_gets_the_nearest(path: str, name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; the nearest name is {near}"):
        getattr(_find(jitnet, path), name)


def test_a_name_without_neighbours_gets_no_hint() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'zzzzzz'$"):
        jitnet.nn.zzzzzz  # noqa: B018


@pytest.mark.parametrize("path", PACKAGES)
def test_arguments_come_in_pytorchs_order(path: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    ours, theirs = _find(jitnet, path), _find(torch, path)
    for name, value in vars(ours).items():
        other = getattr(theirs, name, None)
        skip = name.startswith("_") or isinstance(value, ModuleType) or not callable(value)
        if skip or (not inspect.isclass(other) and not inspect.isfunction(other)):
            continue
        mine, expected = _positional(value), _positional(other)
        for ours_, theirs_ in zip(mine, expected, strict=False):
            assert ours_[0] == theirs_[0], (name, mine, expected)
            assert _same(ours_[1], theirs_[1]), (name, ours_, theirs_)


def _positional(value: Any) -> list[tuple[str, Any]]:
    """The positional parameters with their defaults."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # a class without a Python signature
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [(each.name, each.default) for each in parameters if each.kind in kinds]


def _same(ours: Any, theirs: Any) -> bool:
    if type(theirs).__name__ == "Generator":  # the global one; ours is None
        return ours is None
    if inspect.isfunction(theirs):  # an activation, say
        return inspect.isfunction(ours) and ours.__name__ == theirs.__name__
    return ours is theirs or ours == theirs
