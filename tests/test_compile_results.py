"""What compiled functions take and return: structures, aliases, writes, kinds of tensors."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.compile import compile
from jitnet.errors import CompileError
from jitnet.tensor import Tensor

Pair = namedtuple("Pair", "left right")


@dataclass
class Batch:
    x: Tensor
    scale: float
    name: str = "a"


def tensor(*values: float) -> Tensor:
    return jitnet.tensor(list(values))


def matrix(rows: int = 3, columns: int = 4) -> Tensor:
    return jitnet.arange(rows * columns).reshape(rows, columns).float() + 1


def test_nested_results() -> None:
    def function(x: Tensor) -> Any:
        y = x + 1
        return {
            "tuple": (y, [x * 2, None, "text", 3, 2.5]),
            "pair": Pair(y, x),
            "batch": Batch(y, 2.0),
            "ordered": OrderedDict(a=y),
            "empty": (),
        }

    x = tensor(1, 2)
    for _ in range(2):
        got = compile(function)(x)
        y = got["tuple"][0]
        np.testing.assert_array_equal(y.numpy(), [2, 3])
        assert got["tuple"][1][1:] == [None, "text", 3, 2.5]
        assert type(got["pair"]) is Pair and got["pair"].left is y and got["pair"].right is x
        assert type(got["batch"]) is Batch and got["batch"].x is y and got["batch"].name == "a"
        assert type(got["ordered"]) is OrderedDict and got["ordered"]["a"] is y
        assert got["empty"] == ()


def test_nested_arguments() -> None:
    def function(batch: Batch, rest: dict[str, Any], *more: Tensor, bias: Tensor) -> Tensor:
        total = batch.x * batch.scale + rest["list"][0] - bias
        for each in more:
            total = total + each
        return total

    fn = compile(function)
    x = tensor(1, 2)
    for scale in (2.0, 3.0):
        got = fn(Batch(x, scale), {"list": [x]}, x, x, bias=x)
        np.testing.assert_array_equal(got.numpy(), (x * scale + 2 * x).numpy())
    assert len(fn.variants) == 1
    fn(Batch(x, 2.0, "b"), {"list": [x]}, x, x, bias=x)
    assert len(fn.variants) == 2
    assert "argument batch.name: was a, is b" in fn.explain()
    fn(Batch(x, 2.0), {"list": [x]}, x, bias=x)
    assert "the arguments were" in fn.explain()


def test_results_are_fresh_each_time() -> None:
    fn = compile(lambda x: x + 1)
    x = tensor(1, 2)
    first, second = fn(x), fn(x)
    first.fill_(9)
    np.testing.assert_array_equal(second.numpy(), [2, 3])


def test_result_that_is_an_argument_or_a_view_of_one() -> None:
    fn = compile(lambda x: (x, x[1], x.reshape(-1), x.t(), x.detach()))
    x = matrix()
    same, row, flat, turned, detached = fn(x)
    assert same is x
    for view in (row, flat, turned, detached):
        assert view._base is x
    x.fill_(7)
    for view in (row, flat, turned, detached):
        assert (view.numpy() == 7).all()
    np.testing.assert_equal(turned.stride(), matrix().t().stride())


def test_views_of_fresh_results_share_memory() -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y = x + 1
        return y, y[0], y.t()

    y, row, turned = compile(function)(matrix())
    y.fill_(3)
    assert (row.numpy() == 3).all() and (turned.numpy() == 3).all()
    assert not turned.is_contiguous()


def test_one_value_returned_twice_is_one_tensor() -> None:
    def function(x: Tensor) -> tuple[Tensor, ...]:
        y = x + 1
        return y, y, x + 1

    a, b, c = compile(function)(tensor(1))
    assert a is b
    a.fill_(9)
    assert c.item() == 2


def test_clone_of_an_argument_is_a_copy() -> None:
    fn = compile(lambda x: x.clone())
    x = tensor(1, 2)
    y = fn(x)
    x.fill_(5)
    np.testing.assert_array_equal(y.numpy(), [1, 2])


def both(function: Callable[..., Any], *make: Callable[[], Any]) -> None:
    """Compare eager and compiled: results and what becomes of the arguments, over two calls."""
    fn = compile(function)
    for _ in range(2):
        eager_args, args = [m() for m in make], [m() for m in make]
        wanted, got = function(*eager_args), fn(*args)
        for a, b in zip(_arrays(wanted), _arrays(got), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-6)
            assert a.dtype == b.dtype
        for a, b in zip(_arrays(eager_args), _arrays(args), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-6)


def _arrays(value: Any) -> list[Any]:
    if isinstance(value, Tensor):
        return [value.detach().numpy()]
    if isinstance(value, (tuple, list)):
        return [array for item in value for array in _arrays(item)]
    return [np.asarray(value)] if isinstance(value, (int, float)) else []


def test_writes_into_arguments() -> None:
    def function(x: Tensor, y: Tensor) -> Tensor:
        x.add_(y)
        y[0] = 5
        y[1:] *= x[:2]
        return x * y

    both(function, lambda: matrix(3, 2), lambda: matrix(3, 2))
    both(function, lambda: matrix(2, 3).t(), lambda: matrix(3, 4)[:, 1:3])


def test_writes_count_versions() -> None:
    fn = compile(lambda x: x.add_(1))
    x = tensor(1)
    before = x._version
    assert fn(x) is x
    assert x._version == before + 1


def test_swap() -> None:
    def function(a: Tensor, b: Tensor) -> None:
        old = a.clone()
        a.copy_(b)
        b.copy_(old)

    both(function, lambda: tensor(1, 2), lambda: tensor(3, 4))


def test_the_same_tensor_twice() -> None:
    def function(a: Tensor, b: Tensor) -> Tensor:
        a.add_(1)
        return a * b

    fn = compile(function)
    x = tensor(1, 2)
    np.testing.assert_array_equal(fn(x, x).numpy(), [4, 9])
    np.testing.assert_array_equal(fn(tensor(1, 2), tensor(1, 2)).numpy(), [2, 6])
    assert len(fn.variants) == 2


def test_views_of_one_base() -> None:
    def function(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        a.mul_(10)
        return b + c

    fn = compile(function)
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        for build in (lambda t: (t, t[1], t[:, 0]), lambda t: (t[0], t[1], t[0])):
            base, other = matrix(2, 2), matrix(2, 2)
            mine, theirs = build(base), build(other)
            chosen = [mine[i] for i in order], [theirs[i] for i in order]
            wanted = function(*chosen[1])
            np.testing.assert_array_equal(fn(*chosen[0]).numpy(), wanted.numpy())
            np.testing.assert_array_equal(base.numpy(), other.numpy())


def test_an_argument_that_is_also_state() -> None:
    state = tensor(1, 2)

    def function(x: Tensor) -> Tensor:
        state.add_(1)
        return x + state

    fn = compile(function)
    np.testing.assert_array_equal(fn(tensor(10, 10)).numpy(), [12, 13])
    np.testing.assert_array_equal(fn(state).numpy(), [6, 8])
    np.testing.assert_array_equal(fn(state).numpy(), [8, 10])
    np.testing.assert_array_equal(fn(state[:1]).numpy(), [10, 11])
    np.testing.assert_array_equal(fn(tensor(10, 10)).numpy(), [16, 17])
    np.testing.assert_array_equal(state.numpy(), [6, 7])


def test_state_returned_and_viewed() -> None:
    state = matrix()
    fn = compile(lambda x: (state, state[0], state.add_(x)))
    same, row, written = fn(jitnet.ones(4))
    assert same is state and written is state and row._base is state
    np.testing.assert_array_equal(row.numpy(), [2, 3, 4, 5])


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3, 4)])
@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "int64", "int32", "uint8", "uint64", "bool"]
)
def test_dtypes_and_shapes(shape: tuple[int, ...], dtype: str) -> None:
    kind = getattr(jitnet, dtype)
    x = jitnet.from_numpy(np.ones(shape, kind.numpy))
    both(lambda x: (x.clone(), x == x, x.sum(), x.flatten()), lambda: x)


def test_layouts() -> None:
    wide = jitnet.arange(24.0).reshape(2, 3, 4)
    fn = compile(lambda x: x * 2 + x.sum(0))
    for x in (wide, wide.transpose(0, 1), wide[:, ::2], wide[:, :1].expand(2, 3, 4), wide[1]):
        np.testing.assert_allclose(fn(x).numpy(), (x * 2 + x.sum(0)).numpy())


def test_expanded_argument_cannot_be_written() -> None:
    fn = compile(lambda x: x.add_(1))
    with pytest.raises(RuntimeError, match="clone"):
        fn(jitnet.ones(1).expand(3))


def test_read_only_memory_is_not_written() -> None:
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    fn = compile(lambda x: x.add_(1))
    fn(jitnet.ones(3))
    with pytest.raises((RuntimeError, ValueError), match=r"read-only|not writ"):
        fn(jitnet.from_numpy(array))
    assert (array == 1).all()


def test_floats_come_back_as_floats() -> None:
    fn = compile(lambda x, rate: (x * rate, rate, rate * 2))
    got = fn(tensor(1), 0.5)
    assert got[1] == 0.5 and type(got[1]) is float
    assert got[2] == 1.0 and type(got[2]) is float


def test_float_promotes_as_python_numbers_do() -> None:
    def function(x: Tensor, rate: float) -> tuple[Tensor, ...]:
        return x * rate, x + rate, x - 2 * rate, (x * rate).sum()

    for kind in (jitnet.float32, jitnet.float64, jitnet.int64):
        both(function, lambda kind=kind: jitnet.ones(3, dtype=kind), lambda: 0.3)
        both(function, lambda kind=kind: jitnet.tensor(3).to(kind), lambda: 0.3)


def test_shapes_go_in_and_out() -> None:
    fn = compile(lambda x, shape: (x.reshape(shape), x.shape))
    for _ in range(2):
        got, shape = fn(matrix(), matrix(2, 6).shape)
        assert got.shape == (2, 6) and shape == (3, 4)
    assert len(fn.variants) == 1


def test_numpy_argument_is_refused() -> None:
    with pytest.raises(CompileError, match="from_numpy"):
        compile(lambda x: x)(np.ones(2))


def test_a_result_that_cannot_be_rebuilt_is_refused() -> None:
    class Box:
        def __init__(self, x: Tensor) -> None:
            self.x = x

    with pytest.raises(CompileError, match="the result is a Box"):
        compile(lambda x: Box(x + 1))(tensor(1))


def test_changed_argument_list_is_refused() -> None:
    def function(xs: list[Tensor]) -> None:
        xs.append(xs[0] + 1)

    xs = [tensor(1)]
    with pytest.raises(CompileError, match="among its arguments"):
        compile(function)(xs)
    assert len(xs) == 1


def test_no_arguments_and_no_results() -> None:
    state = tensor(1)

    def count() -> None:
        state.add_(1)

    fn = compile(count)
    assert fn() is None
    assert fn() is None
    assert state.item() == 3
    assert compile(lambda: 5)() == 5
    assert compile(lambda x: 5)(tensor(1)) == 5


def test_creation_inside() -> None:
    def function(x: Tensor) -> Tensor:
        return (
            x + jitnet.arange(3) + jitnet.tensor([1, 2, 3]) + jitnet.zeros(3) + jitnet.ones_like(x)
        )

    both(function, lambda: tensor(1, 2, 3))


def test_index_error_names_the_line_and_changes_nothing() -> None:
    state = tensor(1)
    table = matrix()

    def function(i: Tensor) -> Tensor:
        state.add_(1)
        return table[i] * state

    fn = compile(function)
    fn(jitnet.tensor([0, 2]))
    with pytest.raises(IndexError, match=r"test_compile_results.py:\d+"):
        fn(jitnet.tensor([0, 3]))
    assert state.item() == 2
    np.testing.assert_array_equal(fn(jitnet.tensor([-1])).numpy(), matrix()[-1:].numpy() * 3)


def test_views_of_one_base_that_lie_apart_are_memories_of_their_own() -> None:
    @jitnet.compile
    def step(rows: list[jitnet.Tensor], x: jitnet.Tensor) -> jitnet.Tensor:
        total = x.sum()
        for row in rows:
            row.add_(x)
            total = total + (row * x).sum()
        return total

    x = jitnet.tensor([1.0, -2.0, 3.0])
    compiled, eager = (jitnet.arange(12.0).reshape(4, 3) for _ in range(2))
    cases = [
        lambda base: list(base.unbind(0)),
        lambda base: [base[0], base[2]],
        lambda base: [base[0], base.reshape(-1)[1:4], base[2]],  # these overlap
    ]
    for views in cases:
        got = step(views(compiled), x)
        with jitnet.eager():
            want = step(views(eager), x)
        assert got.item() == want.item()
        assert compiled.tolist() == eager.tolist()
    report = step.explain()
    assert "rows[0] f32[3]" in report
    assert "uses 0 tensors of its own, overwrites 4" in report  # no base, no copy of it


def test_results_keep_their_values_while_others_are_computed() -> None:
    fn = compile(lambda x, k: (x * k, (x * k).reshape(2, 2)))
    x = jitnet.ones(4)
    held = [fn(x, float(number)) for number in range(8)]
    arrays = [fn(x, float(number))[0].numpy() for number in range(8)]
    views = [fn(x, float(number))[1][1] for number in range(8)]
    for number in range(8):
        assert held[number][0].tolist() == [number] * 4
        assert held[number][1].tolist() == [[number] * 2] * 2
        assert arrays[number].tolist() == [number] * 4
        assert views[number].tolist() == [number] * 2
    y = x
    for _ in range(10):
        y = fn(y, 2.0)[0]
    assert y.tolist() == [1024] * 4
