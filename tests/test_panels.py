"""Weights that last lie in panels: same results, and nobody copies them in a call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet.compile import compile
from jitnet.tensor import Tensor


def normal(*shape: int) -> Tensor:
    values = np.random.default_rng(sum(shape)).standard_normal(shape)
    return jitnet.tensor(values.astype(np.float32))


def once(fn: Callable[[Tensor], Tensor], x: Tensor) -> str:
    """Check a compiled function against eager, and return the graph of what it computes once."""
    compiled = compile(fn)
    with jitnet.no_grad():
        want, got = fn(x).numpy(), compiled(x).numpy()
    np.testing.assert_allclose(got, want, 1e-4, 1e-4 * float(np.abs(want).max()))
    text = compiled.dump("graph")
    return text.partition("==== in every call ====")[0] if "==== once" in text else ""


CONVOLUTIONS = [
    ((2, 16, 9, 7), (64, 16, 3, 3), {"stride": 2, "padding": 1}),
    ((1, 3, 20, 20), (32, 3, 7, 7), {"stride": 2, "padding": 3}),
    ((1, 40, 7, 7), (96, 40, 1, 1), {}),
    ((2, 8, 5, 5), (32, 8, 3, 2), {"dilation": 2}),
    ((3, 16, 30), (32, 16, 5), {"padding": 2}),
    ((1, 8, 4, 5, 6), (64, 8, 2, 2, 2), {}),
]


@pytest.mark.parametrize(("shape", "kernels", "how"), CONVOLUTIONS)
def test_kernels_of_convolutions(
    shape: tuple[int, ...], kernels: tuple[int, ...], how: dict[str, int]
) -> None:
    conv = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}[len(shape)]
    w, bias = normal(*kernels), normal(kernels[0])
    kept = once(lambda x: F.relu(conv(x, w, bias, **how)) * 2, normal(*shape))
    assert f"f32[{kernels[0] // 32}, " in kept and "copy" in kept
    doubled = once(lambda x: conv(x, w.double(), **how), normal(*shape).double())
    assert f"f64[{kernels[0] // 16}, " in doubled


def test_kernels_that_do_not_fall_into_panels() -> None:
    for outputs, groups in ((33, 1), (64, 2)):
        w = normal(outputs, 16 // groups, 5, 5)
        convolve = lambda x, w=w, groups=groups: F.conv2d(x, w, groups=groups)  # noqa: E731
        assert not once(convolve, normal(1, 16, 9, 9))


def test_planes_of_kernels() -> None:
    w = normal(256, 256, 3, 3)
    kept = once(lambda x: F.conv2d(x, w, padding=1), normal(1, 256, 14, 14))
    assert "f32[16, 8, 256, 32] = copy" in kept


def test_matrices_that_are_computed() -> None:
    a, b = normal(64, 64), normal(64, 96)
    assert "f32[3, 64, 32] = copy" in once(lambda x: x @ (a @ b), normal(40, 64))
    short, long = normal(64, 8), normal(8, 96)
    assert "copy" not in once(lambda x: x @ long.exp(), normal(40, 8))
    assert not once(lambda x: x @ (short @ long), normal(40, 64))  # larger than both


def test_matrices_as_they_are_stay_where_they_are() -> None:
    w, bias = normal(96, 64), normal(96)
    assert not once(lambda x: F.linear(x, w, bias), normal(40, 64))


def test_a_kernel_that_two_convolutions_share_is_kept_once() -> None:
    w = normal(32, 32, 1, 1)
    kept = once(lambda x: F.conv2d(F.conv2d(x, w).relu(), w), normal(1, 32, 6, 6))
    assert kept.count("= copy") == 1


def test_tiny_convolutions_become_loops() -> None:
    w = normal(32, 1, 1, 1)
    once(lambda x: F.conv2d(x, w), normal(1, 1, 2, 2))


def recurrence(w: Tensor, steps: int, turned: bool) -> Callable[[Tensor], Tensor]:
    """Return a loop of small products by one matrix, which its caller may change in between."""

    def run(x: Tensor, w: Tensor) -> Tensor:
        for _ in range(steps):
            x = (x @ (w.t() if turned else w)).tanh()
        return x

    return lambda x: run(x, w)


@pytest.mark.parametrize("turned", [True, False], ids=["turned", "as it is"])
@pytest.mark.parametrize(("rows", "width", "steps", "packs"), [
    (8, 128, 5, True), (8, 128, 3, False), (2, 128, 5, False), (200, 128, 5, False),
    (8, 160, 4, True), (8, 120, 5, None),
])  # fmt: skip
def test_weights_of_a_loop_lie_in_panels(
    rows: int, width: int, steps: int, packs: bool | None, turned: bool
) -> None:
    """Many small products read one copy; few, large or thin ones do not repay it."""
    w = normal(width, width) * width**-0.5
    w.requires_grad_()  # so that each call has to look at it
    fn = recurrence(w, steps, turned)
    compiled = compile(fn)
    x = normal(rows, width)
    want, got = fn(x).detach().numpy(), compiled(x).detach().numpy()
    np.testing.assert_allclose(got, want, 1e-4, 1e-5)
    if packs is not None:
        assert (" l:32, over k:" in compiled.dump("kernels")) == packs
