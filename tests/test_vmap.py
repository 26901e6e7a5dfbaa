"""vmap: what it computes for all items at once is what a loop over the items gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import func, nn
from tests.test_ops_table import CASES as OPS
from tests.test_tensor_compiled import FAMILIES

# Shapes or choices that depend on elements.
OF_DATA = {"isclose", "unique", "masked", "whole"}
CASES = [
    pytest.param(function, arrays, id=name)
    for family, arrays in FAMILIES
    for name, function in family.items()
    if name not in OF_DATA
]


def _items(array: np.ndarray) -> np.ndarray:
    """Return three items, [3, *shape]: the array and others where functions are defined too."""
    if array.dtype.kind in "fc":
        return np.stack([array, array * 0.95, array * 0.9])
    rng = np.random.default_rng(0)
    flat = array.reshape(-1)
    return np.stack([array, *(rng.permutation(flat).reshape(array.shape) for _ in range(2))])


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in _flat(part)]
    return [value]


def _tensors(value: Any) -> list[Any]:
    return [leaf for leaf in _flat(value) if isinstance(leaf, jitnet.Tensor)]


def _compare(run: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> None:
    """Compare run mapped over every choice of its arguments with a loop over their items."""
    whole = [jitnet.tensor(_items(array)) for array in arrays]
    for batched in itertools.product((True, False), repeat=len(whole)):
        if not any(batched):
            continue
        given = [x if each else x[0] for x, each in zip(whole, batched, strict=True)]
        found = func.vmap(run, in_dims=tuple(0 if each else None for each in batched))(*given)
        for item in range(3):
            args = [x[item] if each else x for x, each in zip(given, batched, strict=True)]
            for got, wanted in zip(found, run(*args), strict=True):
                assert got.dtype is wanted.dtype
                np.testing.assert_allclose(got[item].numpy(), wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("function", "arrays"), CASES)
def test_functions_as_a_loop(function: Callable[..., Any], arrays: tuple[np.ndarray, ...]) -> None:
    _compare(lambda *tensors: _tensors(function(jitnet, F, *tensors)), arrays)


@pytest.mark.parametrize("case", [case for case in OPS if case.args], ids=str)
def test_ops_as_a_loop(case: Any) -> None:
    """Every op of the table, those without a rule of their own too."""
    if case.op.name.startswith("random"):
        pytest.skip("a generator's state is no item's")
    _compare(lambda *tensors: [case.op(*tensors, **case.params)], case.args)


def _model() -> Any:
    jitnet.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.GELU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


def test_gradients_for_each_sample() -> None:
    """Of a model's parameters, eagerly and compiled, against one sample after the other."""
    model = _model()
    x, y = jitnet.randn(6, 2, 4, 4), jitnet.randint(0, 5, (6,))
    params = {name: p.detach() for name, p in model.named_parameters()}

    def loss(params: Any, x: Any, y: Any) -> Any:
        return F.cross_entropy(func.functional_call(model, params, (x[None],)), y[None])

    def every(params: Any, x: Any, y: Any) -> Any:
        return func.vmap(func.grad(loss), in_dims=(None, 0, 0))(params, x, y)

    one = [func.grad(loss)(params, x[i], y[i]) for i in range(6)]
    for run in (every, jitnet.compile(every)):
        found = run(params, x, y)
        for name, gradient in found.items():
            assert not gradient.requires_grad
            wanted = np.stack([each[name].numpy() for each in one])
            np.testing.assert_allclose(gradient.numpy(), wanted, rtol=1e-3, atol=1e-5)


def test_an_ensemble_of_models() -> None:
    """Weights of their own for each item: convolutions by groups; gradients reach the stack."""
    models = [_model() for _ in range(3)]
    params, buffers = func.stack_module_state(models)
    x = jitnet.randn(2, 2, 4, 4)
    call = func.vmap(lambda p, b: func.functional_call(models[0], (p, b), (x,)))
    for run in (call, jitnet.compile(call)):
        found = run(params, buffers)
        for item, model in enumerate(models):
            np.testing.assert_allclose(
                found[item].detach().numpy(), model(x).detach().numpy(), rtol=1e-4, atol=1e-5
            )
    gradients = jitnet.autograd.grad((call(params, buffers) ** 2).sum(), list(params.values()))
    wanted = jitnet.autograd.grad((models[1](x) ** 2).sum(), list(models[1].parameters()))
    for got, one in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(got[1].numpy(), one.numpy(), rtol=1e-3, atol=1e-4)


