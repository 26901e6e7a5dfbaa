"""Arguments that the function also reaches by itself, and whose gradients it sets: as in eager."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitnet
from jitnet.compile import compile
from jitnet.tensor import Tensor

Grads = list[np.ndarray | None]
Step = Callable[[Tensor, Tensor, Tensor], None]


def resets_the_other(x: Tensor, a: Tensor, b: Tensor) -> None:
    """Set x's gradient and b's, which is never computed with by its own name."""
    x.grad = None
    b.grad = None
    (x * 2 * a).sum().backward()


def zeros_after_backward(x: Tensor, a: Tensor, b: Tensor) -> None:
    """Accumulate into gradients, and drop them."""
    (x * a * b).sum().backward()
    a.grad = None
    b.grad = jitnet.zeros(3)


def accumulates(x: Tensor, a: Tensor, b: Tensor) -> None:
    """Reset one, accumulate into the others."""
    a.grad = None
    (x * x * b).sum().backward()


def reads_first(x: Tensor, a: Tensor, b: Tensor) -> None:
    """Make a gradient of a gradient that is there only sometimes."""
    if a.grad is not None:
        b.grad = a.grad * 2
    (x * a).sum().backward()


def grads_of(tensors: list[Tensor]) -> Grads:
    return [None if t.grad is None else t.grad.detach().numpy().copy() for t in tensors]


def agree(got: Grads, wanted: Grads) -> None:
    for mine, theirs in zip(got, wanted, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None and theirs is not None:
            np.testing.assert_allclose(mine, theirs, rtol=1e-6)


@pytest.mark.parametrize(
    "function", [resets_the_other, zeros_after_backward, accumulates, reads_first]
)
@pytest.mark.parametrize("order", ["a", "b", "cab", "bca", "acb", "aabbcc"])
def test_gradients_of_tensors_that_are_arguments_too(function: Step, order: str) -> None:
    results = []
    for wrap in (lambda step: step, compile):
        jitnet.manual_seed(0)
        tensors = {name: jitnet.rand(3).requires_grad_() for name in "abc"}
        a, b = tensors["a"], tensors["b"]
        step = wrap(lambda x, a=a, b=b: function(x, a, b))
        steps = []
        for name in order + order:
            step(tensors[name])
            steps.append(grads_of(list(tensors.values())))
        tensors["a"].grad = jitnet.ones(3)
        step(tensors[order[0]])
        results.append([*steps, grads_of(list(tensors.values()))])
    for wanted, got in zip(*results, strict=True):
        agree(got, wanted)


def test_flag_of_a_tensor_that_is_an_argument_too() -> None:
    a = jitnet.rand(3).requires_grad_()

    @compile
    def freeze(x: Tensor) -> Tensor:
        x.requires_grad_(True)
        a.requires_grad_(False)
        return x * 2

    freeze(jitnet.rand(3))
    freeze(a)
    assert not a.requires_grad
