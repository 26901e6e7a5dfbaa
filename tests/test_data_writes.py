"""Writes through `.data`: what tensors hold changes, and autograd does not notice."""

from __future__ import annotations

import pytest

import jitnet as jn


def weight() -> jn.nn.Parameter:
    return jn.nn.Parameter(jn.tensor([1.0, 2.0, 3.0]))


def test_backward_computes_with_what_is_there_after_a_write_through_data() -> None:
    w = weight()
    loss = (w * w).sum()
    w.data.mul_(2)
    loss.backward()
    assert w.grad.tolist() == [4.0, 8.0, 12.0]


def test_backward_through_a_compiled_call_does_so_too() -> None:
    w = weight()
    loss = jn.compile(lambda: (w * w).sum())()
    w.data.mul_(2)
    loss.backward()
    assert w.grad.tolist() == [4.0, 8.0, 12.0]


@pytest.mark.parametrize("write", [lambda w: w.detach().mul_(2), lambda w: w.view(-1)[0].zero_()])
def test_every_other_write_makes_saved_values_stale(write) -> None:
    w = weight()
    loss = (w * w).sum()
    with jn.no_grad():
        write(w)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_what_data_gives_has_a_version_of_its_own() -> None:
    w = weight()
    data = w.data
    part = data[1:]
    part.add_(1)
    assert (w._version, data._version, part._version, w.data._version) == (0, 1, 1, 0)
    with jn.no_grad():
        w.add_(1)
    assert (w._version, data._version) == (1, 1)
    assert w.tolist() == [2.0, 4.0, 5.0]


def test_a_value_saved_through_data_is_stale_after_a_write_through_the_same_tensor() -> None:
    w, data = weight(), jn.ones(3).data
    loss = (w * data).sum()
    data.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_custom_function_may_fill_what_it_saved_through_data() -> None:
    class Product(jn.autograd.Function):
        @staticmethod
        def forward(ctx, x, scratch):
            ctx.save_for_backward(scratch)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            (scratch,) = ctx.saved_tensors
            return g * scratch, None

    x, scratch = weight(), jn.zeros(3)
    y = Product.apply(x, scratch)
    scratch.data[1] = 5.0
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 5.0, 0.0]


def test_a_compiled_step_that_writes_through_data_does_what_the_eager_one_does() -> None:
    def step(w: jn.Tensor) -> jn.Tensor:
        loss = (w * w).sum()
        w.data.mul_(2)
        loss.backward()
        w.data -= 0.1 * w.grad
        w.grad = None
        return loss.detach()

    held, compiled_held = weight(), weight()
    compiled = jn.compile(lambda: step(compiled_held))
    for _ in range(3):
        assert jn.allclose(step(held), compiled())
        assert jn.allclose(held, compiled_held)


def test_kept_values_are_made_again_after_a_write_through_data() -> None:
    convolution = jn.nn.Conv2d(4, 8, 3).requires_grad_(False)
    x = jn.randn(1, 4, 8, 8)
    compiled = jn.compile(convolution)
    compiled(x)
    convolution.weight.data.mul_(3)
    assert jn.allclose(compiled(x), convolution(x), atol=1e-5)


def test_a_compiled_call_may_write_a_computed_value_through_data() -> None:
    def step(average: jn.Tensor, x: jn.Tensor) -> jn.Tensor:
        average.data.lerp_(x * 2, 0.5)
        return (x * average).sum()

    average, other = jn.zeros(3), jn.zeros(3)
    x = weight()
    compiled = jn.compile(lambda x: step(other, x))
    for _ in range(2):
        assert jn.allclose(compiled(x), step(average, x))
        assert jn.allclose(other, average)
        assert not other.requires_grad


def test_what_such_a_write_made_of_an_alias_cannot_be_returned() -> None:
    average = jn.zeros(3)

    def step(x: jn.Tensor) -> jn.Tensor:
        data = average.data
        data.add_(x)
        return data

    with pytest.raises(jn.errors.CompileError, match="with gradients recorded"):
        jn.compile(step)(weight())
