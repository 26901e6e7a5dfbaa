"""Memory: views, strides, NumPy, DLPack, Python's protocols, printing; no oracle needed."""

from __future__ import annotations

import copy
import gc
import pickle
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

import jitnet


def test_from_numpy_shares_memory_and_strides() -> None:
    """No copy, whatever the strides; writes are seen on both sides."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    x = jitnet.from_numpy(array)
    x[0, 0] = 100
    array[1, 1] = 200
    assert array[0, 0] == 100 and x[1, 1].item() == 200
    assert x.numpy() is array or np.shares_memory(x.numpy(), array)
    y = jitnet.from_numpy(array.T[::2])
    assert y.stride() == (2, 4) and not y.is_contiguous()
    assert np.shares_memory(y.numpy(), array)
    assert jitnet.as_tensor(array).data_ptr() == x.data_ptr()
    assert jitnet.tensor(array).data_ptr() != x.data_ptr()


def test_what_lasts_starts_at_a_cache_line(tmp_path: Any) -> None:
    """Parameters, states of optimizers, copies and what is loaded: steps read them in vectors."""
    model = jitnet.nn.Linear(33, 7)
    optimizer = jitnet.optim.Adam(model.parameters())
    model(jitnet.ones(2, 33)).sum().backward()
    optimizer.step()
    jitnet.save(model.state_dict(), tmp_path / "weights.pt")
    loaded = jitnet.load(tmp_path / "weights.pt")
    states = [x for state in optimizer.state.values() for x in state.values()]
    tensors = [*model.parameters(), *copy.deepcopy(model).parameters(), *states, *loaded.values()]
    assert len(tensors) >= 10
    assert [x.data_ptr() % 64 for x in tensors if isinstance(x, jitnet.Tensor)] == [0] * len(
        tensors
    )


def test_from_numpy_refuses() -> None:
    """Dtypes, byte orders and strides that tensors do not have."""
    for bad, error in [
        (np.zeros(2, "U1"), TypeError),
        (np.zeros(2, ">f4"), TypeError),
        (np.zeros(4)[::-1], ValueError),
        ([1.0], TypeError),
    ]:
        with pytest.raises(error):
            jitnet.from_numpy(bad)  # type: ignore[arg-type]


def test_views_alias() -> None:
    """Every view sees writes into the base, and the base those into views."""
    x = jitnet.arange(24.0).reshape(2, 3, 4)
    views = [
        x.view(6, 4), x.permute(2, 0, 1), x[1], x[:, 1:, ::2], x.transpose(0, 1), x.unsqueeze(0),
        x.flatten(), x.expand(5, 2, 3, 4), x.detach(), x.data, x.squeeze(), x.select(2, 1), x.mT,
        x.narrow(2, 1, 2), x.unbind(1)[1], x.split(2, 2)[0], x.diagonal(0, 1, 2), x.movedim(0, 2),
    ]  # fmt: skip
    x.mul_(-1)
    for view in views:
        assert np.shares_memory(view.numpy(), x.numpy()), view.shape
        assert (view.numpy() <= 0).all()
    views[3].fill_(5.0)
    assert (x[:, 1:, ::2] == 5).all() and (views[0].numpy() == 5).sum() == 8
    for fresh in (
        x.clone(),
        x.reshape(-1)[[0, 1]],
        x.flip(0),
        x + 0,
        x.permute(2, 1, 0).reshape(-1),
    ):
        assert not np.shares_memory(fresh.numpy(), x.numpy())


def test_view_refuses_what_memory_does_not_allow() -> None:
    """view() is never a copy; reshape() may be."""
    x = jitnet.arange(6).reshape(2, 3).t()
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        x.view(6)
    assert x.reshape(6).tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(RuntimeError, match="invalid for input of size 6"):
        x.reshape(4)
    with pytest.raises(RuntimeError, match="only one dimension"):
        x.reshape(-1, -1)


def test_expanded_tensors_refuse_writes() -> None:
    """Several elements in one place cannot be written."""
    x = jitnet.zeros(3, 1).expand(3, 4)
    with pytest.raises(RuntimeError, match="share one"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="share one"):
        x[0] = 1
    assert x.sum().item() == 0


def test_contiguity() -> None:
    """contiguous() copies only where it must; results of ops are contiguous."""
    x = jitnet.rand(3, 4)
    assert x.contiguous() is x and not x.t().is_contiguous()
    assert x.t().contiguous().is_contiguous() and (x.t() + 1).is_contiguous()
    assert jitnet.zeros(0, 3).t().is_contiguous() and jitnet.zeros(1, 5).t().is_contiguous()
    assert x.stride() == (4, 1) and x.t().stride(0) == 1 and x[1:].storage_offset() == 4


def test_overlapping_writes() -> None:
    """A tensor can be written from a view of itself."""
    x = jitnet.arange(6)
    x[1:] = x[:-1].clone()
    y = jitnet.arange(6)
    y[1:] = y[:-1]
    assert x.tolist() == y.tolist() == [0, 0, 1, 2, 3, 4]
    z = jitnet.arange(4).reshape(2, 2)
    z.copy_(z.t())
    assert z.tolist() == [[0, 2], [1, 3]]


def test_in_place_rules() -> None:
    """Shapes cannot grow, and a whole number cannot become a float."""
    x = jitnet.ones(3)
    with pytest.raises(RuntimeError, match=r"output with shape \[3\] doesn't match"):
        x.add_(jitnet.ones(2, 3))
    whole = jitnet.ones(3, dtype=jitnet.int64)
    with pytest.raises(RuntimeError, match="result type float32 can't be cast"):
        whole.add_(1.5)
    with pytest.raises(RuntimeError, match="can't be cast"):
        whole /= 2
    whole += 2
    whole.mul_(jitnet.tensor(3, dtype=jitnet.int8))
    assert whole.tolist() == [9, 9, 9] and whole.dtype is jitnet.int64
    small = jitnet.ones(2, dtype=jitnet.float32)
    small += jitnet.ones(2, dtype=jitnet.float64)
    assert small.dtype is jitnet.float32
    identity = x
    x += 1
    assert identity is x


def test_out() -> None:
    """Functions write into the tensor that `out` names."""
    x, out = jitnet.arange(4.0).reshape(2, 2), jitnet.zeros(2, 2)
    assert jitnet.matmul(x, x, out=out) is out and out.tolist() == [[2, 3], [6, 11]]
    jitnet.exp(jitnet.zeros(2, 2), out=out)
    jitnet.add(out, 1, out=out)
    assert out.tolist() == [[2, 2], [2, 2]]
    jitnet.sum(x, 0, out=out[1])
    assert out.tolist() == [[2, 2], [2, 4]]
    with pytest.warns(UserWarning, match="was resized"):
        assert jitnet.mul(x, 2, out=jitnet.zeros(3)).shape == (2, 2)
    with pytest.raises(RuntimeError, match="single memory location"):
        jitnet.sum(x, 0, out=x)
    with pytest.raises(RuntimeError, match="automatic differentiation"):
        jitnet.mul(x.requires_grad_(), 2, out=out)


def test_versions_count_writes() -> None:
    """A base and its views share one count."""
    x = jitnet.zeros(3)
    view = x[1:]
    x.add_(1)
    view.mul_(2)
    view[0] = 5
    assert x._version == view._version == 3


def test_data_takes_other_memory() -> None:
    """x.data = y makes x use y's memory."""
    x = jitnet.zeros(2, requires_grad=True)
    y = jitnet.ones(3)
    x.data = y
    assert x.shape == (3,) and x.requires_grad and x.data_ptr() == y.data_ptr()
    y.add_(1)
    assert x.tolist() == [2, 2, 2]


