"""`.data = ...` gives memory from tensor to tensor; views and compiled code follow the memory."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

import jitnet
from jitnet import Tensor


def swap(a: Tensor, b: Tensor) -> None:
    a.data, b.data = b.data, a.data


def swap_parts(a: Tensor, b: Tensor) -> None:
    a.data, b.data = b.data[:], a.data.reshape(2, 3)


def there_and_back(a: Tensor, b: Tensor) -> None:
    kept = a.data
    a.data = b.data
    a.data.mul_(3)
    a.data = kept


def to_itself(a: Tensor, b: Tensor) -> None:
    a.data = a.data
    b.data = b
    a.data = a.data[:]


def chain(a: Tensor, b: Tensor) -> None:
    first = a.data
    a.data = jitnet.full((2, 3), 7.0)
    b.data = first
    a.data = b.data


CHANGES = (swap, swap_parts, there_and_back, to_itself, chain)


def pair() -> tuple[Tensor, Tensor]:
    return jitnet.arange(6.0).reshape(2, 3).clone(), jitnet.full((2, 3), 10.0)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("early", [False, True])
def test_compiled_functions_follow(change: Callable[[Tensor, Tensor], None], early: bool) -> None:
    def update(a: Tensor, b: Tensor, row: Tensor) -> Tensor:
        a.add_(1)
        b.mul_(2)
        row.sub_(5)
        return (a * 100 + b).sum() + row.sum()

    results = []
    for function in (update, jitnet.compile(update)):
        a, b = pair()
        row = a[1]
        if early:
            function(a, b, row)
        change(a, b)
        values = [function(a, b, row).item() for _ in range(3)]
        results.append((values, a.tolist(), b.tolist(), row.tolist()))
    assert results[0] == results[1]


@pytest.mark.parametrize("change", CHANGES)
def test_state_follows(change: Callable[[Tensor, Tensor], None]) -> None:
    a, b = pair()
    row = a[1]

    @jitnet.compile
    def total(x: Tensor) -> Tensor:
        return (a * x + b).sum() + row[0]

    for turn in range(2):
        for x in (1.0, 2.0):
            given = jitnet.full((2, 3), x)
            with jitnet.eager():
                wanted = total(given).item()
            assert total(given).item() == wanted, turn
        change(a, b)


def test_memory_that_nobody_views_is_freed_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        a = jitnet.zeros(1000)
        old = weakref.ref(a._array)
        a.data = a.data + 1
        assert old() is None
    finally:
        gc.enable()
