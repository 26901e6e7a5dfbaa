"""Complex values in compiled functions: what eager mode gives, with gradients and writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from tests.complex_table import ONE, TWO, numbers, written


def parts(value: Any) -> list[Any]:
    """Return the tensors of a result."""
    return [value] if not isinstance(value, tuple | list) else [p for v in value for p in parts(v)]


def with_gradients(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Return a function that gives the results, and the gradients of a real loss of them."""

    def run(*leaves: Any) -> list[Any]:
        results = parts(function(jitnet, *leaves))
        loss: Any = 0.0
        for number, y in enumerate(results):
            if y.requires_grad:
                loss = loss + (y * (0.7 + 0.1 * number - 0.3j)).real.sum()
        if not isinstance(loss, float):
            loss.backward()
        return [*(y.detach() for y in results), *(x.grad for x in leaves if x.grad is not None)]

    return run


def compare(function: Callable[..., Any], *arrays: np.ndarray) -> None:
    """Compare compiled results and gradients with eager ones, in double and single precision."""
    run = with_gradients(function)
    compiled = jitnet.compile(run)
    for dtype, error in ((np.complex128, 1e-11), (np.complex64, 2e-4)):
        given = [array.astype(dtype) if array.dtype.kind == "c" else array for array in arrays]
        want = run(*[jitnet.tensor(array, requires_grad=True) for array in given])
        got = compiled(*[jitnet.tensor(array, requires_grad=True) for array in given])
        assert len(got) == len(want)
        for y, expected in zip(got, want, strict=True):
            assert y.dtype is expected.dtype and y.shape == expected.shape
            np.testing.assert_allclose(y.numpy(), expected.numpy(), error, error)


@pytest.mark.parametrize("name", ONE)
def test_functions_of_one(name: str) -> None:
    compare(lambda lib, z: getattr(lib, name)(z), numbers(3, 4))


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two(name: str) -> None:
    compare(TWO[name], numbers(3, 3), numbers(3, 3, seed=1))


def test_writes_into_parts() -> None:
    compare(written, numbers(3, 4))


FOURIER: dict[str, Callable[..., Any]] = {
    "fft": lambda lib, z: (lib.fft.fft(z), lib.fft.ifft(z, dim=0), lib.fft.fftn(z, norm="ortho")),
    "real": lambda lib, z: (lib.fft.rfft(z.real), lib.fft.irfft(z), lib.fft.irfft2(z, (3, 5))),
    "hermitian": lambda lib, z: (lib.fft.hfft(z), lib.fft.ihfft(z.imag), lib.fft.fftshift(z)),
    "filter": lambda lib, z: lib.fft.ifft(lib.fft.fft(z, 9) * lib.fft.fft(z[0], 9)).abs(),
    "stft": lambda lib, z: lib.stft(
        z.real.reshape(-1), 4, window=lib.hann_window(4), return_complex=True
    ),
    "istft": lambda lib, z: lib.istft(
        lib.stft(z.imag, 4, window=lib.hamming_window(4), return_complex=True), 4,
        window=lib.hamming_window(4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOURIER)
def test_transforms(name: str) -> None:
    compare(FOURIER[name], numbers(4, 6))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 15, 32, 33, 64, 65])
def test_sizes_of_transforms(size: int) -> None:
    """Short ones are products with constant matrices; both kinds agree with eager mode."""

    def transforms(z: jitnet.Tensor) -> list[jitnet.Tensor]:
        points = jitnet.fft.fft(z, dim=1), jitnet.fft.ifftn(z, dim=(0, 1))
        return [*points, jitnet.fft.rfft(z.real, dim=1), jitnet.fft.irfft(z, size, dim=1)]

    z = jitnet.tensor(numbers(2, size, 3))
    compiled = jitnet.compile(transforms)
    for got, want in zip(compiled(z), transforms(z), strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-12, atol=1e-12)
    hosts = compiled.dump("graph").count("host on_pairs")
    assert hosts == (0 if size <= 32 else 2 if size <= 64 else 4)


def test_transforms_are_exact_where_waves_are() -> None:
    """A transform of four points multiplies with 0, 1 and -1 only."""
    z = jitnet.tensor([5.0, 1.0, -3.0, 2.0], dtype=jitnet.complex64)
    assert jitnet.compile(jitnet.fft.fft)(z).tolist() == [5, 8 + 1j, -1, 8 - 1j]