def test_numpy_protocols() -> None:
    """asarray, functions and operators of NumPy; the way back needs detach()."""
    x = jitnet.arange(3.0)
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert np.asarray(x, dtype=np.int64).tolist() == [0, 1, 2]
    assert (np.ones(3, np.float32) + x).tolist() == [1, 2, 3]
    assert isinstance(np.ones(3, np.float32) * x, jitnet.Tensor)
    assert isinstance(x - np.float32(1), jitnet.Tensor) and (x < np.array([1, 1, 1])).sum() == 1
    assert np.exp(x).shape == (3,)
    y = x.clone().requires_grad_()
    with pytest.raises(RuntimeError, match="detach"):
        y.numpy()
    with pytest.raises(RuntimeError, match="detach"):
        np.asarray(y)


def test_dlpack() -> None:
    """Memory goes to NumPy and back without a copy."""
    x = jitnet.arange(6.0).reshape(2, 3)
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x.numpy()) and x.__dlpack_device__() == (1, 0)
    back = jitnet.from_dlpack(np.arange(3))
    assert back.tolist() == [0, 1, 2]
    with pytest.raises(BufferError):
        x.requires_grad_().__dlpack__()


def test_python_protocols() -> None:
    """len, iteration, containment, truth, conversion, indexing by a tensor, hashing."""
    x = jitnet.tensor([[1, 2], [3, 4]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]] and 3 in x and 9 not in x
    assert bool(jitnet.tensor([2.0])) and not jitnet.tensor(0)
    assert int(jitnet.tensor(2.9)) == 2 and float(jitnet.tensor(3)) == 3.0
    assert list(range(5))[jitnet.tensor(2)] == 2 and f"{jitnet.tensor(1.234):.1f}" == "1.2"
    assert {x: 1}[x] == 1 and x.tolist() == [[1, 2], [3, 4]] and jitnet.tensor(True).item() is True
    for wrong in (lambda: bool(x), lambda: bool(jitnet.ones(0))):
        with pytest.raises(RuntimeError, match="ambiguous"):
            wrong()
    with pytest.raises(RuntimeError, match="4 elements cannot be converted"):
        x.item()
    for call in (len, iter):
        with pytest.raises(TypeError, match="0-d tensor"):
            call(jitnet.tensor(1))
    with pytest.raises(TypeError):
        x + "a"  # type: ignore[operator]


