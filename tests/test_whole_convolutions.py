"""Convolutions, pools and products of whole numbers: PyTorch's values, compiled as eager."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F

WHOLE = "uint8 int8 int16 int32 int64 uint16 uint32 uint64".split()


def _numbers(name: str, *shape: int) -> np.ndarray:
    low = 0 if name.startswith("u") else -90
    return np.random.default_rng(len(shape)).integers(low, 90, shape).astype(name)


CONVOLUTIONS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "1d": (lambda f, *args: f.conv1d(*args, padding=1), ((2, 3, 9), (4, 3, 3), (4,))),
    "2d": (lambda f, *args: f.conv2d(*args, padding=1), ((1, 8, 12, 12), (8, 8, 3, 3), (8,))),
    "3d": (lambda f, *args: f.conv3d(*args, stride=2), ((1, 2, 5, 5, 6), (3, 2, 2, 3, 2), (3,))),
    "rows": (lambda f, *args: f.conv2d(*args), ((2, 32, 4, 4), (32, 32, 1, 1), (32,))),
    "groups": (
        lambda f, *args: f.conv2d(*args, groups=2, dilation=2, stride=2),
        ((1, 4, 9, 9), (2, 2, 3, 3), (2,)),
    ),
    "transposed": (
        lambda f, *args: f.conv_transpose2d(*args, stride=2, output_padding=1),
        ((1, 3, 4, 4), (3, 2, 3, 3), (2,)),
    ),
}
UNKNOWN_TO_PYTORCH = {"groups", "transposed"}  # but for int64


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions(case: str, name: str) -> None:
    run, shapes = CONVOLUTIONS[case]
    arrays = [_numbers(name, *shape) for shape in shapes]
    mine = [jitnet.from_numpy(array) for array in arrays]
    eager = run(F, *mine)
    assert eager.dtype.name == name
    assert jitnet.equal(jitnet.compile(lambda *args: run(F, *args))(*mine), eager)
    exact = run(F, *(jitnet.from_numpy(array.astype(np.int64)) for array in arrays))
    assert jitnet.equal(exact.to(eager.dtype), eager)  # modulo 2^bits
    torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")
    wide = [torch.from_numpy(array.astype(np.int64)) for array in arrays]
    assert run(torch.nn.functional, *wide).tolist() == exact.tolist()
    if (name[0] == "u" and name != "uint8") or (case in UNKNOWN_TO_PYTORCH and name != "int64"):
        return
    assert run(torch.nn.functional, *map(torch.from_numpy, arrays)).tolist() == eager.tolist()


@pytest.mark.parametrize(
    ("padding", "ceil", "include", "divisor"),
    [*itertools.product((0, 1), (False, True), (False, True), (None, 3, -3))],
)
def test_means_of_windows(padding: int, ceil: bool, include: bool, divisor: int | None) -> None:
    """Rounded towards zero."""
    torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")
    array = _numbers("int64", 2, 3, 7, 8)
    args = ((2, 3), 2, padding, ceil, include, divisor)
    wanted = torch.nn.functional.avg_pool2d(torch.from_numpy(array), *args)
    pool = lambda x: F.avg_pool2d(x, *args)  # noqa: E731
    for run in (pool, jitnet.compile(pool)):
        got = run(jitnet.from_numpy(array))
        assert got.dtype is jitnet.int64 and got.tolist() == wanted.tolist()


@pytest.mark.parametrize("dtype", [jitnet.int32, jitnet.uint8, jitnet.bool])
def test_what_pytorch_refuses(dtype: Any) -> None:
    x = jitnet.ones(1, 2, 4, 4, dtype=dtype)
    for refused in (F.avg_pool2d, F.adaptive_avg_pool2d):
        with pytest.raises(jitnet.DTypeError, match="wants floating point"):
            refused(x, 2)
    if dtype is jitnet.bool:
        with pytest.raises(jitnet.DTypeError, match="conv wants"):
            F.conv2d(x, x)


def test_layers_of_whole_numbers() -> None:
    x = jitnet.arange(6).reshape(2, 3)
    w = jitnet.arange(12).reshape(4, 3)
    layer = jitnet.compile(lambda x: F.linear(x, w, w[:, 0]))
    assert layer(x).tolist() == F.linear(x, w, w[:, 0]).tolist() == (x @ w.T + w[:, 0]).tolist()
