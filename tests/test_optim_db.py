"""PyTorch's optimizer database: every optimizer with all its options, eager and compiled."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import jitnet
from tests.module_table import OTHER_STATE, ours

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
pytest.importorskip("expecttest", reason="PyTorch's database wants it")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what PyTorch's own tests import is deprecated in places
    from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db

INFOS = {info.optim_cls.__name__: info for info in optim_db}
STEPS = 6
VALUES = (
    np.random.default_rng(0).normal(size=(4, 3)),
    np.random.default_rng(1).normal(size=(3, 3)),
)
# Options that choose among PyTorch's ways to compute the same.
SAME = {
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "differentiable": {"differentiable": True},
}
# Descriptions of errors of PyTorch's that are none here: sparse and complex tensors do not exist,
# and learning rates and betas may be tensors or not as one likes.
NO_ERRORS = ("dense", "complex", "lr as Tensor", "both floats or both Tensors", "as a Tensor")
CASES = [
    (name, number)
    for name, info in INFOS.items()
    if not info.only_supports_sparse_grads
    for number in range(len(info.optim_inputs_func("cpu")))
]


def problem(lib: Any) -> tuple[list[Any], Any]:
    """Return two matrices, and a loss whose gradients change with them."""
    params = [lib.tensor(value, requires_grad=True) for value in VALUES]

    def loss() -> Any:
        first, second = params
        return ((first @ second).tanh() - 0.5).pow(2).sum()

    return params, loss


def trained(lib: Any, optimizer: Any, loss: Any, closure: bool, compiled: bool) -> list[float]:
    """Return the losses of some steps."""

    def step() -> Any:
        optimizer.zero_grad()
        found = loss()
        found.backward()
        if not closure:
            optimizer.step()
        return found

    if compiled:
        step = lib.compile(step)
    losses = [optimizer.step(step) if closure else step() for _ in range(STEPS)]
    return [loss.item() for loss in losses]


def same_state(mine: dict[str, Any], theirs: dict[str, Any], other: set[str]) -> None:
    """Assert that states have the same names but for some others, the same options and values."""
    assert mine["state"].keys() == theirs["state"].keys()
    for group, wanted in zip(mine["param_groups"], theirs["param_groups"], strict=True):
        assert list(group) == list(wanted)
    for number, state in theirs["state"].items():
        assert set(mine["state"][number]) ^ set(state) <= other
        for name, value in state.items():
            if isinstance(value, torch.Tensor):
                found = jitnet.as_tensor(mine["state"][number][name])
                assert found.shape == tuple(value.shape), name
                np.testing.assert_allclose(found.numpy(), value.numpy(), 1e-6, 1e-8, err_msg=name)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize(("name", "number"), CASES)
def test_an_optimizer_is_pytorchs(name: str, number: int, compiled: bool) -> None:
    info = INFOS[name]
    options = info.optim_inputs_func("cpu")[number].kwargs
    theirs, their_loss = problem(torch)
    mine, my_loss = problem(jitnet)
    expected = info.optim_cls(theirs, **options)
    optimizer = getattr(jitnet.optim, name)(mine, **ours(options))
    closure = info.step_requires_closure
    wanted = trained(torch, expected, their_loss, closure, False)
    found = trained(jitnet, optimizer, my_loss, closure, compiled)
    np.testing.assert_allclose(found, wanted, 1e-6)
    for got, want in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), 1e-6, 1e-8)
    same_state(optimizer.state_dict(), expected.state_dict(), OTHER_STATE.get(name, set()))


@pytest.mark.parametrize(
    ("name", "way"), [(name, way) for name, info in INFOS.items() for way in info.supported_impls]
)
def test_other_ways_to_compute_the_same_are_accepted(name: str, way: str) -> None:
    mine, my_loss = problem(jitnet)
    plain, plain_loss = problem(jitnet)
    made = getattr(jitnet.optim, name)
    found = trained(jitnet, made(mine, **SAME[way]), my_loss, False, False)
    assert found == trained(jitnet, made(plain), plain_loss, False, False)


def _params(given: Any) -> Any:
    """Return what an optimizer is given, in which one parameter of PyTorch's is one of ours."""
    made: dict[int, Any] = {}

    def one(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return made.setdefault(id(value), ours(value))
        if isinstance(value, dict):
            return {key: one(part) for key, part in value.items()}
        return type(value)(map(one, value)) if isinstance(value, list | tuple) else value

    return [jitnet.ones(2, 2)] if given is None else one(given)


@pytest.mark.parametrize("name", INFOS)
def test_errors_are_pytorchs(name: str) -> None:
    info = INFOS[name]
    for case in info.optim_error_inputs_func("cpu", torch.float32):
        given = case.optimizer_error_input
        if any(words in given.desc for words in NO_ERRORS):
            continue
        params = _params(given.params)
        wanted = pytest.warns if issubclass(case.error_type, Warning) else pytest.raises
        with wanted(case.error_type):
            made = getattr(jitnet.optim, name)(params, **ours(given.kwargs))
            if case.error_on is OptimizerErrorEnum.STEP_ERROR:
                made.step()


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("number", range(len(INFOS["SparseAdam"].optim_inputs_func("cpu"))))
def test_rows_that_are_not_read_stay(number: int, compiled: bool) -> None:
    options = INFOS["SparseAdam"].optim_inputs_func("cpu")[number].kwargs
    table = np.random.default_rng(0).normal(size=(6, 3))
    lookups = [[0, 2, 2], [2, 5, 0], [1, 1, 0], [2, 3, 5]]

    def train(lib: Any, kwargs: Any, compiled: bool) -> Any:
        layer = lib.nn.Embedding(6, 3, sparse=True, _weight=lib.tensor(table))
        optimizer = lib.optim.SparseAdam(layer.parameters(), **kwargs)

        def step(rows: Any) -> None:
            optimizer.zero_grad()
            layer(rows).pow(3).sum().backward()
            optimizer.step()

        step = lib.compile(step) if compiled else step
        for rows in lookups:
            step(lib.tensor(rows))
        return layer.weight.detach().numpy()

    found = train(jitnet, ours(options), compiled)
    np.testing.assert_allclose(found, train(torch, options, False), 1e-6)
    assert (found[4] == table[4]).all()
