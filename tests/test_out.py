"""`out=`: results written into tensors of other shapes, layouts and dtypes, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import jitnet

pytestmark = pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")


def _empty(t: Any, x: Any) -> Any:
    """The tensors without elements that programs give for results of any shape."""
    total, places = t.empty(0), t.empty(0, dtype=t.int64)
    assert t.add(x, 1, out=total) is total
    largest, index = t.empty(0), places
    t.max(x, dim=0, out=(largest, index))
    total.mul_(2)
    return total, largest, places


def _strided(t: Any, x: Any) -> Any:
    """Results in a part of other memory, and in a transposed matrix."""
    memory = t.zeros(3, 5)
    t.exp(x.t(), out=memory[:, 1:3])
    turned = t.zeros(2, 2).t()
    t.matmul(x, x.t(), out=turned)
    return memory, turned


def _smaller_and_larger(t: Any, x: Any) -> Any:
    smaller, larger, part = t.zeros(9), t.zeros(1), t.zeros(9)[2:4]
    t.sum(x, dim=1, out=smaller)
    t.cat((x, x), out=larger)
    t.mul(x, 2, out=part)
    return smaller, larger, larger + 1, part


def _wider(t: Any, x: Any) -> Any:
    return t.exp(x, out=t.empty(2, 3, dtype=t.float64)), t.gt(x, 1, out=t.empty(2, 3))


PROGRAMS = (_empty, _strided, _smaller_and_larger, _wider)


@pytest.mark.parametrize("program", PROGRAMS)
def test_as_pytorch(program: Callable[[Any, Any], Any]) -> None:
    torch = pytest.importorskip("torch")
    numbers = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    wanted = program(torch, torch.tensor(numbers))
    for run in (program, jitnet.compile(program)):
        found = run(jitnet, jitnet.tensor(numbers))
        for got, other in zip(found, wanted, strict=True):
            assert got.dtype.name == str(other.dtype).removeprefix("torch.")
            assert tuple(got.shape) == tuple(other.shape)
            assert tuple(got.stride()) == other.stride()
            assert got.numpy() == pytest.approx(other.numpy(), rel=1e-6)


def test_what_is_refused() -> None:
    x = jitnet.ones(2, 3)
    with pytest.raises(RuntimeError, match="float32 can't be cast to the desired output type int"):
        jitnet.add(x, 1, out=jitnet.empty(0, dtype=jitnet.int64))
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype int64"):
        jitnet.multinomial(x, 2, out=jitnet.zeros(2, 2))
    with pytest.warns(UserWarning, match="An output with one or more elements was resized"):
        jitnet.add(x, 1, out=jitnet.zeros(5))
    outside = jitnet.empty(0)
    with pytest.raises(jitnet.CompileError, match="cannot resize a tensor from outside"):
        jitnet.compile(lambda x: jitnet.add(x, 1, out=outside))(x)
    assert outside.shape == (0,)


def test_out_of_shared_places_cannot_take_another_shape() -> None:
    """Where several elements are one, there is nothing to resize."""
    with pytest.raises(RuntimeError, match="unsupported operation"):
        jitnet.add(jitnet.ones(3, 2), 1, out=jitnet.ones(1, 6).expand(2, 6))
    x = jitnet.ones(4, 6)
    with pytest.raises(RuntimeError, match="unsupported operation"):
        jitnet.cat([x, x], out=x)
