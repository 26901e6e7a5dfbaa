"""Complex tensors against PyTorch: values, dtypes and gradients, by family."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.autograd import gradcheck, gradgradcheck
from tests.complex_table import ONE, TWO, numbers, written

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")


def parts(value: Any) -> list[Any]:
    """Return the tensors of a result."""
    return [value] if not isinstance(value, tuple | list) else [p for v in value for p in parts(v)]


def name_of(dtype: Any) -> str:
    return str(dtype).split(".")[-1].rstrip("_")


def assert_same(mine: Any, other: Any) -> None:
    """Assert equal dtypes and shapes, and values that are close."""
    assert name_of(mine.dtype) == name_of(other.dtype)
    assert tuple(mine.shape) == tuple(other.shape)
    want = other.detach().resolve_conj().numpy()
    np.testing.assert_allclose(mine.detach().numpy(), want, rtol=1e-10, atol=1e-12)


def compare(function: Callable[..., Any], *arrays: np.ndarray) -> None:
    """Compare results and the gradients of a real loss of them."""
    mine = [jitnet.tensor(array, requires_grad=True) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    got, want = parts(function(jitnet, *mine)), parts(function(torch, *theirs))
    assert len(got) == len(want)
    for y, expected in zip(got, want, strict=True):
        assert_same(y, expected)
        if not expected.requires_grad:
            assert not y.requires_grad
            continue
        seed = numbers(*expected.shape, seed=9)
        seed = seed if expected.is_complex() else seed.real
        y.backward(jitnet.tensor(seed), retain_graph=True)
        expected.backward(torch.tensor(seed), retain_graph=True)
    for a, b in zip(mine, theirs, strict=True):
        if b.grad is not None:
            assert_same(a.grad, b.grad)


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one(name: str) -> None:
    compare(lambda lib, z: getattr(lib, name)(z), numbers(3, 4))


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two(name: str) -> None:
    compare(TWO[name], numbers(3, 3), numbers(3, 3, seed=1))


@pytest.mark.parametrize("name", ["parts", "arithmetic", "products", "norms"])
def test_second_derivatives(name: str) -> None:
    """Gradients of gradients agree with finite differences."""
    inputs = [
        jitnet.tensor(numbers(2, 2, seed=seed) + 1 + 0.5j, requires_grad=True) for seed in (2, 3)
    ]

    def function(a: Any, b: Any) -> Any:
        return parts(TWO[name](jitnet, a, b))

    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs, atol=1e-3)


@pytest.mark.parametrize("name", ["abs", "sgn", "angle", "norm"])
def test_gradients_at_zero(name: str) -> None:
    zeros = np.zeros((2, 2), np.complex128)
    compare(lambda lib, z: getattr(lib, name)(z), zeros)


def test_writes_into_parts() -> None:
    compare(written, numbers(3, 4))


def test_views_share_memory() -> None:
    z = jitnet.tensor(numbers(3, 4))
    for view in (z.real, z.imag, jitnet.view_as_real(z), z.T.real, z[1:, ::2].imag):
        assert np.shares_memory(view.numpy(), z.numpy())
    assert z.real.stride() == (8, 2)
    z.imag = 4.0
    z[0].real = jitnet.arange(4)
    assert z[0].tolist() == [4j, 1 + 4j, 2 + 4j, 3 + 4j]
    with pytest.raises(RuntimeError, match="side by side"):
        jitnet.view_as_complex(jitnet.zeros(2, 3).T)
    with pytest.raises(RuntimeError, match="size 2"):
        jitnet.view_as_complex(jitnet.zeros(2, 3))


PRINTED = [
    numbers(3, 2), numbers(2, 2) * 1e5, np.array([1 + 2j, -1j, 0]), np.array(1.5 - 0.25j),
    np.array([complex("nan"), complex(0, float("inf"))]), numbers(0), numbers(40, 40),
    numbers(3).astype(np.complex64),
]  # fmt: skip


@pytest.mark.parametrize("array", PRINTED, ids=lambda array: str(array.shape))
def test_prints_as_pytorch(array: np.ndarray) -> None:
    assert str(jitnet.tensor(array)) == str(torch.tensor(array)).replace("torch.", "jitnet.")


def test_python_values() -> None:
    assert jitnet.tensor(1 + 2j).item() == 1 + 2j == complex(jitnet.tensor(1 + 2j))
    assert jitnet.tensor([1j, 2.5]).tolist() == [1j, 2.5]
    assert float(jitnet.tensor(2 + 0j)) == 2.0
    assert jitnet.full((2,), 1j).dtype is jitnet.cfloat is jitnet.complex64
    assert jitnet.tensor(1j, dtype=jitnet.cdouble).dtype is jitnet.complex128
    assert jitnet.finfo(jitnet.complex64).max == jitnet.finfo(jitnet.float32).max
    assert jitnet.is_complex(jitnet.tensor(1j)) and not jitnet.tensor(1j).is_floating_point()
    jitnet.set_default_dtype(jitnet.float64)
    try:
        assert jitnet.tensor(1j).dtype is jitnet.complex128
    finally:
        jitnet.set_default_dtype(jitnet.float32)
    with pytest.raises(RuntimeError, match="imaginary part"):
        float(jitnet.tensor(1j))
    with pytest.raises(RuntimeError, match="complex"):
        jitnet.tensor([1j], dtype=jitnet.float32)
    with pytest.warns(UserWarning, match="discards the imaginary part"):
        assert jitnet.tensor(2 + 1j).to(jitnet.float32).item() == 2.0


ORDERED = ["lt", "le", "gt", "ge", "maximum", "fmod", "remainder", "floor_divide", "atan2"]


@pytest.mark.parametrize("name", ORDERED)
def test_no_order(name: str) -> None:
    z = jitnet.tensor([1j, 2])
    with pytest.raises((RuntimeError, TypeError), match=r"complex|c64"):
        getattr(jitnet, name)(z, z)


def test_errors() -> None:
    z = jitnet.tensor([1j, 2], requires_grad=True)
    with pytest.raises(RuntimeError, match="only for real scalar outputs"):
        z.sum().backward()
    with pytest.raises(RuntimeError, match="max wants bool"):
        z.max()
    with pytest.raises(RuntimeError, match="complex tensor"):
        jitnet.imag(jitnet.zeros(2))
    with pytest.raises(RuntimeError, match="can't be cast"):
        jitnet.zeros(2).add_(1j)
    with pytest.raises(RuntimeError, match="one dtype"):
        jitnet.complex(jitnet.zeros(2), jitnet.zeros(2, dtype=jitnet.float64))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_files_and_memory(dtype: str) -> None:
    """PyTorch reads our files and we read its; DLPack shares memory both ways."""
    array = numbers(3, 2).astype(dtype)
    mine, theirs = jitnet.tensor(array), torch.tensor(array)
    ours, other = io.BytesIO(), io.BytesIO()
    jitnet.save({"z": mine, "turned": mine.T}, ours)
    torch.save({"z": theirs, "turned": theirs.T}, other)
    for file in (ours, other):
        for load in (jitnet.load, torch.load):
            file.seek(0)
            found = load(file)
            np.testing.assert_array_equal(found["z"].numpy(), array)
            np.testing.assert_array_equal(found["turned"].numpy(), array.T)
    torch.from_dlpack(mine)[0, 0] = 7j
    jitnet.from_dlpack(theirs)[0, 0] = 8j
    assert mine[0, 0].item() == 7j and theirs[0, 0].item() == 8j


def test_layers_and_random() -> None:
    """A linear layer trains on complex numbers; normal numbers have variance 1."""
    jitnet.manual_seed(0)
    drawn = jitnet.randn(4000, dtype=jitnet.complex64)
    assert abs(drawn.abs().square().mean().item() - 1) < 0.1
    assert jitnet.rand(3, dtype=jitnet.complex128).imag.min() >= 0
    layer = jitnet.nn.Linear(3, 2, dtype=jitnet.complex64)
    x = jitnet.randn(5, 3, dtype=jitnet.complex64)
    (layer(x) - x[:, :2]).abs().square().sum().backward()
    other = torch.nn.Linear(3, 2, dtype=torch.complex64)
    other.load_state_dict({k: torch.tensor(v.numpy()) for k, v in layer.state_dict().items()})
    t = torch.tensor(x.numpy())
    (other(t) - t[:, :2]).abs().square().sum().backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), other.weight.grad.numpy(), rtol=1e-4)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta"])
def test_optimizers(name: str) -> None:
    """Both parts of a complex parameter are updated as real parameters are."""
    results = []
    for lib in (jitnet, torch):
        z = lib.tensor(numbers(3, 2), requires_grad=True)
        optimizer = getattr(lib.optim, name)([z], lr=0.1, weight_decay=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            (z * z - 1j).abs().square().sum().backward()
            optimizer.step()
        results.append(z)
    assert_same(*results)
