"""swap_tensors: what was known of one tensor is true of the other afterwards."""

from __future__ import annotations

import pytest

import jitnet as jn
from jitnet.utils import swap_tensors


def test_memory_gradients_and_attributes_trade_places() -> None:
    a, b = jn.nn.Parameter(jn.ones(2)), jn.nn.Parameter(jn.zeros(3), requires_grad=False)
    a.grad, a.name = jn.full((2,), 5.0), "a"
    swap_tensors(a, b)
    assert (a.tolist(), b.tolist()) == ([0.0, 0.0, 0.0], [1.0, 1.0])
    assert (a.requires_grad, b.requires_grad) == (False, True)
    assert a.grad is None
    assert b.grad.tolist() == [5.0, 5.0]
    assert b.name == "a"
    assert not hasattr(a, "name")


def test_views_stay_with_the_memory_that_they_show() -> None:
    a, b = jn.ones(3), jn.zeros(3)
    part = a[1:]
    swap_tensors(a, b)
    part.fill_(7)
    assert (a.tolist(), b.tolist()) == ([0.0, 0.0, 0.0], [1.0, 7.0, 7.0])


def test_compiled_code_sees_the_other_memory() -> None:
    model, other = jn.nn.Linear(2, 1), jn.nn.Linear(2, 1)
    compiled, x = jn.compile(model), jn.ones(1, 2)
    first, second = compiled(x), other(x)
    swap_tensors(model.weight, other.weight)
    swap_tensors(model.bias, other.bias)
    assert jn.allclose(compiled(x), second)
    assert jn.allclose(other(x), first)


def test_two_classes_are_refused() -> None:
    with pytest.raises(TypeError, match="one class, got Parameter and Tensor"):
        swap_tensors(jn.nn.Parameter(jn.ones(2)), jn.ones(2))
