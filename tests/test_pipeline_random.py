"""Random graphs, compiled, against the ops' own eval: the whole pipeline's differential test."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jitnet.compiler import ops
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.runtime.dtype import float64
from tests.graph_harness import argument, run

SIZES = (1, 2, 3, 4, 7, 16, 33)
UNARY = (ops.neg, ops.abs, ops.tanh, ops.sigmoid, ops.sin, ops.erf, ops.atan, ops.expm1)
BINARY = (ops.add, ops.sub, ops.mul, ops.maximum, ops.minimum)
COMPARE = (ops.lt, ops.ge, ops.ne)


class Grower:
    """Grows a graph of float64 values, one random op at a time, each value kept near 1."""

    def __init__(self, choose: random.Random) -> None:
        self.choose = choose
        self.rng = np.random.default_rng(choose.randrange(1 << 30))
        self.inputs: list[Input] = []
        self.arrays: list[np.ndarray] = []
        self.values: list[Node] = []
        for _ in range(choose.randint(1, 3)):
            self.leaf(tuple(choose.choice(SIZES) for _ in range(choose.randint(1, 4))))

    def leaf(self, shape: tuple[int, ...]) -> Node:
        """Add an input, contiguous or not."""
        array = self.rng.uniform(-2, 2, shape)
        if self.choose.random() < 0.3 and array.ndim > 1:
            array = np.asfortranarray(array)
        item = argument(f"x{len(self.inputs)}", array)
        self.inputs.append(item)
        self.arrays.append(array)
        self.values.append(item.node)
        return item.node

    def any(self) -> Node:
        """Return one of the values so far."""
        return self.choose.choice(self.values)

    def like(self, shape: tuple[int, ...]) -> Node:
        """Return a value of a shape: one that exists, one broadcast to it, or a new input."""
        same = [value for value in self.values if value.shape == shape]
        if same and self.choose.random() < 0.8:
            return self.choose.choice(same)
        kept = tuple(size if self.choose.random() < 0.6 else 1 for size in shape)
        return ops.expand(self.leaf_or_known(kept), shape=shape)

    def leaf_or_known(self, shape: tuple[int, ...]) -> Node:
        """Return a value of a shape."""
        known = [value for value in self.values if value.type.numel == int(np.prod(shape))]
        if known:
            return ops.reshape(self.choose.choice(known), shape=shape)
        return self.leaf(shape)

    def step(self) -> None:
        """Add one value."""
        kinds = (
            self.unary, self.binary, self.binary, self.select, self.reduce, self.softmax,
            self.move, self.move, self.matmul, self.lookup, self.pool, self.convolution,
        )  # fmt: skip
        self.values.append(self.choose.choice(kinds)())

    def unary(self) -> Node:
        """f(x)"""
        return self.choose.choice(UNARY)(self.any())

    def binary(self) -> Node:
        """f(x, y), halved so that values stay small"""
        x = self.any()
        result = self.choose.choice(BINARY)(x, self.like(x.shape))
        return ops.mul(result, ops.full_like(result, value=0.5))

    def select(self) -> Node:
        """x if x < y else z"""
        x = self.any()
        condition = self.choose.choice(COMPARE)(x, self.like(x.shape))
        if self.choose.random() < 0.3:
            return ops.cast(ops.logical_not(condition), dtype=float64)
        return ops.where(condition, x, self.like(x.shape))

    def reduce(self) -> Node:
        """A mean or a maximum over some axes, sometimes repeated over them again"""
        x = self.any()
        axes = tuple(a for a in range(len(x.shape)) if self.choose.random() < 0.5)
        if self.choose.random() < 0.5:
            count = int(np.prod([x.shape[a] for a in axes]))
            result = ops.mul(
                ops.sum(x, axes=axes), ops.full_like(ops.sum(x, axes=axes), value=1 / count)
            )
        else:
            result = self.choose.choice((ops.max, ops.min))(x, axes=axes)
        if self.choose.random() < 0.5:
            kept = tuple(1 if a in axes else size for a, size in enumerate(x.shape))
            result = ops.sub(x, ops.expand(ops.reshape(result, shape=kept), shape=x.shape))
        return result

    def softmax(self) -> Node:
        """softmax over one axis"""
        x = self.any()
        if not x.shape:
            return ops.exp(ops.neg(ops.abs(x)))
        axis = self.choose.randrange(len(x.shape))
        kept = tuple(1 if a == axis else size for a, size in enumerate(x.shape))

        def spread(value: Node) -> Node:
            return ops.expand(ops.reshape(value, shape=kept), shape=x.shape)

        e = ops.exp(ops.sub(x, spread(ops.max(x, axes=(axis,)))))
        return ops.div(e, spread(ops.sum(e, axes=(axis,))))

    def move(self) -> Node:
        """A view"""
        x = self.any()
        rank = len(x.shape)
        match self.choose.randrange(7):
            case 0:
                return ops.permute(x, axes=tuple(self.choose.sample(range(rank), rank)))
            case 1:
                sizes = [x.type.numel]
                while self.choose.random() < 0.6:
                    factor = self.choose.choice([f for f in (1, 2, 3, 4, 7) if sizes[-1] % f == 0])
                    sizes[-1:] = [factor, sizes[-1] // factor]
                return ops.reshape(x, shape=tuple(sizes))
            case 2:
                starts = tuple(self.choose.randrange(size) for size in x.shape)
                steps = tuple(self.choose.randint(1, 2) for _ in x.shape)
                return ops.slice(x, starts=starts, stops=x.shape, steps=steps)
            case 3:
                return ops.flip(x, axes=tuple(a for a in range(rank) if self.choose.random() < 0.5))
            case 4 if x.type.numel < 4000:
                low = tuple(self.choose.randint(0, 2) for _ in x.shape)
                return ops.pad(x, low=low, high=low[::-1], value=0.5)
            case 5 if rank and x.type.numel < 4000:
                return ops.concat(x, self.like(x.shape), axis=self.choose.randrange(rank))
            case _:
                starts = tuple(self.choose.randrange(size) for size in x.shape)
                steps = tuple(self.choose.randint(1, 3) for _ in x.shape)
                part = {"starts": starts, "stops": x.shape, "steps": steps}
                inner = ops.slice(x, **part)
                return ops.slice_assign(self.like(x.shape), ops.neg(inner), **part)

    def matmul(self) -> Node:
        """A product with a matrix that fits, scaled down"""
        x = self.any()
        if len(x.shape) < 2:
            return ops.neg(x)
        *batch, m, k = x.shape
        if self.choose.random() < 0.5:
            x = ops.permute(x, axes=(*range(len(batch)), len(batch) + 1, len(batch)))
            m, k = k, m
        n = self.choose.choice((1, 5, 16, 40))
        y = ops.matmul(x, self.like((*batch, k, n)))
        return ops.mul(y, ops.full_like(y, value=1 / k))

    def lookup(self) -> Node:
        """Rows looked up, or put back"""
        x = self.any()
        if not x.shape:
            return ops.neg(x)
        index = self.rng.integers(0, x.shape[0], self.choose.choice(((3,), (2, 5), (1,))))
        item = argument(f"i{len(self.inputs)}", index)
        self.inputs.append(item)
        self.arrays.append(index)
        rows = ops.take(x, item.node, axis=0)
        if self.choose.random() < 0.5:
            return rows
        return ops.put(self.like(x.shape), item.node, ops.neg(rows), axis=0, accumulate=True)

    def pool(self) -> Node:
        """A maximum over windows, or its gradient"""
        x = self.any()
        if len(x.shape) < 2 or min(x.shape[-2:]) < 2:
            return ops.abs(x)
        params = {"kernel": (2, 2), "stride": (self.choose.randint(1, 3),) * 2, "padding": (1, 0),
                  "dilation": (1, 1), "ceil": self.choose.random() < 0.5}  # fmt: skip
        y = ops.max_pool(x, **params)
        return (
            y if self.choose.random() < 0.5 else ops.max_pool_grad(self.like(y.shape), x, **params)
        )

    def convolution(self) -> Node:
        """A convolution and, sometimes, its gradient for the image"""
        x = self.any()
        if len(x.shape) != 4 or x.type.numel > 20_000 or min(x.shape[2:]) < 2:
            return ops.tanh(x)
        w = self.like((self.choose.choice((1, 5, 8)), x.shape[1], 2, 2))
        params = {"stride": (self.choose.randint(1, 2),) * 2, "padding": ((1, 0), (0, 1)),
                  "dilation": (1, 1), "groups": 1}  # fmt: skip
        y = ops.conv(x, w, **params)
        if self.choose.random() < 0.5:
            y = ops.conv_input_grad(y, w, shape=x.shape, **params)
        return ops.mul(y, ops.full_like(y, value=0.1))


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_random_graphs(choose: random.Random) -> None:
    """What compiled code computes is what eval computes, to float64's last digits."""
    grower = Grower(choose)
    for _ in range(choose.randint(2, 12)):
        grower.step()
        if grower.values[-1].type.numel > 60_000:
            grower.values.pop()
    wanted = [value for value in grower.values if choose.random() < 0.4] + [grower.values[-1]]
    outputs = tuple(Output(node, f"y{number}") for number, node in enumerate(wanted))
    graph = Graph("random", tuple(grower.inputs), outputs)
    expected = evaluate(graph, grower.arrays)
    got = run(graph, list(grower.arrays), threads=choose.choice((1, 2, 3)))
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