SPECIAL = [0.0, -0.0, 1.0, -1.5, 1e300, -1e-300, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("name", ["abs", "sqrt", "reciprocal", "exp", "mul", "div", "eq"])
def test_special_numbers(name: str) -> None:
    """Huge, tiny, signed zeros; what is infinite is so compiled, and where eager is a number."""
    z = np.array([complex(a, b) for a in SPECIAL for b in SPECIAL])
    w = np.full_like(z, 1e250 - 3e249j)
    two = name in ("mul", "div", "eq")
    args = [jitnet.tensor(each) for each in ((z, w) if two else (z,))]
    function = getattr(jitnet, name)
    want, got = function(*args).numpy(), jitnet.compile(function)(*args).numpy()
    finite = np.isfinite(want)
    np.testing.assert_allclose(got[finite], want[finite], rtol=1e-14)
    seen = finite if name in ("sqrt", "reciprocal") else finite & (want.real != 0)
    assert (np.signbit(got.real) == np.signbit(want.real))[seen].all()


def test_state_is_written() -> None:
    """A complex buffer keeps its memory; views of parts of arguments are written."""
    state = jitnet.zeros(3, dtype=jitnet.complex64)
    memory = state.numpy()

    @jitnet.compile
    def step(z: jitnet.Tensor, factor: complex) -> jitnet.Tensor:
        state.mul_(factor).add_(z)
        z.real.zero_()
        return state.abs()

    wanted = np.zeros(3, np.complex64)
    for number in range(3):
        z = jitnet.tensor([1 + 1j, 2j, number])
        wanted = wanted * 2j + z.numpy()
        np.testing.assert_allclose(step(z, 2j).numpy(), np.abs(wanted), rtol=1e-6)
        assert z.tolist() == [1j, 2j, 0]
    np.testing.assert_allclose(memory, wanted)


def test_arguments_with_strides() -> None:
    z = jitnet.tensor(numbers(4, 6))
    compiled = jitnet.compile(lambda x: x * 2j + x.sum())
    for x in (z.T, z[1:, ::2], z.real.T, jitnet.view_as_real(z)[..., 1], z[:1].expand(4, 6)):
        np.testing.assert_allclose(compiled(x).numpy(), (x * 2j + x.sum()).numpy())


def test_a_network_trains() -> None:
    """A compiled step with Adam gives the parameters of an eager one."""

    def train(compiled: bool) -> list[np.ndarray]:
        jitnet.manual_seed(1)
        layer = jitnet.nn.Linear(4, 3, dtype=jitnet.complex64)
        optimizer = jitnet.optim.Adam(layer.parameters(), lr=0.05)

        def step(x: jitnet.Tensor, y: jitnet.Tensor) -> jitnet.Tensor:
            optimizer.zero_grad()
            loss = (layer(jitnet.fft.fft(x)) - y).abs().square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = jitnet.compile(step) if compiled else step
        x = jitnet.tensor(numbers(8, 4).astype(np.complex64))
        y = jitnet.tensor(numbers(8, 3, seed=2).astype(np.complex64))
        losses = [run(x, y).item() for _ in range(5)]
        assert losses[-1] < losses[0]
        return [parameter.detach().numpy() for parameter in layer.parameters()]

    for got, want in zip(train(True), train(False), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_values_of_nothing() -> None:
    """Constants, numbers repeated and counting give complex tensors in a trace, too."""

    def made() -> list[jitnet.Tensor]:
        double = jitnet.complex128
        return [
            jitnet.eye(2, 3, dtype=double), jitnet.linspace(0, 1, 4, dtype=double),
            jitnet.arange(3).to(double) * 1j, jitnet.full((2,), 1 - 2j), jitnet.tensor([1j, 2]),
            jitnet.arange(3.0) + jitnet.zeros(3, dtype=double), jitnet.hann_window(5) * 1j,
        ]  # fmt: skip

    for got, want in zip(jitnet.compile(made)(), made(), strict=True):
        assert got.dtype is want.dtype
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-6)


def test_backward_outside() -> None:
    """backward() called on a compiled function's complex result."""
    function = jitnet.compile(lambda x: jitnet.fft.rfft(x) * 1j)
    x = jitnet.tensor(numbers(6).real, requires_grad=True)
    (function(x).abs() ** 2).sum().backward()
    y = x.detach().clone().requires_grad_()
    ((jitnet.fft.rfft(y) * 1j).abs() ** 2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy())


def test_what_becomes_of_them() -> None:
    """Products are real arithmetic in one kernel; a transform is a visible host node."""

    def product(z: jitnet.Tensor, w: jitnet.Tensor) -> jitnet.Tensor:
        return (z * w).exp() + 1j

    def filtered(z: jitnet.Tensor) -> jitnet.Tensor:
        return jitnet.fft.fft(z) * 2

    z = jitnet.tensor(numbers(64))
    compiled = jitnet.compile(product)
    compiled(z, z)
    assert compiled.dump("kernels").count("\nkernel ") == 1
    transform = jitnet.compile(filtered)
    transform(z)
    graph = transform.dump("graph")
    assert "host on_pairs" in graph and "function=fourier" in graph and "test_complex_comp" in graph
