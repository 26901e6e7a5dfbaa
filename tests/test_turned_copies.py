"""Copies that turn matrices round go by squares, and move every bit, whatever the threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitnet

SHAPES = [(64, 48), (48, 37), (160, 200), (96, 16), (32, 1000)]
DTYPES = [np.float32, np.float64, np.int32, np.int64]


def bits(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Return elements of any bits, signalling NaNs among them."""
    size = np.dtype(dtype).itemsize * int(np.prod(shape))
    return np.random.default_rng(size).integers(0, 256, size, np.uint8).view(dtype).reshape(shape)


def check(f: Callable[[jitnet.Tensor], jitnet.Tensor], a: np.ndarray, want: np.ndarray) -> str:
    """Compare all bits of what a compiled function makes on some numbers of threads."""
    compiled, x = jitnet.compile(f), jitnet.from_numpy(a)
    for count in (1, 2, 5):
        jitnet.set_num_threads(count)
        found = compiled(x).numpy()
        assert found.flags.c_contiguous and found.shape == want.shape
        assert found.tobytes() == np.ascontiguousarray(want).tobytes()
    return str(compiled.dump("llvm"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_matrix_is_turned_round(shape: tuple[int, int], dtype: type[np.generic]) -> None:
    """Of any size along what is read, in whole vectors of what is written."""
    a = bits(shape, dtype)
    assert "jitnet_squares" in check(lambda x: x.T.contiguous(), a, a.T)


def test_matrices_inside_larger_values() -> None:
    """Batches, pieces, channels last, panels, and a matrix that is read from its end."""
    a = bits((3, 32, 4, 48), np.float32)
    for f, want in (
        (lambda x: x.permute(0, 2, 3, 1).contiguous(), a.transpose(0, 2, 3, 1)),
        (lambda x: x[1, :, 2, 5:40].T.contiguous(), a[1, :, 2, 5:40].T),
        (lambda x: x.permute(3, 0, 2, 1).contiguous(), a.transpose(3, 0, 2, 1)),
        (lambda x: x.flip(1).permute(0, 2, 3, 1).contiguous(), a[:, ::-1].transpose(0, 2, 3, 1)),
    ):
        assert "jitnet_squares" in check(f, a, want)


def test_what_is_no_turned_copy_stays_loops() -> None:
    """Copies in order, vectors with a remainder, and what computes something besides."""
    a = bits((64, 48), np.float32)
    assert "jitnet_squares" not in check(lambda x: x[:, :16].contiguous(), a, a[:, :16])
    odd = bits((37, 64), np.float32)
    assert "jitnet_squares" not in check(lambda x: x.T.contiguous(), odd, odd.T)
    ones = np.ones((64, 48), np.float32)
    assert "jitnet_squares" not in check(lambda x: (x.T + 1).contiguous(), ones, ones.T + 1)
