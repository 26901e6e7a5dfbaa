"""Compiled forward functions take part in eager autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from jitnet.compile import compile
from jitnet.errors import CompileError
from jitnet.tensor import Tensor


def leaf(*shape: int) -> Tensor:
    rng = np.random.default_rng(sum(shape))
    return jitnet.from_numpy(rng.normal(size=shape).astype(np.float32)).requires_grad_()


def compare(function: Callable[..., Any], make: Callable[[], tuple[Tensor, ...]]) -> Any:
    """Compare the gradients that reach the arguments through eager and compiled code."""
    fn = compile(function)
    for _ in range(2):
        mine, theirs = make(), make()
        got, wanted = fn(*mine), function(*theirs)
        np.testing.assert_allclose(got.detach().numpy(), wanted.detach().numpy(), rtol=1e-5)
        assert got.requires_grad == wanted.requires_grad
        assert got.is_leaf == wanted.is_leaf
        (got * got).sum().backward()
        (wanted * wanted).sum().backward()
        for a, b in zip(mine, theirs, strict=True):
            assert (a.grad is None) == (b.grad is None)
            if b.grad is not None:
                np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-5)
    return fn


def test_gradients_of_arguments() -> None:
    compare(lambda x, w: (x @ w).tanh() * 2, lambda: (leaf(3, 4), leaf(4, 2)))


def test_only_wanted_gradients() -> None:
    def make() -> tuple[Tensor, ...]:
        return leaf(3, 4), leaf(4, 2).detach()

    fn = compare(lambda x, w: F.relu(x @ w), make)
    backward = fn.variants[0].traced.backward
    assert len(backward.owners) == 1


def test_module_parameters_and_intermediate_arguments() -> None:
    jitnet.manual_seed(0)
    inner = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2))
    outer = nn.Linear(3, 4)
    fn = compile(inner)

    def grads(run: Callable[[Tensor], Tensor]) -> list[np.ndarray]:
        for module in (inner, outer):
            module.zero_grad()
        run(outer(jitnet.ones(5, 3))).pow(2).mean().backward()
        return [p.grad.numpy().copy() for m in (inner, outer) for p in m.parameters()]

    for a, b in zip(grads(fn), grads(inner), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_eager_optimizer_goes_on_with_compiled_forward() -> None:
    def train(wrap: Callable[[nn.Module], Any]) -> list[float]:
        jitnet.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(4, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2)
        )
        run = wrap(model)
        optimizer = jitnet.optim.Adam(model.parameters(), lr=1e-2)
        losses = []
        for number in range(10):
            x = leaf(6 + number, 4).detach()
            optimizer.zero_grad()
            loss = run(x).pow(2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        losses.append(model[1].running_mean.sum().item())
        return losses

    np.testing.assert_allclose(train(compile), train(lambda model: model), rtol=1e-3)


def test_several_results_and_views() -> None:
    def function(x: Tensor) -> tuple[Tensor, ...]:
        y = x.exp()
        return y, y.t(), y[0], (y * 2).detach(), x.sum()

    fn = compile(function)
    x, other = leaf(3, 4), leaf(3, 4)
    got, wanted = fn(x), function(other)
    for a, b in zip(got, wanted, strict=True):
        assert a.requires_grad == b.requires_grad
    (got[0].sum() + got[1][0, 0] * 3 + got[2].sum() * got[4]).backward()
    (wanted[0].sum() + wanted[1][0, 0] * 3 + wanted[2].sum() * wanted[4]).backward()
    np.testing.assert_allclose(x.grad.numpy(), other.grad.numpy(), rtol=1e-4)


def test_unused_result_needs_no_gradient() -> None:
    fn = compile(lambda x: (x * 2, x * 3))
    x = leaf(3)
    fn(x)[1].sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [3, 3, 3])


def test_backward_twice_and_retain_graph() -> None:
    fn = compile(lambda x: x.sin())
    x = leaf(3)
    y = fn(x).sum()
    y.backward(retain_graph=True)
    first = x.grad.numpy().copy()
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * first, rtol=1e-6)
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_double_backward_is_refused_clearly() -> None:
    fn = compile(lambda x: x.pow(3))
    x = leaf(3)
    with pytest.raises(RuntimeError, match="second derivative"):
        jitnet.autograd.grad(fn(x).sum(), x, create_graph=True)


def test_second_order_inside_is_compiled() -> None:
    def function(x: Tensor) -> Tensor:
        (first,) = jitnet.autograd.grad(x.pow(3).sum(), x, create_graph=True)
        return (first * first).sum()

    compare(function, lambda: (leaf(4),))


def test_saved_values_written_since_are_refused() -> None:
    weight = leaf(3)
    fn = compile(lambda x: x * weight)
    x = leaf(3)
    y = fn(x).sum()
    with jitnet.no_grad():
        weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_saved_result_written_since_is_refused() -> None:
    fn = compile(lambda x: x.exp())
    x = leaf(3)
    y = fn(x)
    z = y.sum()
    with jitnet.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_forward_that_writes_what_backward_reads() -> None:
    scale = jitnet.ones(3) * 2

    def function(x: Tensor) -> Tensor:
        y = x * scale.clone()
        with jitnet.no_grad():
            scale.add_(1)
        return y

    fn = compile(function)
    x = leaf(3)
    fn(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 2, 2])
    np.testing.assert_array_equal(scale.numpy(), [3, 3, 3])


def test_hooks_run_once() -> None:
    weight = leaf(3)
    weight.register_hook(lambda g: g * 10)
    fn = compile(lambda x: x * weight)
    fn(jitnet.ones(3)).sum().backward()
    np.testing.assert_array_equal(weight.grad.numpy(), [10, 10, 10])


def test_history_from_outside_is_refused() -> None:
    weight = leaf(3)
    product = weight * 2
    with pytest.raises(CompileError, match="computed outside"):
        compile(lambda x: (x * product).sum())(jitnet.ones(3))
    fn = compile(lambda x, p: (x * p).sum())
    fn(jitnet.ones(3), product).backward()
    np.testing.assert_array_equal(weight.grad.numpy(), [2, 2, 2])


def test_backward_inside_past_an_argument_is_refused() -> None:
    weight = leaf(3)

    def function(x: Tensor) -> None:
        (x * x).sum().backward()

    with pytest.raises(CompileError, match="argument x"):
        compile(function)(weight * 2)
    compile(function)(weight)
    np.testing.assert_allclose(weight.grad.numpy(), 2 * weight.detach().numpy())


def test_loss_after_backward_inside_says_what_eager_says() -> None:
    weight = leaf(3)

    def step() -> Tensor:
        weight.grad = None
        loss = (weight * weight).sum()
        loss.backward()
        return loss

    loss = compile(step)()
    assert loss.requires_grad and loss.grad_fn is not None
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_no_grad_records_nothing() -> None:
    fn = compile(lambda x: x * 2)
    with jitnet.no_grad():
        y = fn(leaf(3))
    assert not y.requires_grad
    assert fn.variants[0].traced.backward is None


def test_fresh_leaf_and_requires_grad_inside() -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        x.requires_grad_()
        y = jitnet.zeros(2, requires_grad=True)
        (x * x).sum().backward()
        return x, y

    fn = compile(function)
    for _ in range(2):
        x = jitnet.ones(2)
        same, y = fn(x)
        assert same is x and x.requires_grad and y.requires_grad and y.is_leaf
        np.testing.assert_array_equal(x.grad.numpy(), [2, 2])


def test_dropout_forward_and_backward_agree() -> None:
    fn = compile(lambda x: F.dropout(x, 0.5, True))
    x = leaf(100)
    y = fn(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy() != 0, y.detach().numpy() != 0)


def test_float_argument_in_backward() -> None:
    fn = compile(lambda x, k: (x * x) * k)
    for k in (2.0, 3.0):
        x = leaf(3)
        fn(x, k).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), 2 * k * x.detach().numpy(), rtol=1e-6)
    assert len(fn.variants) == 1
