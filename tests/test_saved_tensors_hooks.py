"""What ops keep for backward, as the user's functions pack it."""

from __future__ import annotations

import pytest

import jitnet as jn
from jitnet.autograd.graph import save_on_cpu, saved_tensors_hooks
from jitnet.errors import CompileError


def leaf() -> jn.Tensor:
    return jn.tensor([1.0, 2.0, 3.0], requires_grad=True)


def test_backward_computes_with_what_unpacking_gives() -> None:
    x = leaf()
    with saved_tensors_hooks(lambda tensor: tensor * 4, lambda kept: kept * 4):
        y = x * x
    y.sum().backward()
    assert x.grad.tolist() == [32.0, 64.0, 96.0]


def test_arguments_and_results_are_packed_inside_the_block_alone() -> None:
    shapes: list[tuple[int, ...]] = []
    kept: dict[int, jn.Tensor] = {}

    def pack(tensor: jn.Tensor) -> int:
        shapes.append(tuple(tensor.shape))
        kept[len(kept)] = tensor
        return len(kept) - 1

    x, w = leaf(), jn.ones(3, 2, requires_grad=True)
    with saved_tensors_hooks(pack, kept.__getitem__):
        y = (x @ w).tanh()
    z = y.exp().sum()
    assert {(1, 3), (3, 2), (2,)} == set(shapes)
    count = len(shapes)
    z.backward()
    packed = x.grad
    x.grad = None
    (x @ w).tanh().exp().sum().backward()
    assert jn.allclose(packed, x.grad)
    assert len(shapes) == count


def test_save_on_cpu_and_custom_functions() -> None:
    class Cube(jn.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x**2 * g

    x = leaf()
    with save_on_cpu():
        Cube.apply(x).sum().backward()
    assert x.grad.tolist() == [3.0, 12.0, 27.0]


def test_second_derivatives() -> None:
    x = leaf()
    with save_on_cpu():
        (first,) = jn.autograd.grad((x**3).sum(), x, create_graph=True)
        first.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0, 18.0]


def test_what_cannot_be() -> None:
    x = leaf()
    with saved_tensors_hooks(lambda tensor: tensor, lambda kept: None):
        y = x * x
    with pytest.raises(TypeError, match="unpack hook must return a Tensor, got NoneType"):
        y.sum().backward()

    def step(x: jn.Tensor) -> jn.Tensor:
        with save_on_cpu():
            return x * x

    with pytest.raises(CompileError, match="cannot use saved_tensors_hooks"):
        jn.compile(step)(leaf())


def test_a_compiled_call_inside_the_block_keeps_what_it_keeps() -> None:
    x = leaf()
    with saved_tensors_hooks(lambda tensor: tensor * 4, lambda kept: kept):
        y = jn.compile(lambda x: x * x)(x)
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 4.0, 6.0]
