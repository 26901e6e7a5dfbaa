"""Shapes that depend on data, on a GPU: masks, nonzero, unique, counts; the CPU is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor
from jitnet.nn import functional as F

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]


def sample(*shape: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return jitnet.from_numpy(rng.standard_normal(shape).astype(np.float32))


def check(fn: Callable[..., Any], *args: Any) -> None:
    """Assert that a function of tensors gives the same on both, in shape, dtype and bits."""
    wanted = fn(*args)
    found = fn(*(arg.cuda() if isinstance(arg, Tensor) else arg for arg in args))
    pairs = zip(jitnet.tree.flatten(found)[0], jitnet.tree.flatten(wanted)[0], strict=True)
    for there, here in pairs:
        assert there.is_cuda and (there.dtype, there.shape) == (here.dtype, here.shape)
        np.testing.assert_array_equal(there.cpu().numpy(), here.numpy())


def write(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    made = x.clone()
    made[mask] = value
    return made


X = sample(5, 7)
NONE = jitnet.zeros(5, 7)
LINE = jitnet.tensor([3, 1, 1, 0, 3, 3, 7])
NAN = jitnet.tensor([1.0, float("nan"), 0.0, -0.0, float("nan"), 1.0, 1.0])
COUNTS = jitnet.tensor([2, 0, 3, 1, 0])

SELECTING: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "mask": (lambda x: x[x > 0], (X,)),
    "mask_of_none": (lambda x: x[x > 0], (NONE,)),
    "mask_of_all": (lambda x: x[x > -9], (X,)),
    "mask_of_rows": (lambda x: x[x[:, 0] > 0], (X,)),
    "mask_of_columns": (lambda x: x[:, x[0] > 0], (X,)),
    "mask_of_0d": (lambda x: x[x.sum() > -1e9], (X,)),
    "mask_empty": (lambda x: x[x > 0], (jitnet.zeros(0, 3),)),
    "write_number": (lambda x: write(x, x > 0, 2.0), (X,)),
    "write_tensor": (lambda x, y: write(x, y > 0, x[y > 0] * 2), (X, sample(5, 7, seed=1))),
    "nonzero": (jitnet.nonzero, (X.round(),)),
    "nonzero_tuple": (lambda x: jitnet.nonzero(x, as_tuple=True), (X.round(),)),
    "nonzero_0d": (jitnet.nonzero, (jitnet.tensor(3.0),)),
    "nonzero_none": (jitnet.nonzero, (NONE,)),
    "where": (lambda x: jitnet.where(x > 1), (X,)),
    "masked_select": (lambda x: x.masked_select(x[0] > 0), (X,)),
    "unique": (jitnet.unique, (LINE,)),
    "unique_all": (lambda x: jitnet.unique(x, return_inverse=True, return_counts=True), (LINE,)),
    "unique_2d": (lambda x: jitnet.unique(x, return_inverse=True), (X.round(),)),
    "unique_nan": (lambda x: jitnet.unique(x, return_counts=True), (NAN,)),
    "unique_empty": (lambda x: jitnet.unique(x, return_counts=True), (jitnet.zeros(0),)),
    "unique_one": (lambda x: jitnet.unique(x, return_counts=True), (jitnet.ones(1),)),
    "unique_standard": (lambda x: tuple(jitnet.unique_all(x)), (NAN,)),
    "runs": (lambda x: jitnet.unique_consecutive(x, True, True), (LINE,)),
    "runs_empty": (jitnet.unique_consecutive, (jitnet.zeros(0),)),
    "bincount": (jitnet.bincount, (LINE,)),
    "bincount_long": (lambda x: jitnet.bincount(x, minlength=12), (LINE,)),
    "bincount_weights": (jitnet.bincount, (LINE, jitnet.arange(7.0))),
    "bincount_empty": (jitnet.bincount, (jitnet.zeros(0, dtype=jitnet.int64),)),
    "repeat_interleave": (lambda x, n: x.repeat_interleave(n, 0), (X, COUNTS)),
    "repeat_one_count": (lambda x, n: x.repeat_interleave(n, 0), (X, jitnet.tensor([2]))),
    "one_hot": (F.one_hot, (LINE,)),
}


@pytest.mark.parametrize("name", SELECTING)
def test_as_on_the_cpu(name: str) -> None:
    fn, args = SELECTING[name]
    check(fn, *args)


def test_long_lines() -> None:
    x = jitnet.from_numpy(np.random.default_rng(0).integers(0, 40, 3000))
    check(lambda x: x[x > 20], x)
    check(lambda x: jitnet.unique(x, return_inverse=True, return_counts=True), x)


def test_gradients_go_through_a_mask() -> None:
    x, there = X.clone().requires_grad_(), X.cuda().requires_grad_()
    (x[x > 0] ** 2).sum().backward()
    (there[there > 0] ** 2).sum().backward()
    assert x.grad is not None and there.grad is not None
    jitnet.testing.assert_close(there.grad.cpu(), x.grad)


def test_errors() -> None:
    with pytest.raises(RuntimeError, match="repeats can not be negative"):
        X.cuda().repeat_interleave(jitnet.tensor([1, -1, 1, 1, 1]).cuda(), 0)
    with pytest.raises(RuntimeError, match="bincount wants numbers >= 0, got -1"):
        jitnet.bincount(jitnet.tensor([1, -1]).cuda())
    with pytest.raises(IndexError, match="shape of the mask"):
        X.cuda()[jitnet.ones(4, 7, dtype=jitnet.bool).cuda()]
    with pytest.raises(jitnet.CompileError, match="not known while tracing"):
        jitnet.compile(lambda x: x[x > 0])(X.cuda())
