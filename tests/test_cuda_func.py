"""vmap, gradients of functions and sparse tensors on a GPU; the CPU is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor, sparse
from jitnet.func import grad, hessian, jacfwd, jacrev, vmap
from jitnet.nn import functional as F

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]


def sample(*shape: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return jitnet.from_numpy(rng.standard_normal(shape).astype(np.float32))


def check(fn: Callable[..., Any], *args: Tensor) -> None:
    """Assert that a function of tensors on the GPU stays there, and gives what the CPU gives."""
    found = jitnet.tree.flatten(fn(*(arg.cuda() for arg in args)))[0]
    for there, here in zip(found, jitnet.tree.flatten(fn(*args))[0], strict=True):
        assert there.device == jitnet.device("cuda:0")
        jitnet.testing.assert_close(there.cpu(), here)


def picked(x: Tensor, place: Tensor) -> Tensor:
    return x.index_select(0, place)


def seen(x: Tensor) -> Tensor:
    """Make tensors where an item is."""
    return jitnet.zeros(3, device=x.device) + x + jitnet.arange(3, device=x.device)


PLACES = jitnet.tensor([[0, 2], [1, 1], [2, 0]])

MAPPED: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "elements": (vmap(lambda x, y: x * 2 + y.exp()), (sample(4, 3), sample(4, 3, seed=1))),
    "one_for_all": (vmap(lambda x, y: x * y, (0, None)), (sample(4, 3), sample(3, seed=1))),
    "matmul": (vmap(lambda x, w: x @ w, (0, None)), (sample(4, 2, 3), sample(3, 2, seed=1))),
    "softmax": (vmap(lambda x: F.softmax(x, -1)), (sample(4, 3),)),
    "lookup": (vmap(picked), (sample(3, 4), PLACES)),
    "lookup_in_one": (vmap(picked, (None, 0)), (sample(4), PLACES)),
    "sort": (vmap(lambda x: x.sort()[0]), (sample(4, 3),)),
    "made_inside": (vmap(seen), (sample(4, 3),)),
    "like_inside": (vmap(lambda x: jitnet.ones_like(x) + x), (sample(4, 3),)),
    "inner": (vmap(vmap(lambda x: (x * 2).sum())), (sample(2, 3, 4),)),
    "grads": (vmap(grad(lambda x: (x**3).sum())), (sample(4, 3),)),
    "jacrev": (jacrev(lambda x: x.sin() * x.sum()), (sample(3),)),
    "jacfwd": (jacfwd(lambda x: x.sin() * x.sum()), (sample(3),)),
    "hessian": (hessian(lambda x: (x**3).sum()), (sample(3),)),
    "compiled": (jitnet.compile(vmap(lambda x: F.softmax(x, -1))), (sample(4, 3),)),
}


@pytest.mark.parametrize("name", MAPPED)
def test_mapped(name: str) -> None:
    fn, args = MAPPED[name]
    check(fn, *args)


def test_moving_inside_vmap() -> None:
    x = sample(4, 3)
    there = vmap(lambda x: x.cuda() * 2)(x)
    assert there.is_cuda
    jitnet.testing.assert_close(there.cpu(), x * 2)
    assert vmap(lambda x: x.cpu() + 1)(x.cuda()).device.type == "cpu"
    slope = vmap(grad(lambda x: (x.cuda() ** 2).sum().cpu()))(x)
    assert slope.device.type == "cpu"
    jitnet.testing.assert_close(slope, x * 2)


def test_two_devices_inside_vmap() -> None:
    here = sample(3)
    with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu"):
        vmap(lambda x: x + here)(sample(4, 3).cuda())


def test_no_items() -> None:
    found = vmap(lambda x: x.sort()[0])(jitnet.zeros(0, 3, device="cuda"))
    assert found.is_cuda and found.shape == (0, 3)


# -- sparse -------------------------------------------------------------------------------------

DENSE = jitnet.tensor([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])

SPARSE: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "there_and_back": (lambda x: x.to_sparse().to_dense(), (DENSE,)),
    "csr": (lambda x: x.to_sparse_csr().to_dense(), (DENSE,)),
    "rows": (lambda x: x.to_sparse_csr().crow_indices(), (DENSE,)),
    "matmul": (lambda x, y: x.to_sparse() @ y, (DENSE, sample(3, 4))),
    "dense_matmul": (lambda x, y: y @ x.to_sparse(), (DENSE, sample(4, 2))),
    "products": (lambda x: (x.to_sparse() @ x.t().to_sparse()).to_dense(), (DENSE,)),
    "sum": (lambda x: (x.to_sparse() + (x * 2).to_sparse()).to_dense(), (DENSE,)),
    "scaled": (lambda x: (x.to_sparse() * 3).sin().to_dense(), (DENSE,)),
    "sum_of": (lambda x: sparse.sum(x.to_sparse(), 0).to_dense(), (DENSE,)),
    "softmax": (lambda x: sparse.softmax(x.to_sparse(), 1).to_dense(), (DENSE,)),
    "turned": (lambda x: x.to_sparse().t().coalesce().to_dense(), (DENSE,)),
}


@pytest.mark.parametrize("name", SPARSE)
def test_sparse(name: str) -> None:
    fn, args = SPARSE[name]
    check(fn, *args)


def test_sparse_tensors_move() -> None:
    there = DENSE.to_sparse().cuda()
    assert there.is_cuda and there.is_sparse
    assert there.values().is_cuda and there.indices().is_cuda
    assert there.to("cuda:0") is there
    back = there.cpu()
    assert back.device.type == "cpu" and back.values().device.type == "cpu"
    jitnet.testing.assert_close(back.to_dense(), DENSE)


def test_sparse_tensors_are_made_there() -> None:
    made = jitnet.sparse_coo_tensor([[0, 1, 1], [2, 0, 0]], [3.0, 4.0, 5.0], (2, 3), device="cuda")
    assert made.is_cuda
    assert made.to_dense().tolist() == [[0, 0, 3], [9, 0, 0]]
    values = jitnet.ones(2).cuda()
    assert jitnet.sparse_coo_tensor([[0, 1], [1, 0]], values).is_cuda
    assert jitnet.sparse_csr_tensor([0, 1, 2], [1, 0], values).to_dense().tolist() == [
        [0, 1],
        [1, 0],
    ]
    assert jitnet.sparse_coo_tensor((2, 3), device="cuda").is_cuda


def test_gradients_of_a_sparse_product() -> None:
    places, values = [[0, 1, 1], [1, 0, 2]], jitnet.tensor([2.0, 1.0, 3.0])
    y = sample(3, 4)
    grads = []
    for device in ("cpu", "cuda"):
        elements = values.to(device).detach().requires_grad_()
        (jitnet.sparse_coo_tensor(places, elements, (2, 3)) @ y.to(device)).sum().backward()
        assert elements.grad is not None and elements.grad.device.type == device
        grads.append(elements.grad.cpu())
    jitnet.testing.assert_close(*grads)
