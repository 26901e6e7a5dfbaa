"""Tensors taken apart: one step of the tape for all parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor

WAYS: dict[str, Callable[[Tensor], Any]] = {
    "unbind": lambda x: x.unbind(0),
    "unbind_last": lambda x: x.unbind(-1),
    "split": lambda x: x.split([1, 3], 1),
    "chunk": lambda x: x.chunk(2, 1),
    "rows": tuple,
}


@pytest.mark.parametrize("way", WAYS)
def test_gradients_of_parts(way: str) -> None:
    """Against plain slices, some parts unused, twice differentiated, compiled too."""
    values = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    take = WAYS[way]
    count = len(take(jitnet.tensor(values)))
    for used in ([0], [1], list(range(count))):

        def gradients(x: Tensor, used: list[int] = used) -> tuple[Tensor, Tensor]:
            y = x * 1.0
            parts = take(y)
            total = sum((parts[i] ** 3).sum() for i in used)
            (first,) = jitnet.autograd.grad(total, x, create_graph=True)
            (second,) = jitnet.autograd.grad(first.sum(), x)
            return first.detach(), second

        mask = np.zeros((3, 4), np.float32)
        for number, part in enumerate(take(jitnet.from_numpy(mask))):
            part.fill_(1.0 if number in used else 0.0)
        x = jitnet.tensor(values, requires_grad=True)
        for run in (gradients, jitnet.compile(gradients)):
            first, second = run(x)
            np.testing.assert_allclose(first.numpy(), mask * 3 * values**2, rtol=1e-5)
            np.testing.assert_allclose(second.numpy(), mask * 6 * values, rtol=1e-5)


def test_parts_are_views_that_can_be_written() -> None:
    x = jitnet.ones(2, 3, requires_grad=True)
    y = x * 2
    first, second = y.unbind(0)
    assert repr(first.grad_fn) == "<UnbindBackward0>"
    second.mul_(5)
    assert y.tolist() == [[2.0] * 3, [10.0] * 3]
    (first.sum() + y.sum()).backward()
    assert x.grad.tolist() == [[4.0] * 3, [10.0] * 3]


def test_gradients_of_many_parts_take_time_linear_in_their_number() -> None:
    """One concatenation for all, not a gradient of the whole tensor for each."""
    x = jitnet.ones(50, 4, requires_grad=True)
    y = x * 1.0
    parts = y.unbind(0)
    assert len({part.grad_fn for part in parts}) == 1
    sum(part.sum() for part in parts).backward()
    assert x.grad.tolist() == [[1.0] * 4] * 50


def test_pythons_types_are_dtypes() -> None:
    assert jitnet.zeros(2, dtype=int).dtype is jitnet.int64
    assert jitnet.tensor([1], dtype=float).dtype is jitnet.float64
    assert jitnet.full((2,), 1, dtype=bool).dtype is jitnet.bool
    x = jitnet.ones(3)
    assert x.sum(dtype=int).dtype is jitnet.int64 and x.to(bool).dtype is jitnet.bool
    assert x.to("cpu", dtype=complex).dtype is jitnet.complex128
    assert x.new_zeros(2, dtype=int).dtype is jitnet.int64
    assert (
        jitnet.compile(lambda y: y.to(int) + jitnet.ones_like(y, dtype=int))(x).tolist() == [2] * 3
    )


def test_forked_generators_come_back() -> None:
    jitnet.manual_seed(3)
    with jitnet.random.fork_rng():
        inside = jitnet.rand(4)
    assert jitnet.equal(inside, jitnet.rand(4))
    with jitnet.random.fork_rng(enabled=False):
        inside = jitnet.rand(4)
    assert not jitnet.equal(inside, jitnet.rand(4))
