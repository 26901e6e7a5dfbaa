"""Every function of the table, compiled with its gradients, against the same run eagerly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from tests import function_table as table

FAMILIES: list[tuple[dict[str, Callable[..., Any]], tuple[np.ndarray, ...]]] = [
    (table.TWO, (table.X, table.Y)),
    (table.REDUCTIONS, (table.EVEN,)),
    (table.SHAPES, (table.EVEN,)),
    (table.PRODUCTS, (table.M, table.N, table.B, table.C)),
    (table.ACTIVATIONS, (table.EVEN * 2,)),
    (table.CONVS, (table.IMAGE, table.WEIGHT)),
    (table.POOLS, (table.IMAGE,)),
    (table.NORMS, (table.IMAGE, table.real(4, low=0.5, high=1.5))),
    (table.LOSSES, (table.P, table.Q, table.SIGNS.astype(np.float32))),
    (table.MORE, (table.IMAGE, table.QUERY)),
    (table.LOOKUPS, (table.real(3, 4, seed=14), table.INDEX)),
]
# What needs a value or a shape that only a run knows; the error says so.
REFUSED = {"isclose", "masked", "whole", "unique"}


def flat(value: Any) -> Iterator[Any]:
    """Yield the tensors of a nested result."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from flat(part)
    elif isinstance(value, jitnet.Tensor):
        yield value


def with_gradients(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Return the function that gives the results and the gradients of a weighted sum of them."""

    def run(*tensors: Any) -> list[Any]:
        results = list(flat(function(jitnet, F, *tensors)))
        total: Any = None
        for y in results:
            if y.requires_grad:
                weight = jitnet.arange(1.0, y.numel() + 1).reshape(y.shape).cos()
                total = (y * weight).sum() + (0 if total is None else total)
        found = [y.detach() for y in results]
        if total is not None:
            wanted = [tensor for tensor in tensors if tensor.requires_grad]
            grads = jitnet.autograd.grad(total, wanted, allow_unused=True)
            found += [gradient for gradient in grads if gradient is not None]
        return found

    return run


def fresh(arrays: tuple[np.ndarray, ...], dtype: Any = jitnet.float32) -> list[Any]:
    """Return the arguments as leaves, floats as dtype."""
    return [
        jitnet.tensor(array, dtype=dtype, requires_grad=True)
        if array.dtype.kind == "f"
        else jitnet.tensor(array)
        for array in arrays
    ]


CASES = [
    pytest.param(function, arrays, id=name)
    for functions, arrays in FAMILIES
    for name, function in functions.items()
    if name not in REFUSED
]


@pytest.mark.parametrize("function, arrays", CASES)
def test_compiled_is_eager(function: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> None:
    """Results and gradients have the same types and close values."""
    run = with_gradients(function)
    wanted = run(*fresh(arrays))
    got = jitnet.compile(run)(*fresh(arrays))
    assert len(got) == len(wanted)
    for mine, expected in zip(got, wanted, strict=True):
        assert mine.dtype is expected.dtype and mine.shape == expected.shape
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=2e-4, atol=1e-4)


ALIKE = [case for case in CASES if case.id != "scatter"]  # that one makes its source in float32


@pytest.mark.parametrize("function, arrays", ALIKE)
def test_compiled_rounds_where_eager_does(
    function: Callable[..., Any], arrays: tuple[np.ndarray, ...]
) -> None:
    """The same with 16-bit floats: one rounding apart where float32's last bits differ."""
    run = with_gradients(function)
    wanted = run(*fresh(arrays, jitnet.bfloat16))
    got = jitnet.compile(run)(*fresh(arrays, jitnet.bfloat16))
    assert len(got) == len(wanted)
    for mine, expected in zip(got, wanted, strict=True):
        assert mine.dtype is expected.dtype and mine.shape == expected.shape
        want = expected.double().numpy()
        slack = 2 * jitnet.finfo(jitnet.bfloat16).eps if expected.is_floating_point() else 0
        big = np.abs(want[np.isfinite(want)]).max(initial=0)
        np.testing.assert_allclose(mine.double().numpy(), want, rtol=slack, atol=slack * big)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_while_tracing(name: str) -> None:
    """The error names the line and what to do instead."""
    found = [(functions[name], arrays) for functions, arrays in FAMILIES if name in functions]
    function, arrays = found[0]
    with pytest.raises(jitnet.CompileError, match=r"while tracing; .*; function_table\.py:\d+"):
        jitnet.compile(lambda *tensors: function(jitnet, F, *tensors))(*fresh(arrays))


def test_indexing_while_tracing() -> None:
    """Reads and writes by places, masks and slices; wrong places are found by the program."""

    def work(x: Any, i: Any, v: Any) -> Any:
        y = x * 1
        y[i] = v
        y[:, 1] += 10
        y[y > 12] = 0.5
        y[1:, [0, 2]] *= 2
        y[-1] = x[0] + y[..., 0].sum()
        view = y.t()[1:]
        view[0] -= 1
        return y, y[i, i], x[:, i], y[None, i, ..., None], view, y[i.reshape(2, 1), i]

    x, v = jitnet.rand(4, 4), jitnet.rand(2, 4)
    for places in ([0, 3], [-1, 1]):
        i = jitnet.tensor(places)
        for mine, expected in zip(jitnet.compile(work)(x, i, v), work(x, i, v), strict=True):
            np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=1e-6)
    two = jitnet.compile(lambda x, i, j: x[i, j])
    for bad in ((4, 0), (0, 4), (-5, 0), (0, -5)):
        with pytest.raises(IndexError):
            two(x, *(jitnet.tensor([0, place]) for place in bad))
    one = jitnet.compile(lambda x, i: x.gather(1, i))
    for bad_place in (4, -1):
        with pytest.raises(IndexError):
            one(x, jitnet.tensor([[0], [bad_place], [0], [0]]))
    labels = jitnet.compile(lambda x, t: F.cross_entropy(x, t))
    with pytest.raises(IndexError):
        labels(x, jitnet.tensor([0, 1, 4, 2]))