def test_copies() -> None:
    """copy, deepcopy and pickle keep values and requires_grad, for leaves only."""
    x = jitnet.arange(3.0).requires_grad_()
    x.grad = jitnet.ones(3)
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert (
            twin.tolist() == x.tolist() and twin.requires_grad and twin.data_ptr() != x.data_ptr()
        )
    assert copy.deepcopy(x).grad.tolist() == [1, 1, 1]
    shared = copy.deepcopy([x, x])
    assert shared[0] is shared[1]
    with pytest.raises(RuntimeError, match="leaves"):
        copy.deepcopy(x * 2)


def test_creation() -> None:
    """Values, dtypes and shapes of what makes tensors."""
    assert jitnet.tensor([1, 2]).dtype is jitnet.int64
    assert jitnet.tensor([1, 2.0]).dtype is jitnet.float32
    assert jitnet.tensor([True]).dtype is jitnet.bool
    assert jitnet.tensor(np.float64(1)).dtype is jitnet.float64
    assert jitnet.tensor([]).shape == (0,) and jitnet.tensor([[], []]).shape == (2, 0)
    assert jitnet.tensor([jitnet.tensor(1.0), 2.0]).tolist() == [1, 2]
    assert jitnet.zeros(2, 3).shape == jitnet.ones((2, 3)).shape == jitnet.empty([2, 3]).shape
    assert jitnet.full((2,), 3).dtype is jitnet.int64
    assert jitnet.full((2,), True).dtype is jitnet.bool
    assert jitnet.full((2,), 0.5).tolist() == [0.5, 0.5]
    assert jitnet.arange(5).tolist() == [0, 1, 2, 3, 4] and jitnet.arange(5).dtype is jitnet.int64
    assert jitnet.arange(1, 2, 0.25).tolist() == [1, 1.25, 1.5, 1.75]
    assert jitnet.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert jitnet.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert jitnet.logspace(0, 2, 3).tolist() == [1, 10, 100]
    assert jitnet.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    like = jitnet.ones(2, dtype=jitnet.int32)
    assert jitnet.zeros_like(like).dtype is jitnet.int32
    assert jitnet.ones_like(like, dtype=jitnet.float64).dtype is jitnet.float64
    assert like.new_zeros(2, 2).dtype is jitnet.int32 and like.new_tensor([1.5]).tolist() == [1]
    assert jitnet.Tensor(2, 3).shape == (2, 3) and jitnet.Tensor([1, 2]).dtype is jitnet.float32
    for wrong in (lambda: jitnet.zeros(-1), lambda: jitnet.arange(0, 1, 0)):
        with pytest.raises(RuntimeError):
            wrong()
    for data in ("abc", [[1], [2, 3]], None):
        with pytest.raises((TypeError, ValueError)):
            jitnet.tensor(data)
    with pytest.raises(TypeError):
        jitnet.zeros(2.5)


def test_default_dtype() -> None:
    """Floats made without a dtype follow the default."""
    for dtype in (jitnet.float64, jitnet.bfloat16):
        jitnet.set_default_dtype(dtype)
        try:
            assert jitnet.ones(1).dtype is jitnet.tensor(1.5).dtype is dtype
            assert (jitnet.tensor([1]) / 2).dtype is jitnet.nn.Linear(1, 1).weight.dtype is dtype
        finally:
            jitnet.set_default_dtype(jitnet.float32)
    with pytest.raises(TypeError):
        jitnet.set_default_dtype(jitnet.int64)


