"""Autograd's rules, each as one story that can be told to jitnet and to PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Story = Callable[[Any], Any]
STORIES: list[Story] = []


def story(function: Story) -> Story:
    """Add a story: function(library) -> what is compared."""
    STORIES.append(function)
    return function


def leaf(lib: Any, *shape: int) -> Any:
    """Return 1, 2, 3, ... as a leaf that requires grad."""
    count = int(np.prod(shape))
    return lib.arange(1.0, count + 1.0).reshape(shape).clone().requires_grad_()


@story
def accumulates(lib: Any) -> Any:
    x = leaf(lib, 3)
    (x * 2).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    return x.grad, first is x.grad


@story
def diamond(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = x * x
    z = y + y * x
    z.sum().backward()
    return x.grad, x.is_leaf, y.is_leaf, y.requires_grad


@story
def retain_graph(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    return x.grad


@story
def twice_without_saved_values(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = (x + 1).reshape(1, 2).sum()
    y.backward()
    y.backward()
    return x.grad


@story
def second_order(lib: Any) -> Any:
    x = leaf(lib, 3)
    (g,) = lib.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = lib.autograd.grad(g.sum(), x, create_graph=True)
    h.sum().backward()
    return g, h, x.grad, g.requires_grad


@story
def backward_create_graph(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = (x.sin() * x).sum()
    (g,) = lib.autograd.grad(y, x, create_graph=True)
    penalty = (g * g).sum()
    penalty.backward()
    return g, x.grad


@story
def grad_of_several(lib: Any) -> Any:
    x, w = leaf(lib, 2, 2), leaf(lib, 2)
    y = x @ w
    return lib.autograd.grad([y, y * 2], [w, x], [lib.ones(2), lib.ones(2)], retain_graph=True)


@story
def grad_unused(lib: Any) -> Any:
    x, w = leaf(lib, 2), leaf(lib, 2)
    with pytest.raises(RuntimeError, match="allow_unused"):
        lib.autograd.grad(x.sum(), w)
    found = lib.autograd.grad((x * 2).sum(), [x, w], allow_unused=True)
    return found[0], found[1] is None, x.grad is None


@story
def grad_of_inner(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = x * 2
    z = (y * y).sum()
    return lib.autograd.grad(z, [y, x])


@story
def inputs_argument(lib: Any) -> Any:
    x, w = leaf(lib, 2), leaf(lib, 2)
    (x * w).sum().backward(inputs=[w])
    return x.grad is None, w.grad


@story
def gradient_argument(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = x * x
    with pytest.raises(RuntimeError, match="scalar outputs"):
        y.backward()
    y.backward(lib.tensor([1.0, 0.0, -1.0]))
    return x.grad


@story
def no_grad_and_detach(lib: Any) -> Any:
    x = leaf(lib, 3)
    with lib.no_grad():
        a = x * 2
        with lib.enable_grad():
            b = x * 3
    c = (x * 4).detach()
    with lib.inference_mode():
        d = x * 5
    y = (x * c).sum()
    y.backward()
    return a.requires_grad, b.requires_grad, c.requires_grad, d.requires_grad, x.grad


@story
def grad_mode_switches(lib: Any) -> Any:
    x = leaf(lib, 1)

    @lib.no_grad()
    def quiet(v: Any) -> Any:
        return v * 2

    @lib.no_grad()
    def numbers() -> Any:
        yield lib.is_grad_enabled()
        yield (x * 2).requires_grad

    found = [quiet(x).requires_grad, lib.is_grad_enabled()]
    found += list(numbers())
    with lib.set_grad_enabled(False):
        found.append((x * 2).requires_grad)
    lib.set_grad_enabled(False)
    found.append((x * 2).requires_grad)
    lib.set_grad_enabled(True)
    found.append((x * 2).requires_grad)
    return found


@story
def requires_grad_rules(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x * 2
    with pytest.raises(RuntimeError):
        y.requires_grad_(False)
    with pytest.raises(RuntimeError):
        lib.arange(3).requires_grad_()
    frozen = lib.ones(2)
    return (frozen * 2).requires_grad, (frozen * x).requires_grad, (y > 1).requires_grad


@story
def retain_grad(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x * 3
    y.retain_grad()
    (y * y).sum().backward()
    return y.grad, x.grad, y.retains_grad


@story
def leaf_hooks(lib: Any) -> Any:
    x = leaf(lib, 2)
    seen: list[Any] = []
    handle = x.register_hook(lambda g: seen.append(g.clone()))
    x.register_hook(lambda g: g * 10)
    ((x * 2).sum() + (x * 3).sum()).backward()
    handle.remove()
    (x * 1).sum().backward()
    return seen, x.grad


@story
def hooks_after_accumulation(lib: Any) -> Any:
    x = leaf(lib, 2)
    seen: list[Any] = []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.clone()))
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    handle.remove()
    (x * 4).sum().backward()
    return seen, x.grad


@story
def inner_hooks(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x * 2
    y.register_hook(lambda g: g * 100)
    z = y + y * y
    z.sum().backward()
    return x.grad


@story
def node_hooks(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x * 2
    seen: list[int] = []
    y.grad_fn.register_hook(lambda ins, outs: seen.append(len(outs)))
    y.sum().backward()
    return seen, x.grad


@story
def names_and_next_functions(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x * 2
    z = y + 1
    names = [z.grad_fn.name(), z.grad_fn.next_functions[0][0].name()]
    last = y.grad_fn.next_functions[0][0]
    return names, last.variable is x, type(last).__name__


@story
def deep_chain(lib: Any) -> Any:
    x = leaf(lib, 1)
    y = x
    for _ in range(10000):
        y = y + 0.001
    y.sum().backward()
    return x.grad


@story
def custom_function(lib: Any) -> Any:
    class Scale(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, factor: float) -> Any:
            ctx.save_for_backward(x)
            ctx.factor = factor
            return x * x * factor

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * 2 * x * ctx.factor, None

    x = leaf(lib, 3)
    y = Scale.apply(x, 3.0)
    (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()
    return y, g, x.grad, Scale.apply(x.detach(), 1.0).requires_grad


@story
def custom_function_of_two(lib: Any) -> Any:
    class Both(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            ctx.needs = ctx.needs_input_grad
            index = (a > b).long()
            ctx.mark_non_differentiable(index)
            return a * 2, b * 3, index

        @staticmethod
        def backward(ctx: Any, ga: Any, gb: Any, gi: Any) -> Any:
            return ga * 2, gb * 3

    a, b = leaf(lib, 2), leaf(lib, 2)
    p, q, i = Both.apply(a, b)
    p.sum().backward()
    return a.grad, b.grad, q.requires_grad, i.requires_grad


@story
def custom_function_once(lib: Any) -> Any:
    from importlib import import_module

    once = import_module(f"{lib.__name__}.autograd.function").once_differentiable

    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2 * ctx.saved_tensors[0]

    x = leaf(lib, 2)
    y = Square.apply(x)
    (g,) = lib.autograd.grad((y * y).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()
    return g


@story
def custom_function_wrong_count(lib: Any) -> Any:
    class Wrong(lib.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g, g

    with pytest.raises(RuntimeError, match="incorrect number of gradients"):
        Wrong.apply(leaf(lib, 2)).sum().backward()


@story
def gradient_dtypes(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x.double() * lib.tensor([1.0, 2.0], dtype=lib.float64)
    y.sum().backward()
    return x.grad, y


@story
def grad_attribute(lib: Any) -> Any:
    x = leaf(lib, 2)
    x.grad = lib.ones(2)
    (x * 2).sum().backward()
    with pytest.raises((RuntimeError, TypeError)):
        x.grad = lib.ones(3)
    with pytest.raises(TypeError):
        x.grad = 1.0
    return x.grad


@story
def ties(lib: Any) -> Any:
    x = lib.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]).requires_grad_()
    x.max().backward()
    first = x.grad.clone()
    x.amax(1).sum().backward()
    second = x.grad.clone()
    x.max(1)[0].sum().backward()
    third = x.grad.clone()
    lib.maximum(x, x.detach().flip(1)).sum().backward()
    return first, second, third, x.grad


@story
def unused_branches(lib: Any) -> Any:
    x, w = leaf(lib, 2), leaf(lib, 2)
    (x * 2).sum()
    y = lib.where(x > 1.5, x, w)
    y.sum().backward()
    return x.grad, w.grad
