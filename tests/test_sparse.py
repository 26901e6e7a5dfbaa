"""Sparse tensors: as PyTorch's, eagerly and compiled, with gradients."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet

INDICES = [[0, 1, 1, 1], [2, 0, 2, 2]]
VALUES = [3.0, 4.0, 5.0, 1.0]

# Of s, sparse [2, 3] with one place twice, and d, dense [2, 3]; t is either framework.
WAYS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "mm": lambda t, s, d: t.mm(s, d.t()),
    "mv": lambda t, s, d: s @ t.ones(3),
    "spmm": lambda t, s, d: t.spmm(s, d.t()),
    "addmm": lambda t, s, d: t.sparse.addmm(t.ones(2, 2), s, d.t(), beta=0.5, alpha=2.0),
    "dense_left": lambda t, s, d: d.t() @ s,
    "sparse_sparse": lambda t, s, d: t.sparse.mm(s, s.t()),
    "sum": lambda t, s, d: s.sum(),
    "sum_rows": lambda t, s, d: t.sparse.sum(s, 0),
    "sum_columns": lambda t, s, d: t.sparse.sum(s, 1),
    "softmax": lambda t, s, d: t.sparse.softmax(s.coalesce(), 1),
    "log_softmax": lambda t, s, d: t.sparse.log_softmax(s.coalesce(), 0),
    "dense_plus": lambda t, s, d: d + s,
    "plus": lambda t, s, d: s + s.t().t(),
    "minus": lambda t, s, d: s - 2 * s,
    "times_dense": lambda t, s, d: s * d,
    "dense_times": lambda t, s, d: d * s,
    "divided": lambda t, s, d: s / 2,
    "squared": lambda t, s, d: s.coalesce().pow(2),
    "sqrt": lambda t, s, d: s.sqrt(),
    "tanh": lambda t, s, d: s.tanh(),
    "negative": lambda t, s, d: -s,
    "transposed": lambda t, s, d: s.transpose(0, 1),
    "cat": lambda t, s, d: t.cat([s, s], 1),
    "stack": lambda t, s, d: t.stack([s, s]),
    "double": lambda t, s, d: s.double(),
    "csr": lambda t, s, d: s.to_sparse_csr(),
    "csr_product": lambda t, s, d: s.to_sparse_csr() @ d.t(),
    "crow": lambda t, s, d: s.to_sparse_csr().crow_indices(),
    "from_dense": lambda t, s, d: d.to_sparse() @ d.t(),
    "hybrid": lambda t, s, d: d.to_sparse(1),
    "mask": lambda t, s, d: d.sparse_mask(s.coalesce()),
    "values": lambda t, s, d: s.coalesce().values(),
    "indices": lambda t, s, d: s.coalesce().indices(),
    "empty": lambda t, s, d: t.zeros(2, 3).to_sparse() @ d.t(),
    "made_csr": lambda t, s, d: t.sparse_csr_tensor([0, 1, 1], [2], [5.0], (2, 3)),
}
EAGER_ONLY = {
    *("sparse_sparse", "softmax", "log_softmax", "squared", "sqrt", "tanh", "csr", "csr_product"),
    *("crow", "from_dense", "hybrid", "mask", "values", "indices", "empty"),
}

OF_DATA = ("index 2", "negative", "rise from 0")  # errors that want elements


def _made(t: Any) -> tuple[Any, Any]:
    sparse = t.sparse_coo_tensor(t.tensor(INDICES), t.tensor(VALUES), (2, 3))
    return sparse, t.arange(6, dtype=t.float32).reshape(2, 3) + 1


def _array(result: Any) -> np.ndarray:
    return result.to_dense().detach().numpy()


@pytest.mark.parametrize("way", WAYS)
def test_as_pytorch(way: str) -> None:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = WAYS[way](torch, *_made(torch))
    got = WAYS[way](jitnet, *_made(jitnet))
    assert str(wanted.layout) == f"torch.{got.layout}"
    assert str(wanted.dtype).removeprefix("torch.") == got.dtype.name
    np.testing.assert_allclose(_array(got), _array(wanted), rtol=1e-6)


@pytest.mark.parametrize("way", sorted(WAYS.keys() - EAGER_ONLY))
def test_compiled_as_eager(way: str) -> None:
    sparse, dense = _made(jitnet)
    got = jitnet.compile(lambda s, d: WAYS[way](jitnet, s, d))(sparse, dense)
    np.testing.assert_allclose(_array(got), _array(WAYS[way](jitnet, sparse, dense)), rtol=1e-6)


@pytest.mark.parametrize("way", ["sparse_sparse", "softmax", "hybrid"])
def test_shapes_from_data_are_refused_in_compiled_functions(way: str) -> None:
    sparse, dense = _made(jitnet)
    with pytest.raises(jitnet.CompileError, match="depends on data"):
        jitnet.compile(lambda s, d: WAYS[way](jitnet, s, d))(sparse, dense)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients(compiled: bool) -> None:
    """Of elements and of the dense side, against the dense product."""

    def step(values: Any, x: Any, sparse: bool) -> tuple[Any, Any]:
        s = jitnet.sparse_coo_tensor(jitnet.tensor(INDICES), values, (2, 3))
        y = jitnet.sparse.mm(s, x) if sparse else s.to_dense() @ x
        return jitnet.autograd.grad((y**2).sum() + s.sum(), (values, x))

    run = jitnet.compile(step) if compiled else step
    values = jitnet.tensor(VALUES, requires_grad=True)
    x = jitnet.arange(12.0).reshape(3, 4).requires_grad_()
    for got, wanted in zip(run(values, x, True), step(values, x, False), strict=True):
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-6)


def test_a_leaf_has_a_sparse_gradient() -> None:
    s = jitnet.sparse_coo_tensor(INDICES, VALUES, (2, 3), requires_grad=True)
    (s @ jitnet.ones(3, 1)).sum().backward()
    assert s.is_leaf and s.grad.is_sparse
    assert s.grad._values().tolist() == [1.0] * 4


class _Layer(jitnet.nn.Module):
    """A graph convolution over fixed edges."""

    def __init__(self, edges: Any) -> None:
        super().__init__()
        self.linear = jitnet.nn.Linear(4, 2)
        self.register_buffer("edges", edges)

    def forward(self, x: Any) -> Any:
        return jitnet.spmm(self.edges, self.linear(x)).relu()


def test_a_compiled_model_reads_its_sparse_buffer_anew() -> None:
    layer = _Layer((jitnet.rand(5, 5) > 0.5).float().to_sparse())
    compiled, x = jitnet.compile(layer), jitnet.rand(5, 4)
    for edges in (layer.edges, jitnet.eye(5).to_sparse(), 3 * jitnet.eye(5).to_sparse()):
        layer.edges = edges
        np.testing.assert_allclose(compiled(x).tolist(), layer(x).tolist(), rtol=1e-5, atol=1e-6)
    assert layer.double().edges.dtype is jitnet.float64


def test_prints_as_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for change in ("s", "s.coalesce()", "s.double()", "s.t()", "s.requires_grad_()"):
        wanted, got = (eval(change, {"s": _made(t)[0]}) for t in (torch, jitnet))
        assert repr(got).replace("jitnet.", "torch.") == repr(wanted)


def test_copies() -> None:
    sparse = _made(jitnet)[0]
    for twin in (copy.deepcopy(sparse), pickle.loads(pickle.dumps(sparse)), sparse.clone()):
        assert twin.to_dense().equal(sparse.to_dense()) and isinstance(twin, jitnet.Tensor)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda s: jitnet.sparse_coo_tensor(INDICES, VALUES, (2, 2)), RuntimeError, "index 2"),
        (lambda s: jitnet.sparse_coo_tensor([[-1]], [1.0], (2,)), RuntimeError, "negative"),
        (lambda s: jitnet.sparse_coo_tensor([[0, 1]], [1.0], (2,)), RuntimeError, "indices"),
        (lambda s: jitnet.sparse_csr_tensor([0, 2], [0], [1.0]), RuntimeError, "rise from 0"),
        (lambda s: s.values(), RuntimeError, "coalesce"),
        (lambda s: s.crow_indices(), RuntimeError, "sparse_csr"),
        (lambda s: s @ jitnet.ones(2, 2), RuntimeError, "inner dims"),
        (lambda s: s.exp(), TypeError, "to_dense"),
        (lambda s: s.numpy(), TypeError, "to_dense"),
        (lambda s: s.add_(1), TypeError, "to_dense"),
        (lambda s: jitnet.maximum(jitnet.ones(2, 3), s), TypeError, "to_dense"),
        (lambda s: jitnet.ones(2, 3).copy_(s), RuntimeError, "a SparseTensor into"),
        (lambda s: s + jitnet.ones(2, 3), TypeError, "dense"),
    ],
)
def test_errors(wrong: Callable[[Any], Any], error: type[Exception], message: str) -> None:
    sparse = _made(jitnet)[0]
    with pytest.raises(error, match=message):
        wrong(sparse)
    if message not in OF_DATA:
        with pytest.raises((error, jitnet.CompileError), match=f"{message}|to_dense"):
            jitnet.compile(wrong)(sparse)