def test_random() -> None:
    """Streams restart with the seed; generators are independent; states can be put back."""
    jitnet.manual_seed(5)
    first = [jitnet.rand(3), jitnet.randn(3), jitnet.randint(0, 10, (3,)), jitnet.randperm(5)]
    jitnet.manual_seed(5)
    again = [jitnet.rand(3), jitnet.randn(3), jitnet.randint(0, 10, (3,)), jitnet.randperm(5)]
    assert all(a.tolist() == b.tolist() for a, b in zip(first, again, strict=True))
    assert jitnet.rand(3).tolist() != first[0].tolist() and jitnet.initial_seed() == 5
    own = jitnet.Generator().manual_seed(5)
    assert jitnet.rand(3, generator=own).tolist() == first[0].tolist()
    state = own.get_state()
    ahead = jitnet.randn(4, generator=own)
    own.set_state(state)
    assert jitnet.randn(4, generator=own).tolist() == ahead.tolist()
    assert sorted(jitnet.randperm(100).tolist()) == list(range(100))
    whole = jitnet.randint(-3, 4, (10000,))
    assert whole.min() == -3 and whole.max() == 3 and whole.dtype is jitnet.int64
    assert jitnet.randint(0, 2**62, (100,)).max().item() > 2**60
    z = jitnet.normal(jitnet.tensor([0.0, 100.0]).expand(5000, 2), 2.0)
    assert abs(z[:, 1].mean().item() - 100) < 0.2 and abs(z.std(0)[0].item() - 2) < 0.1
    coins = jitnet.bernoulli(jitnet.full((10000,), 0.3))
    assert abs(coins.mean().item() - 0.3) < 0.02
    drawn = jitnet.multinomial(jitnet.tensor([0.0, 1.0, 3.0]), 4000, replacement=True)
    assert (drawn == 0).sum() == 0 and abs((drawn == 2).float().mean().item() - 0.75) < 0.03
    order = jitnet.multinomial(jitnet.tensor([[1.0, 2.0, 0.0, 1.0]]), 3)
    assert sorted(order[0].tolist()) == [0, 1, 3]
    x = jitnet.empty(1000).uniform_(-2, 2)
    assert -2 <= x.min() < -1.5 and 1.5 < x.max() < 2
    assert abs(jitnet.empty(5000).exponential_(2.0).mean().item() - 0.5) < 0.05
    for wrong in (lambda: jitnet.randint(3, 3, (1,)), lambda: jitnet.rand(2, dtype=jitnet.int64)):
        with pytest.raises(RuntimeError):
            wrong()


def test_devices() -> None:
    """There is one device, and asking for others says so."""
    x = jitnet.zeros(2, device="cpu")
    assert x.device == jitnet.device("cpu") and str(x.device) == "cpu" and not x.is_cuda
    assert x.to("cpu") is x and x.cpu() is x and x.to(jitnet.device("cpu"), jitnet.float32) is x
    for wrong in (lambda: x.cuda(), lambda: x.to("cuda"), lambda: jitnet.zeros(1, device="gpu")):
        with pytest.raises(RuntimeError, match="cpu"):
            wrong()


def test_conversions() -> None:
    """to, float, long and friends; the same dtype is the same tensor."""
    x = jitnet.tensor([1.7, -1.7])
    assert x.long().tolist() == [1, -1] and x.int().dtype is jitnet.int32 and x.float() is x
    assert (
        x.to(jitnet.float64).dtype is x.double().dtype and x.to(x.double()).dtype is jitnet.float64
    )
    assert x.bool().tolist() == [True, True] and x.type_as(jitnet.tensor(1)).tolist() == [1, -1]
    assert x.to(jitnet.float32, copy=True) is not x and x.type() == "jitnet.FloatTensor"
    assert x.type("torch.HalfTensor").type() == "jitnet.HalfTensor"
    assert x.element_size() == 4 and x.nbytes == 8 and x.is_floating_point()


def test_errors_name_the_line() -> None:
    """The user's file and line stand at the end."""
    with pytest.raises(jitnet.ShapeError, match=r"inner dims .*; test_tensor_memory\.py:\d+$"):
        jitnet.zeros(2, 3) @ jitnet.zeros(4, 5)
    with pytest.raises(RuntimeError, match=r"do not broadcast.*; test_tensor_memory\.py:\d+$"):
        jitnet.zeros(2, 3) + jitnet.zeros(2, 4)
    with pytest.raises(jitnet.DTypeError, match="same dtype"):
        jitnet.mm(jitnet.zeros(2, 2), jitnet.zeros(2, 2, dtype=jitnet.float64))
    with pytest.raises(ZeroDivisionError):
        jitnet.tensor([1]) // jitnet.tensor([0])


