"""Random programs of user-level functions: eager against compiled, results and gradients."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor

Step = Callable[[list[Tensor]], Tensor]
SIZES = (1, 2, 3, 5, 8, 17)


def elementwise(choose: random.Random) -> Step:
    """A function of one tensor."""
    functions: list[Callable[[Tensor], Tensor]] = [
        F.relu, F.gelu, F.silu, F.elu, F.softplus, F.leaky_relu, jitnet.tanh, jitnet.sigmoid,
        jitnet.sin, jitnet.abs, lambda x: (x * x + 1).sqrt(), lambda x: (x.abs() + 1).log(),
        lambda x: x.clamp(-0.5, 0.7), lambda x: -x / 2, lambda x: x**2 - 1,
        lambda x: 1 / (x * x + 1),
        lambda x: jitnet.where(x > 0.1, x, x.exp().clamp(max=2)),
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: x.float().double(), lambda x: x.detach() * x, lambda x: x.sign() * 0.1 + x,
    ]  # fmt: skip
    function = choose.choice(functions)
    return lambda values: function(values[-1])


def arithmetic(choose: random.Random) -> Step:
    """A function of two tensors, broadcast."""
    functions: list[Callable[[Tensor, Tensor], Tensor]] = [
        lambda a, b: a + b, lambda a, b: a - 2 * b, lambda a, b: a * b, jitnet.maximum,
        lambda a, b: a / (b.abs() + 1), lambda a, b: jitnet.where(a < b, a, b * 0.5),
        jitnet.minimum, lambda a, b: jitnet.atan2(a, b.abs() + 1),
    ]  # fmt: skip
    function = choose.choice(functions)
    other = choose.random()

    def step(values: list[Tensor]) -> Tensor:
        a = values[-1]
        b = values[int(other * len(values))]
        dims = list(b.shape)
        fits = len(dims) <= a.ndim and all(
            x in (1, y) for x, y in zip(dims[::-1], a.shape[::-1], strict=False)
        )
        return function(a, b if fits else b.mean())

    return step


def reduction(choose: random.Random) -> Step:
    """Over one dim or all of them, kept or not."""
    functions: list[Callable[[Tensor, int], Tensor]] = [
        lambda x, d: x.sum(d), lambda x, d: x.mean(d, keepdim=True),
        lambda x, d: x - x.mean(d, True),
        lambda x, d: x.max(d).values, lambda x, d: x.amin(d, keepdim=True),
        lambda x, d: F.softmax(x, d),
        lambda x, d: F.log_softmax(x, d), lambda x, d: x.logsumexp(d), lambda x, d: x.sum(),
        lambda x, d: x.var(d, unbiased=False),
        lambda x, d: x / x.norm(dim=d, keepdim=True).clamp(min=1),
        lambda x, d: x.prod(d), lambda x, d: F.layer_norm(x, x.shape[-1:]),
        lambda x, d: x.argmax(d).double() * 0.1, lambda x, d: (x > 0).any(d).double() + x.mean(),
    ]  # fmt: skip
    function, where = choose.choice(functions), choose.random()

    def step(values: list[Tensor]) -> Tensor:
        x = values[-1]
        if x.ndim == 0:
            x = x.reshape(1, 1)
        return function(x, int(where * x.ndim))

    return step


def movement(choose: random.Random) -> Step:
    """A view, an index, a join."""
    mask = jitnet.tensor([True, False, True])
    functions: list[Callable[[Tensor], Tensor]] = [
        lambda x: x.transpose(0, -1), lambda x: x.reshape(-1), lambda x: x.flatten(),
        lambda x: x[::2],
        lambda x: x[..., -1:], lambda x: x.unsqueeze(0), lambda x: x.squeeze(), lambda x: x.flip(0),
        lambda x: jitnet.cat([x, x * 2], -1), lambda x: jitnet.stack([x, -x]),
        lambda x: x[None, ..., None],
        lambda x: x[jitnet.tensor([0, -1, 0])], lambda x: x.repeat(*(2,) * x.ndim),
        lambda x: x.roll(1, 0), lambda x: F.pad(x, (1, 2)), lambda x: x.split(1)[0],
        lambda x: x.masked_fill(x > 0.5, 0.25), lambda x: x.tril() if x.ndim > 1 else x,
        lambda x: x.index_select(0, jitnet.tensor([0, 0])), lambda x: x.chunk(2, -1)[0],
        lambda x: jitnet.where(mask[:1], x, 0), lambda x: x.expand(2, *x.shape),
        lambda x: x.movedim(0, -1),
        lambda x: x.gather(-1, jitnet.zeros(*x.shape, dtype=jitnet.int64)),
    ]  # fmt: skip
    function = choose.choice(functions)
    return lambda values: function(values[-1] if values[-1].ndim else values[-1].reshape(1))


def in_place(choose: random.Random) -> Step:
    """Writes into a copy and into views of it."""

    def one(x: Tensor) -> Tensor:
        y = x.clone()
        y[0] = y[-1] * 2
        return y

    def two(x: Tensor) -> Tensor:
        y = x * 1
        y.mul_(2).add_(1)
        y[..., 0] += 3
        return y

    def three(x: Tensor) -> Tensor:
        y = x + 0
        view = y.transpose(0, -1)
        view[:1].sub_(0.5)
        y.view(-1)[0] = 0.0
        return y + view.sum()

    def four(x: Tensor) -> Tensor:
        y = x.clone()
        y[y > 0] = 0.125
        y[[0]] = y[[0]] * 3
        return y

    def five(x: Tensor) -> Tensor:
        y = jitnet.zeros_like(x)
        y.copy_(x)
        return y.index_add(0, jitnet.tensor([0, 0]), jitnet.stack([x[0], x[-1]]))

    function = choose.choice([one, two, three, four, five])
    return lambda values: function(values[-1] if values[-1].ndim else values[-1].reshape(1))


def network(choose: random.Random) -> Step:
    """A layer's function with small fixed weights."""
    seed = choose.randrange(1 << 20)

    def weight(*shape: int) -> Tensor:
        rng = np.random.default_rng(seed)
        return jitnet.from_numpy(rng.standard_normal(shape) / np.sqrt(max(shape[-1], 1)))

    def linear(x: Tensor) -> Tensor:
        return F.linear(x, weight(6, x.shape[-1]), weight(6))

    def square(x: Tensor) -> Tensor:
        return x @ x.transpose(-1, -2) / x.shape[-1] if x.ndim > 1 else x.dot(x)

    def image(x: Tensor) -> Tensor:
        return x.reshape(-1)[: x.numel() // 4 * 4].reshape(1, 4, -1)

    grouped = choose.random() < 0.5

    def convolution(x: Tensor) -> Tensor:
        if x.numel() < 4:
            return x
        if grouped:
            return F.conv1d(image(x), weight(4, 2, 2), stride=2, padding=1, groups=2)
        return F.conv_transpose1d(image(x), weight(4, 3, 3), stride=2)

    def pool(x: Tensor) -> Tensor:
        if x.numel() < 8:
            return x
        return F.max_pool1d(image(x), 2, 1) + F.avg_pool1d(image(x), 2, 1)

    def lookup(x: Tensor) -> Tensor:
        return F.embedding(jitnet.tensor([[0, 1], [1, 1]]), x) if x.ndim == 2 and len(x) > 1 else x

    def entropy(x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        labels = jitnet.zeros(len(rows), dtype=jitnet.int64)
        return F.cross_entropy(rows, labels, label_smoothing=0.1)

    functions = [linear, square, convolution, pool, lookup, entropy]
    function = choose.choice(functions)
    return lambda values: function(values[-1] if values[-1].ndim else values[-1].reshape(1))


KINDS = (
    elementwise,
    elementwise,
    arithmetic,
    arithmetic,
    reduction,
    movement,
    movement,
    in_place,
    network,
)


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_compiled_programs_do_what_eager_ones_do(choose: random.Random) -> None:
    """A program of up to eight steps on two tensors, and its gradients."""
    steps = [choose.choice(KINDS)(choose) for _ in range(choose.randint(1, 8))]
    rng = np.random.default_rng(choose.randrange(1 << 20))
    shapes = [tuple(choose.choice(SIZES) for _ in range(choose.randint(1, 3))) for _ in range(2)]
    data = [rng.uniform(-1.5, 1.5, shape) for shape in shapes]
    backward = choose.random() < 0.7

    def program(a: Tensor, b: Tensor) -> list[Tensor]:
        values = [b, a]
        for step in steps:
            result = step(values)
            values.append(result if result.numel() <= 3000 else result.mean())
        total = sum((value * value).mean() for value in values[-3:])
        results = [values[-1], total]
        if backward and total.requires_grad:
            results.extend(jitnet.autograd.grad(total, (a, b), allow_unused=True))
        return results

    def leaves() -> list[Tensor]:
        return [jitnet.from_numpy(array.copy()).requires_grad_() for array in data]

    wanted = program(*leaves())
    compiled = jitnet.compile(program)
    inputs = leaves()
    got = compiled(*inputs)
    for one, other in zip(got, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is None:
            continue
        assert one.shape == other.shape and one.dtype == other.dtype
        assert one.requires_grad == other.requires_grad
        np.testing.assert_allclose(
            one.detach().numpy(), other.detach().numpy(), rtol=1e-7, atol=1e-9
        )
    if not backward and wanted[1].requires_grad:
        one, other = leaves(), leaves()
        compiled(*one)[1].backward()
        program(*other)[1].backward()
        for mine, theirs in zip(one, other, strict=True):
            assert (mine.grad is None) == (theirs.grad is None)
            if mine.grad is not None:
                np.testing.assert_allclose(
                    mine.grad.numpy(), theirs.grad.numpy(), rtol=1e-7, atol=1e-9
                )
