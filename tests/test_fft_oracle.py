"""jitnet.fft, stft, istft and windows against PyTorch: values, gradients, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.autograd import gradcheck, gradgradcheck

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

rng = np.random.default_rng(0)
REAL = rng.normal(size=(3, 4, 5))
COMPLEX = rng.normal(size=(3, 4, 5)) + 1j * rng.normal(size=(3, 4, 5))


def assert_same(mine: Any, other: Any, rtol: float = 1e-10) -> None:
    assert str(mine.dtype).split(".")[1] == str(other.dtype).split(".")[1]
    assert tuple(mine.shape) == tuple(other.shape)
    want = other.detach().resolve_conj().numpy()
    np.testing.assert_allclose(mine.detach().numpy(), want, rtol=rtol, atol=1e-11)


def compare(function: Callable[..., Any], *arrays: np.ndarray) -> None:
    """Compare results and the gradients of a real loss of them."""
    mine = [jitnet.tensor(array, requires_grad=True) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    y, expected = function(jitnet, *mine), function(torch, *theirs)
    assert_same(y, expected)
    seed = np.random.default_rng(1).normal(size=(2, *expected.shape))
    full = seed[0] + 1j * seed[1] if expected.is_complex() else seed[0]
    y.backward(jitnet.tensor(full))
    expected.backward(torch.tensor(full))
    for a, b in zip(mine, theirs, strict=True):
        assert_same(a.grad, b.grad)


ANY = ("fft", "ifft", "irfft", "hfft")
ONLY_REAL = ("rfft", "ihfft")
ONE = [(name, array) for name in ANY for array in (COMPLEX, REAL)]
ONE += [(name, REAL) for name in ONLY_REAL]
ids = lambda value: value if isinstance(value, str) else ""  # noqa: E731


@pytest.mark.parametrize(("name", "array"), ONE, ids=ids)
@pytest.mark.parametrize("norm", [None, "forward", "backward", "ortho"])
def test_one_dim(name: str, array: np.ndarray, norm: str | None) -> None:
    for options in ({}, {"n": 3}, {"n": 8}, {"dim": 0}, {"n": 7, "dim": -2}, {"n": 1}):
        compare(lambda lib, x, o=options: getattr(lib.fft, name)(x, norm=norm, **o), array)


SEVERAL: list[dict[str, Any]] = [
    {}, {"dim": (0, 2)}, {"dim": (2, 0)}, {"s": (4, 3)}, {"s": (6, -1), "dim": (2, 1)},
    {"s": (2, 3, 9)}, {"dim": (1,)}, {"dim": 1}, {"s": (-1, 4), "dim": (0, -1)},
]  # fmt: skip


@pytest.mark.parametrize(("name", "array"), ONE, ids=ids)
@pytest.mark.parametrize("norm", [None, "forward", "ortho"])
def test_several_dims(name: str, array: np.ndarray, norm: str | None) -> None:
    for options in SEVERAL:
        compare(lambda lib, x, o=options: getattr(lib.fft, f"{name}n")(x, norm=norm, **o), array)
    for options in ({}, {"dim": (0, 1)}, {"s": (3, 4)}):
        compare(lambda lib, x, o=options: getattr(lib.fft, f"{name}2")(x, norm=norm, **o), array)


@pytest.mark.parametrize(("name", "array"), ONE, ids=ids)
def test_second_derivatives(name: str, array: np.ndarray) -> None:
    """Transforms are linear, so a square of them shows whether gradients have gradients."""
    x = jitnet.tensor(array[0, :2], requires_grad=True)

    def function(value: Any) -> Any:
        found = getattr(jitnet.fft, name)(value, n=6)
        return found * found

    assert gradcheck(function, (x,))
    assert gradgradcheck(function, (x,), atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int64", "bool"])
def test_dtypes(dtype: str) -> None:
    array = (REAL * 3).astype(dtype)
    for name in ANY + (() if dtype == "complex64" else ONLY_REAL):
        mine, other = jitnet.tensor(array), torch.tensor(array)
        found, wanted = getattr(jitnet.fft, name)(mine), getattr(torch.fft, name)(other)
        assert found.dtype.name == str(wanted.dtype).split(".")[1]
        np.testing.assert_allclose(
            found.numpy(), wanted.resolve_conj().numpy(), rtol=1e-4, atol=1e-5
        )


def test_frequencies_and_shifts() -> None:
    for n in (1, 2, 7, 8):
        for name in ("fftfreq", "rfftfreq"):
            for options in ({}, {"d": 0.1}):
                mine = getattr(jitnet.fft, name)(n, **options, dtype=jitnet.float64)
                assert_same(mine, getattr(torch.fft, name)(n, **options, dtype=torch.float64))
    for name in ("fftshift", "ifftshift"):
        for dim in (None, 1, (0, 2), -1):
            compare(lambda lib, x, a=name, d=dim: getattr(lib.fft, a)(x, dim=d), COMPLEX)


ERRORS: dict[str, Callable[[Any], Any]] = {
    "no_dims": lambda lib: lib.fft.fft(lib.ones(())),
    "no_points": lambda lib: lib.fft.fft(lib.ones(3), n=0),
    "nothing": lambda lib: lib.fft.fft(lib.ones(0)),
    "norm": lambda lib: lib.fft.fft(lib.ones(3), norm="x"),
    "complex_to_rfft": lambda lib: lib.fft.rfft(lib.ones(3) * 1j),
    "complex_to_ihfft": lambda lib: lib.fft.ihfft(lib.ones(3) * 1j),
    "lengths": lambda lib: lib.fft.fftn(lib.ones(3, 3), s=(2,), dim=(0, 1)),
    "twice": lambda lib: lib.fft.fftn(lib.ones(3, 3), dim=(0, 0)),
    "too_many": lambda lib: lib.fft.fftn(lib.ones(3, 3), s=(2, 2, 2)),
    "half": lambda lib: lib.fft.fft(lib.ones(3).half()),
    "no_axis": lambda lib: lib.fft.rfftn(lib.ones(3), dim=()),
    "short": lambda lib: lib.fft.irfft(lib.ones(1)),
    "outside": lambda lib: lib.fft.fft(lib.ones(3), dim=2),
    "fft2": lambda lib: lib.fft.fft2(lib.ones(3)),
    "stft_window": lambda lib: lib.stft(
        lib.ones(30), 8, window=lib.ones(5), return_complex=True
    ),
    "stft_complex": lambda lib: lib.stft(lib.ones(30), 8, window=lib.ones(8)),
    "stft_onesided": lambda lib: lib.stft(lib.ones(30) * 1j, 8, window=lib.ones(8), onesided=True),
    "stft_hop": lambda lib: lib.stft(lib.ones(30), 8, 0, window=lib.ones(8), return_complex=True),
    "stft_size": lambda lib: lib.stft(
        lib.ones(5), 8, center=False, window=lib.ones(8), return_complex=True
    ),
    "istft_real": lambda lib: lib.istft(lib.ones(5, 3), 8, window=lib.ones(8)),
    "istft_size": lambda lib: lib.istft(lib.ones(6, 3) * 1j, 8, window=lib.ones(8)),
    "istft_gaps": lambda lib: lib.istft(lib.ones(5, 9) * 1j, 8, window=lib.zeros(8)),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    with pytest.raises((RuntimeError, IndexError)) as theirs:
        ERRORS[name](torch)
    with pytest.raises((RuntimeError, IndexError)) as mine:
        ERRORS[name](jitnet)
    assert isinstance(mine.value, IndexError) == isinstance(theirs.value, IndexError)


SIGNAL = rng.normal(size=(2, 40))
STFT: list[dict[str, Any]] = [
    {}, {"hop_length": 3}, {"win_length": 6}, {"center": False}, {"normalized": True},
    {"onesided": False}, {"pad_mode": "constant"}, {"win_length": 5, "hop_length": 2},
]  # fmt: skip


@pytest.mark.parametrize("options", STFT, ids=str)
def test_stft(options: dict[str, Any]) -> None:
    def forward(lib: Any, x: Any) -> Any:
        window = lib.hann_window(options.get("win_length", 8), dtype=lib.float64)
        return lib.stft(x, 8, window=window, return_complex=True, **options)

    compare(forward, SIGNAL)
    compare(lambda lib, x: forward(lib, x[0]), SIGNAL)
    kept = {key: value for key, value in options.items() if key != "pad_mode"}
    spectrum = np.array(forward(jitnet, jitnet.tensor(SIGNAL)).tolist())

    def back(lib: Any, z: Any, **more: Any) -> Any:
        window = lib.hamming_window(options.get("win_length", 8), dtype=lib.float64)
        return lib.istft(z, 8, window=window, **kept, **more)

    compare(back, spectrum)
    compare(lambda lib, z: back(lib, z, length=30), spectrum)


def test_stft_of_complex_signals_and_windows() -> None:
    signal = COMPLEX.reshape(2, 30)

    def there(lib: Any, x: Any, w: Any) -> Any:
        return lib.stft(x, 6, window=w)

    compare(there, signal, COMPLEX[0, 0, :1].repeat(6) * np.arange(1, 7))
    window = jitnet.hann_window(6, dtype=jitnet.float64)
    spectrum = jitnet.stft(jitnet.tensor(signal), 6, window=window)
    back = jitnet.istft(spectrum, 6, window=window, return_complex=True, onesided=False)
    np.testing.assert_allclose(back.numpy(), signal[:, : back.shape[1]], atol=1e-12)
    pairs = jitnet.stft(jitnet.tensor(SIGNAL), 8, window=jitnet.ones(8), return_complex=False)
    assert pairs.shape == (2, 5, 21, 2)


def test_second_derivatives_of_stft() -> None:
    x = jitnet.tensor(SIGNAL[0, :12], requires_grad=True)
    window = jitnet.hann_window(4, dtype=jitnet.float64).requires_grad_()

    def power(signal: Any, taper: Any) -> Any:
        return jitnet.stft(signal, 4, window=taper, return_complex=True).abs() ** 2

    assert gradcheck(power, (x, window))
    assert gradgradcheck(power, (x, window), atol=1e-4)


WINDOWS: dict[str, Callable[[Any, Any, bool], Any]] = {
    name: lambda lib, n, sym, name=name: getattr(lib.signal.windows, name)(n, sym=sym)
    for name in ("bartlett", "blackman", "cosine", "hann", "hamming", "nuttall", "kaiser")
} | {
    "exponential": lambda lib, n, sym: lib.signal.windows.exponential(n, tau=2.0, sym=sym),
    "gaussian": lambda lib, n, sym: lib.signal.windows.gaussian(n, std=1.5, sym=sym),
    "general_hamming": lambda lib, n, sym: lib.signal.windows.general_hamming(
        n, alpha=0.6, sym=sym
    ),
    "general_cosine": lambda lib, n, sym: lib.signal.windows.general_cosine(
        n, a=[0.4, 0.3, 0.2], sym=sym
    ),
    "hann_window": lambda lib, n, sym: lib.hann_window(n, not sym),
    "hamming_window": lambda lib, n, sym: lib.hamming_window(n, not sym, 0.5, 0.4),
    "blackman_window": lambda lib, n, sym: lib.blackman_window(n, periodic=not sym),
    "bartlett_window": lambda lib, n, sym: lib.bartlett_window(n, not sym),
    "kaiser_window": lambda lib, n, sym: lib.kaiser_window(n, not sym, 9.0),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows(name: str) -> None:
    for n in (0, 1, 2, 9, 10):
        for sym in (True, False):
            mine, other = WINDOWS[name](jitnet, n, sym), WINDOWS[name](torch, n, sym)
            assert mine.dtype is jitnet.float32
            np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=2e-6)