def forgotten_graphs() -> list[Any]:
    """Return functions that each build another kind of history."""
    x, w = jitnet.ones(4, 4, requires_grad=True), jitnet.ones(4, requires_grad=True)

    def in_place() -> Any:
        y = (x * 1).add_(1).mul_(w)
        y[0] = w
        row = y[1]
        row.mul_(2)
        return y

    def after_backward() -> Any:
        y = x * 2
        y.retain_grad()
        z = y * y
        z.register_hook(lambda gradient: gradient * 2)
        z.sum().backward()
        return z

    return [lambda: x.exp().relu().sum(), in_place, after_backward]


@pytest.mark.parametrize("build", forgotten_graphs())
def test_histories_are_freed_at_once(build: Any) -> None:
    """No cycles: when the last tensor goes, so does all that it was computed from."""
    gc.disable()
    try:
        y = build()
        node, tensor = weakref.ref(y.grad_fn), weakref.ref(y)
        del y
        assert node() is None and tensor() is None
    finally:
        gc.enable()


def test_limits() -> None:
    """finfo and iinfo say what the dtypes hold."""
    assert jitnet.finfo(jitnet.float32).eps == 2.0**-23 and jitnet.finfo().bits == 32
    assert jitnet.iinfo(jitnet.int8).min == -128 and jitnet.iinfo(jitnet.uint8).max == 255
    for wrong in (lambda: jitnet.finfo(jitnet.int64), lambda: jitnet.iinfo(jitnet.float32)):
        with pytest.raises(TypeError):
            wrong()


def test_there_is_no_gpu() -> None:
    """What programs ask before they choose a device."""
    assert not jitnet.cuda.is_available() and jitnet.cuda.device_count() == 0
    assert not jitnet.accelerator.is_available()
    jitnet.cuda.manual_seed_all(0)


def test_unknown_names() -> None:
    """The nearest name is suggested."""
    with pytest.raises(AttributeError, match=r"jitnet\.softmax"):
        jitnet.sofmax  # noqa: B018


def test_no_warnings_from_numpy() -> None:
    """NaN, infinities and overflow pass quietly, and NumPy's own settings stay."""
    before = np.geterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = jitnet.tensor([0.0, -1.0, 1e30, float("nan")])
        for result in (
            x / 0,
            x.log(),
            x * 1e30,
            x.exp(),
            x.sqrt(),
            x.mean(),
            x.std(),
            x @ x,
            x**2.5,
        ):
            assert result.dtype is jitnet.float32
    assert np.geterr() == before


def test_printing_against_pytorch() -> None:
    """Every kind of tensor prints as PyTorch prints it."""
    torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")
    arrays: list[Any] = [
        1.5, 3, True, [], [1.0], [1, 20, 300], [True, False], [1.0, 2.5], [0.001, 1000.0],
        [1e-6, 1.0], [1e10, 1.0], [1.0, 100000.0], [float("nan"), float("inf"), 1.0],
        [float("nan")], [-1.0, 2.0], [0.0, 0.0], [[1.0, 2.0], [3.0, 4.5]],
        np.zeros((2, 0, 3), np.float32), np.arange(24.0, dtype=np.float32).reshape(2, 3, 4),
        np.arange(2000.0, dtype=np.float32), np.arange(3000).reshape(30, 100),
        np.linspace(0, 1, 40, dtype=np.float32), np.arange(3, dtype=np.int32),
        np.arange(3, dtype=np.float64), np.random.default_rng(0).normal(size=(3, 5)) * 1000,
        np.zeros(0, np.int64), np.full((2, 2, 2), 0.5, np.float32),
    ]  # fmt: skip
    for data in arrays:
        mine, theirs = jitnet.tensor(data), torch.tensor(data)
        assert repr(mine) == repr(theirs).replace("torch.", "jitnet."), data
    x, y = jitnet.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    assert repr(x) == repr(y) and repr(x * 2) == repr(y * 2)
    assert repr(x.shape) == "jitnet.Size([2])"


def test_diagonal_of_a_transposed_matrix_is_a_view() -> None:
    for write in (
        lambda x: x.t().diagonal(1).fill_(1.0),
        jitnet.compile(lambda x: x.t().diagonal(1).fill_(1.0)),
    ):
        x = jitnet.zeros(3, 4)
        write(x)
        assert x.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def test_roots_have_gradient_zero_at_zero() -> None:
    """Of equal elements std is 0, and of zeros a norm, with no NaN behind them."""
    for function in (
        lambda x: x.std(),
        lambda x: jitnet.std_mean(x, 0)[0].sum(),
        lambda x: x.norm(),
        lambda x: x.norm(p=3),
    ):
        x = jitnet.zeros(3, 4, requires_grad=True)
        function(x).backward()
        assert x.grad.tolist() == [[0.0] * 4] * 3
