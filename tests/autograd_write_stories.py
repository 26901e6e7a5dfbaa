"""More of autograd's stories: writes in place, through views and bases; what goes stale."""

from __future__ import annotations

from typing import Any

import pytest

from tests.autograd_stories import leaf, story


@story
def zero_grads_of_views(lib: Any) -> Any:
    x = leaf(lib, 3, 2)
    y = x.t()[1]
    y.sum().backward()
    x.grad.zero_()
    x.grad = None
    (x[0] * x[2]).sum().backward()
    return x.grad


@story
def gradients_do_not_alias(lib: Any) -> Any:
    a, b = leaf(lib, 3), leaf(lib, 3)
    (a + b).sum().backward()
    a.grad.mul_(5)
    c, d = leaf(lib, 3), leaf(lib, 3)
    seed = lib.ones(3)
    (c + d).backward(seed)
    c.grad.mul_(5)
    return a.grad, b.grad, c.grad, d.grad, seed


@story
def in_place_on_leaf(lib: Any) -> Any:
    x = leaf(lib, 3)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        x[0].add_(1)
    with pytest.raises(RuntimeError, match="leaf"):
        x[0] = 5.0
    with lib.no_grad():
        x.add_(1)
        x[0] = 7.0
    (x * x).sum().backward()
    return x, x.grad


@story
def in_place_on_inner(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = x * 2
    y.add_(1)
    y *= 3
    y.mul_(y.detach().clone())
    y.sum().backward()
    return y, x.grad


@story
def in_place_activations(lib: Any) -> Any:
    x = leaf(lib, 4)
    y = (x - 2.5).sin_().mul_(x)
    y.clamp_(max=4).add_(1).square_().log_()
    y /= x
    y **= 2
    y.sum().backward()
    return y, x.grad


@story
def stale_value(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = x.exp()
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    u = x * 2
    v = u + 1
    u.add_(1)  # the sum kept nothing
    v.sum().backward()
    return x.grad


@story
def stale_through_a_view(lib: Any) -> Any:
    x = leaf(lib, 4)
    y = x * 1
    z = y * y
    y[1:].zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()
    return y


@story
def write_into_view(lib: Any) -> Any:
    x, w = leaf(lib, 2, 3), leaf(lib, 3)
    y = x * 1
    row = y[1]
    row.mul_(2)
    row.add_(w)
    (y * y).sum().backward()
    return y, x.grad, w.grad, row


@story
def write_into_base(lib: Any) -> Any:
    x, w = leaf(lib, 6), leaf(lib, 6)
    y = x * 1
    part = y.view(2, 3)[:, 1:]
    y.mul_(w)
    (part * part).sum().backward()
    return part, x.grad, w.grad


@story
def write_through_chain(lib: Any) -> Any:
    x, w = leaf(lib, 4, 3), leaf(lib, 2)
    y = x * 1
    y.t()[1][::2].copy_(w)
    y.reshape(3, 4)[0, 1:3].mul_(3)
    (y * y).sum().backward()
    return y, x.grad, w.grad


@story
def fill_a_buffer(lib: Any) -> Any:
    x = leaf(lib, 3)
    out = lib.zeros(3, 2)
    for i in range(3):
        out[i] = x[i] * lib.tensor([1.0, 2.0])
    out[0, 0] = 100.0
    (out * out).sum().backward()
    return out, x.grad, out.requires_grad, out.is_leaf


@story
def sibling_views_follow(lib: Any) -> Any:
    x = leaf(lib, 3)
    base = lib.zeros(3)
    a, b = base[:2], base[1:]
    a.copy_(x[:2])
    found = b.requires_grad, base.requires_grad
    (b * b).sum().backward()
    return found, x.grad, b


@story
def detached_shares_memory(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = x * 2
    d = y.detach()
    d[0] = 50.0
    x.data[1] = 9.0
    return y, x, d.requires_grad


@story
def detach_in_place(lib: Any) -> Any:
    x = leaf(lib, 2)
    y = x * 2
    y.detach_()
    z = (y * x).sum()
    z.backward()
    return y.requires_grad, x.grad


@story
def zero_and_fill(lib: Any) -> Any:
    x = leaf(lib, 3)
    y = x * 2
    y[1:].zero_()
    y.sum().backward()
    z = x * 2
    z.fill_(4.0)
    z.sum().backward()
    return x.grad, z


@story
def masked_writes(lib: Any) -> Any:
    x, w = leaf(lib, 4), leaf(lib, 2)
    y = x * 1
    y[y > 2.5] = w
    y[y < 1.5] = 0.0
    y.masked_fill_(y == 2.0, -3.0)
    (y * y).sum().backward()
    return y, x.grad, w.grad