def test_graphs_do_not_grow_with_items() -> None:
    sizes = set()
    for items in (4, 64):
        compiled = jitnet.compile(func.vmap(lambda row: (row.softmax(0) * row).sum()))
        compiled(jitnet.randn(items, 3))
        sizes.add(len(compiled.dump("graph").splitlines()))
    assert len(sizes) == 1


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_jacobians_and_hessians() -> None:
    torch = pytest.importorskip("torch")
    w = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    x = np.random.default_rng(1).standard_normal(4).astype(np.float32)
    uses = {
        "jacrev": lambda t, f: f.jacrev(lambda x: (t.tensor(w) @ x).tanh())(t.tensor(x)),
        "nested": lambda t, f: f.jacrev(lambda x: {"y": (x**3, x.sum())})(t.tensor(x))["y"][0],
        "chunks": lambda t, f: f.jacrev(lambda x: x**2, chunk_size=3)(t.tensor(x)),
        "aux": lambda t, f: f.jacrev(lambda x: (x**2, x), has_aux=True)(t.tensor(x))[0],
        "hessian": lambda t, f: f.hessian(lambda x: ((t.tensor(w) @ x) ** 3).sum())(t.tensor(x)),
        "each": lambda t, f: f.vmap(f.hessian(lambda row: (row**3).sum()))(t.tensor(w)),
        "of a vmap": lambda t, f: f.jacrev(f.vmap(lambda row: row.sin().sum()))(t.tensor(w)),
    }
    for name, use in uses.items():
        wanted = use(torch, torch.func).numpy()
        for run in (use, lambda t, f, use=use: t.compile(lambda: use(t, f))()):
            found = run(jitnet, func)
            np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5, err_msg=name)


def test_vmap_inside_vmap() -> None:
    a, b = jitnet.randn(3, 4), jitnet.randn(5, 4)
    found = func.vmap(lambda x: func.vmap(lambda y: (x * y).sum())(b))(a)
    np.testing.assert_allclose(found.numpy(), (a @ b.t()).numpy(), rtol=1e-4, atol=1e-6)
    swapped = func.vmap(lambda x: func.vmap(lambda y: y - x, out_dims=1)(b))(a)
    assert swapped.shape == (3, 4, 5)


def test_writes_in_place() -> None:
    x = jitnet.arange(6.0).reshape(2, 3)

    def change(row: Any) -> Any:
        row = row.clone()
        row[0] = 7.0
        row[1:] += row[:1]
        return row

    for run in (func.vmap(change), jitnet.compile(func.vmap(change))):
        assert run(x).tolist() == [[7.0, 8.0, 9.0], [7.0, 11.0, 12.0]]
    with pytest.raises(RuntimeError, match="cannot write"):
        func.vmap(lambda row: jitnet.zeros(3).add_(row))(x)


def test_random_numbers() -> None:
    x = jitnet.zeros(4, 2)
    with pytest.raises(RuntimeError, match="randomness='same' or 'different'"):
        func.vmap(lambda row: row + jitnet.rand(2))(x)
    same = func.vmap(lambda row: row + jitnet.rand(2), randomness="same")(x)
    assert same.shape == (4, 2) and bool((same == same[0]).all())
    different = func.vmap(lambda row: F.dropout(row + 1), randomness="different")(x + 1)
    assert different.shape == (4, 2)
    other = func.vmap(lambda row: row + jitnet.randn(2), randomness="different")(x)
    assert len({tuple(row) for row in other.tolist()}) == 4


def test_dims_and_chunks() -> None:
    x = jitnet.arange(24.0).reshape(2, 3, 4)
    assert func.vmap(lambda a: a, in_dims=-1, out_dims=1)(x).shape == (2, 4, 3)
    nested = func.vmap(lambda d, e: d["a"] + e, in_dims=({"a": 1}, None))({"a": x}, x[:, 0])
    assert nested.shape == (3, 2, 4)
    assert func.vmap(lambda a: (a.sum(), a), out_dims=(0, -1))(x)[1].shape == (3, 4, 2)
    whole = func.vmap(lambda a: a.sum(0))(x)
    assert func.vmap(lambda a: a.sum(0), chunk_size=1)(x).equal(whole)
    assert func.vmap(lambda a: jitnet.ones(2))(x).tolist() == [[1.0] * 2] * 2
    assert func.vmap(lambda a: a * 2)(x[:0]).shape == (0, 3, 4)


@pytest.mark.parametrize(
    ("use", "error", "message"),
    [
        (lambda x: func.vmap(lambda a: a.sum().item())(x), RuntimeError, "elements of one item"),
        (lambda x: func.vmap(lambda a: a if a.sum() > 0 else -a)(x), RuntimeError, "one item"),
        (lambda x: func.vmap(lambda a: 3)(x), ValueError, "returns tensors, got int"),
        (lambda x: func.vmap(lambda a: a, out_dims=None)(x), ValueError, "no out_dims=None"),
        (lambda x: func.vmap(lambda a: a, in_dims=2)(x), ValueError, "in_dim of f32"),
        (lambda x: func.vmap(lambda a: a)(3), ValueError, "None as the in_dim"),
        (lambda x: func.vmap(lambda a: a, in_dims=None)(x), ValueError, "in_dims of ints"),
        (lambda x: func.vmap(lambda a: a.nonzero())(x), RuntimeError, "one item"),
        (lambda x: func.vmap(lambda a: a, randomness="some")(x), RuntimeError, "'different'"),
        (lambda x: func.vmap(lambda a: a @ jitnet.ones(5))(x), RuntimeError, r"got \[4\] @ \[5\]"),
    ],
)
def test_wrong_uses(use: Callable[[Any], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        use(jitnet.ones(3, 4))
