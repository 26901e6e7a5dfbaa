"""Hooks around a module's backward, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def _seen(lib: Any, inputs: bool) -> tuple[list[Any], np.ndarray]:
    """The gradients that hooks of a hidden layer see, and the input's in the end."""
    model = lib.nn.Sequential(lib.nn.Linear(4, 3), lib.nn.Tanh(), lib.nn.Linear(3, 2))
    with lib.no_grad():
        for number, param in enumerate(model.parameters()):
            param.copy_(lib.linspace(-1, 1 + number, param.numel()).reshape(param.shape))
    found: list[Any] = []

    def after(module: Any, grad_input: Any, grad_output: Any) -> Any:
        found.extend(grad_input)
        found.extend(grad_output)
        return tuple(None if grad is None else grad * 2 for grad in grad_input)

    def before(module: Any, grad_output: Any) -> Any:
        found.extend(grad_output)
        return tuple(grad + 1 for grad in grad_output)

    layer = model[1 if inputs else 0]
    handle = layer.register_full_backward_hook(after)
    layer.register_full_backward_pre_hook(before)
    x = lib.tensor(X, requires_grad=inputs)
    model(x).sum().backward()
    handle.remove()
    grad = x.grad if inputs else model[0].weight.grad
    return [None if each is None else each.detach().numpy() for each in found], grad.numpy()


@pytest.mark.parametrize("inputs", [True, False])
@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_hooks_see_and_change_gradients(inputs: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    (mine, grad), (theirs, wanted) = _seen(jitnet, inputs), _seen(torch, inputs)
    assert len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(grad, wanted, rtol=1e-4, atol=1e-6)


def test_hooks_are_part_of_a_compiled_step() -> None:
    layer = nn.Linear(4, 2)
    layer.register_full_backward_hook(lambda module, grads, outputs: (grads[0] * 3,))
    found = []

    def step(x: Any) -> Any:
        layer(x).sum().backward()
        return x.grad

    for run in (step, jitnet.compile(step)):
        found.append(run(jitnet.tensor(X, requires_grad=True)).numpy())
    np.testing.assert_allclose(found[0], 3 * layer.weight.detach().sum(0).expand(3, 4).numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