def test_random_streams_are_the_same() -> None:
    """Compiled draws continue the eager stream, and the other way round."""

    def draw(x: Any) -> Any:
        whole = jitnet.randint(-5, 100, (3, 7))
        return jitnet.rand(5, 3), F.dropout(x, 0.4), whole, jitnet.bernoulli(x), jitnet.randn(50)

    x = jitnet.full((6, 6), 0.5)
    compiled = jitnet.compile(draw)
    jitnet.manual_seed(11)
    wanted = [draw(x), draw(x), draw(x)]
    jitnet.manual_seed(11)
    got = [compiled(x), draw(x), compiled(x)]
    for mine, expected in zip(flat(got), flat(wanted), strict=True):
        np.testing.assert_allclose(mine.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_creation_while_tracing() -> None:
    """What makes tensors makes the same ones in a program."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)

    def make(x: Any) -> Any:
        return (
            jitnet.zeros(2, 3), jitnet.ones(3, dtype=jitnet.int32), jitnet.full((2,), 2.5),
            jitnet.arange(2, 11, 3), jitnet.arange(0.0, 1.0, 0.25), jitnet.linspace(0, 1, 5),
            jitnet.eye(3), jitnet.tensor([[1, 2], [3, 4]]), jitnet.tensor(2.5), x.new_zeros(2),
            jitnet.full_like(x, 3), jitnet.tensor(array), jitnet.from_numpy(array) * 2,
            jitnet.zeros(0, 3), jitnet.tril(x), jitnet.diag(x[0]),
        )  # fmt: skip

    x = jitnet.rand(3, 3)
    for mine, expected in zip(jitnet.compile(make)(x), make(x), strict=True):
        assert mine.dtype is expected.dtype
        np.testing.assert_array_equal(mine.numpy(), expected.numpy())


def test_one_hot_checks_classes_at_each_call() -> None:
    """No class is dropped in silence, and no identity is written to memory."""
    fn = jitnet.compile(lambda i: F.one_hot(i, 3000))
    rows = fn(jitnet.tensor([[7], [2999]]))
    np.testing.assert_array_equal(rows.argmax(-1).numpy(), [[7], [2999]])
    assert fn.variants[0].executable.compiled.binary.arena_bytes < 3000 * 3000
    for wrong in (-1, 3000):
        with pytest.raises(IndexError, match=f"index {wrong} is out of range: wanted 0 to 2999"):
            fn(jitnet.tensor([[7], [wrong]]))
