"""Sorting and what is found by it, against PyTorch: eager, compiled, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from tests.three_ways import check

pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

rng = np.random.default_rng(3)
X = rng.permutation(np.linspace(-2, 2, 60, dtype=np.float32)).reshape(3, 4, 5)
HOLES = np.where(rng.random((4, 6)) < 0.3, np.nan, rng.standard_normal((4, 6))).astype(np.float32)
EDGES = np.sort(rng.standard_normal((4, 9)).astype(np.float32), -1)
MANY = rng.permutation(np.linspace(-2, 2, 2500, dtype=np.float32)).reshape(50, 50)
POINT = np.array(1.5, np.float32)
AGAIN = rng.integers(0, 3, (4, 9))
QS = np.array([0.0, 0.3, 0.5, 1.0], np.float32)

Function = Callable[..., Any]
FUNCTIONS: dict[str, tuple[Function, tuple[np.ndarray, ...]]] = {
    "sort": (lambda lib, f, x: (*x.sort(), *lib.sort(x, 0, descending=True)), (X,)),
    "sort nan": (lambda lib, f, x: (*x.sort(), *lib.sort(x, 0, descending=True)), (HOLES,)),
    "sort point": (lambda lib, f, x: (*x.sort(), *x.topk(1), *x.kthvalue(1), *x.mode()), (POINT,)),
    "sort whole": (lambda lib, f, x: (*lib.sort(x, dim=-1, stable=True), lib.msort(x)), (AGAIN,)),
    "argsort": (lambda lib, f, x: lib.argsort(x, 1, descending=True), (X,)),
    "topk": (lambda lib, f, x: (*x.topk(2), *lib.topk(x, 3, 1, largest=False)), (X,)),
    "topk of many": (lambda lib, f, x: (*x.topk(7), *lib.topk(x, 9, 0, largest=False)), (MANY,)),
    "topk none": (lambda lib, f, x: x.topk(0), (X,)),
    "kthvalue": (lambda lib, f, x: (*x.kthvalue(2), *lib.kthvalue(x, 4, 1, True)), (X,)),
    "median": (lambda lib, f, x: (x.median(), *x.median(1), *x.median(0, keepdim=True)), (X,)),
    "median nan": (lambda lib, f, x: (*x.median(1), *x.median(0, keepdim=True)), (HOLES,)),
    "nanmedian": (lambda lib, f, x: (x.nanmedian(), *x.nanmedian(1), *x.nanmedian(0)), (HOLES,)),
    "mode": (lambda lib, f, x: (*x.mode(), *x.mode(0, True), *lib.mode(x, 1)), (AGAIN,)),
    "mode of floats": (lambda lib, f, x: (x.round().mode(-1).values,), (X,)),
    "searchsorted": (
        lambda lib, f, e, v: (
            lib.searchsorted(e, v), lib.searchsorted(e, v, right=True, out_int32=True),
            lib.searchsorted(e[0], v), lib.searchsorted(e[1], 0.3), lib.bucketize(v, e[2]),
        ),
        (EDGES, HOLES),
    ),
    "histc": (lambda lib, f, x: (x.detach().histc(7), lib.histc(x.detach(), 5, -1, 0.5)), (X,)),
    "quantile": (
        lambda lib, f, x, q: (
            x.quantile(0.4), x.quantile(q.detach(), 1), x.quantile(q.detach(), 0, keepdim=True),
            x.quantile(0.7, 2, interpolation="lower"), x.quantile(0.7, 2, interpolation="higher"),
            x.quantile(0.7, interpolation="nearest"), x.quantile(0.7, 1, interpolation="midpoint"),
            x.quantile(0.25, keepdim=True),
        ),
        (X, QS),
    ),
    "quantile nan": (lambda lib, f, x: (x.quantile(0.4, 1), x.nanquantile(0.4, 1)), (HOLES,)),
    "nanquantile": (lambda lib, f, x: (x.nanquantile(0.4), x.nanquantile(0.7, 0, True)), (HOLES,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_like_pytorch(name: str) -> None:
    """Values, indices and gradients are PyTorch's, eager and compiled."""
    function, arrays = FUNCTIONS[name]
    check(function, *arrays)


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "uint64", "int32", "float16", "bfloat16", "float64"]
)
def test_dtypes(dtype: str) -> None:
    """Every dtype sorts, 16-bit floats with their NaN."""
    import torch

    x = torch.tensor(HOLES if "float" in dtype else AGAIN).to(getattr(torch, dtype))
    mine = jitnet.tensor(HOLES if "float" in dtype else AGAIN).to(getattr(jitnet, dtype))
    wanted = x.sort(dim=1, stable=True)
    for function in (lambda y: y.sort(1), jitnet.compile(lambda y: y.sort(1))):
        values, indices = function(mine)
        assert values.dtype is mine.dtype
        assert indices.tolist() == wanted.indices.tolist()
        assert np.array_equal(values.double().numpy(), wanted.values.double().numpy(), True)


def test_order_of_special_values() -> None:
    """Zeros are equal, NaN of either sign is last, and equal elements stay in their order."""
    special = np.array([0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1e-45, -1e-45, 3.0, 3.0])
    for dtype in (np.float32, np.float64):
        x = np.concatenate([rng.permutation(special.astype(dtype)) for _ in range(20)])
        order = jitnet.tensor(x).argsort().numpy()
        assert np.array_equal(order, np.argsort(x, kind="stable"))
        turned = jitnet.tensor(x).argsort(descending=True).numpy()
        assert np.array_equal(turned, np.lexsort((np.arange(len(x)), -x, ~np.isnan(x))))


@pytest.mark.parametrize(
    "function, error, message",
    [
        (lambda x: x.topk(6), RuntimeError, "selected index k out of range"),
        (lambda x: x.kthvalue(0), RuntimeError, "selected number k out of range"),
        (lambda x: x[:, :, :0].median(-1), IndexError, "wants elements along dim"),
        (lambda x: x.quantile(0.5, interpolation="cubic"), RuntimeError, "linear, lower"),
        (lambda x: x[:, :, :0].quantile(0.5), RuntimeError, "non-empty"),
        (lambda x: x.histc(0), RuntimeError, "bins > 0"),
        (lambda x: x.histc(3, 2, 1), RuntimeError, "max >= min"),
        (lambda x: jitnet.searchsorted(x, x[0]), RuntimeError, "one sorted vector"),
    ],
)  # fmt: skip
def test_refusals(function: Any, error: type[Exception], message: str) -> None:
    """Wrong arguments are named, eager and while tracing."""
    x = jitnet.tensor(X)
    for each in (function, jitnet.compile(function)):
        with pytest.raises(error, match=message):
            each(x)
