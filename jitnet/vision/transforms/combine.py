"""Transforms made of others: one after another, sometimes, one of several, in any order."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from jitnet import nn

from . import draws

Transform = Callable[[Any], Any]


class _OfOthers:
    """Transforms in a list."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = transforms

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class Compose(_OfOthers):
    """Transforms one after another."""

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img


class RandomOrder(_OfOthers):
    """Transforms one after another, in an order drawn for each image."""

    def __call__(self, img: Any) -> Any:
        for place in draws.order(len(self.transforms)):
            img = self.transforms[place](img)
        return img


class RandomChoice(_OfOthers):
    """One of several transforms, drawn for each image; p: how often each, as weights."""

    def __init__(self, transforms: Sequence[Transform], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        self.p = p
        if p is not None and (len(p) != len(transforms) or sum(p) <= 0):
            raise ValueError(f"p is a weight for each of {len(transforms)} transforms, got {p}")

    def __call__(self, img: Any) -> Any:
        weights = [1.0] * len(self.transforms) if self.p is None else self.p
        place = bisect(list(accumulate(weights)), draws.uniform(0.0, sum(weights)))
        return self.transforms[min(place, len(weights) - 1)](img)


class RandomApply(nn.Module):
    """Transforms one after another, or, with probability 1 - p, none of them."""

    def __init__(self, transforms: Sequence[Transform] | nn.ModuleList, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if not draws.chance(self.p):
            return img
        for transform in self.transforms:
            img = transform(img)
        return img


class Lambda:
    """Any function as a transform."""

    def __init__(self, lambd: Transform) -> None:
        if not callable(lambd):
            raise TypeError(f"Lambda takes a function, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return "Lambda()"
