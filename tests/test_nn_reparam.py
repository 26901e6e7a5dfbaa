"""Weights made of others: weight norm, spectral norm, parametrizations, pruning, fusion."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.nn.utils import parametrizations, parametrize, prune


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "Linear": (lambda nn: nn.Linear(5, 4), (3, 5)),
    "Conv2d": (lambda nn: nn.Conv2d(3, 4, 3), (2, 3, 5, 5)),
    "ConvTranspose1d": (lambda nn: nn.ConvTranspose1d(3, 4, 3), (2, 3, 5)),
}
RULES: dict[str, Any] = {
    "weight_norm": lambda nn, m: nn.utils.weight_norm(m),
    "weight_norm all": lambda nn, m: nn.utils.weight_norm(m, dim=None),
    "spectral_norm": lambda nn, m: nn.utils.spectral_norm(m),
    "weight_norm new": lambda nn, m: nn.utils.parametrizations.weight_norm(m, dim=1),
    "spectral_norm new": lambda nn, m: nn.utils.parametrizations.spectral_norm(
        m, n_power_iterations=2
    ),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("layer", LAYERS)
def test_norms(layer: str, rule: str, compiled: bool, torch: Any) -> None:
    make, shape = LAYERS[layer]
    ours, theirs = RULES[rule](nn, make(nn)), RULES[rule](torch.nn, make(torch.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    state = {key: jitnet.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    def step(x: Any) -> Any:
        y = ours(x)
        (y * y).sum().backward()
        return y

    y = (jitnet.compile(step) if compiled else step)(jitnet.tensor(values))
    u = theirs(torch.tensor(values))
    (u * u).sum().backward()
    np.testing.assert_allclose(y.detach().numpy(), u.detach().numpy(), rtol=1e-4, atol=1e-5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-3, atol=1e-4)
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_norms_come_off_again(name: str) -> None:
    layer = nn.Linear(3, 2)
    getattr(nn.utils, name)(layer)
    assert repr(layer) == repr(nn.Linear(3, 2))
    twin = copy.deepcopy(layer).eval()
    x = jitnet.randn(4, 3)
    wanted = layer.eval()(x)
    np.testing.assert_allclose(twin(x).detach().numpy(), wanted.detach().numpy(), rtol=1e-6)
    getattr(nn.utils, f"remove_{name}")(layer)
    assert type(layer) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted.detach().numpy(), rtol=1e-5)
    with pytest.raises(ValueError, match="not found"):
        getattr(nn.utils, f"remove_{name}")(layer)


class Symmetric(nn.Module):
    """A symmetric matrix of any."""

    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x: Any) -> Any:
        return x.triu()


class Doubled(nn.Module):
    """Twice a tensor."""

    def forward(self, x: Any) -> Any:
        return 2 * x

    def right_inverse(self, x: Any) -> Any:
        return x / 2


def test_own_parametrizations() -> None:
    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert type(layer).__name__ == "ParametrizedLinear"
    assert jitnet.equal(layer.weight, layer.weight.mT)
    assert parametrize.is_parametrized(layer, "weight")
    assert "parametrizations.weight.original" in layer.state_dict()
    before = layer.weight.detach().clone()
    parametrize.register_parametrization(layer, "weight", Doubled())
    np.testing.assert_allclose(layer.weight.detach().numpy(), before.numpy(), rtol=1e-6)
    with parametrize.cached():
        assert layer.weight is layer.weight
    assert layer.weight is not layer.weight
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and isinstance(layer.weight, nn.Parameter)
    np.testing.assert_allclose(layer.weight.detach().numpy(), before.numpy(), rtol=1e-6)
    with pytest.raises(ValueError, match="'wait'"):
        parametrize.register_parametrization(layer, "wait", Doubled())


def test_parametrizations_that_change_the_shape_are_refused() -> None:
    class Cut(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[:1]

    with pytest.raises(ValueError, match="keep the shape"):
        parametrize.register_parametrization(nn.Linear(2, 2), "weight", Cut())
    with pytest.raises(ValueError, match="n_power_iterations=0"):
        parametrizations.spectral_norm(nn.Linear(2, 2), n_power_iterations=0)


PRUNINGS: dict[str, Any] = {
    "l1": lambda prune, m: prune.l1_unstructured(m, "weight", 0.3),
    "l1 count": lambda prune, m: prune.l1_unstructured(m, "weight", 4),
    "ln": lambda prune, m: prune.ln_structured(m, "weight", 0.5, n=2, dim=0),
    "ln columns": lambda prune, m: prune.ln_structured(m, "weight", 2, n=1, dim=1),
    "twice": lambda prune, m: prune.l1_unstructured(
        prune.ln_structured(m, "weight", 1, n=2, dim=0), "weight", 0.5
    ),
    "global": lambda prune, m: prune.global_unstructured(
        [(m, "weight"), (m, "bias")], pruning_method=prune.L1Unstructured, amount=0.4
    ),
    "identity": lambda prune, m: prune.identity(m, "weight"),
}


@pytest.mark.parametrize("name", PRUNINGS)
def test_pruning(name: str, torch: Any) -> None:
    import torch.nn.utils.prune as oracle

    ours, theirs = nn.Linear(6, 4), torch.nn.Linear(6, 4)
    state = {key: jitnet.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    PRUNINGS[name](prune, ours)
    PRUNINGS[name](oracle, theirs)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        np.testing.assert_array_equal(ours.state_dict()[key].numpy(), value.numpy())
    x = jitnet.randn(3, 6)
    ours(x).sum().backward()
    theirs(torch.tensor(x.numpy())).sum().backward()
    np.testing.assert_allclose(
        ours.weight_orig.grad.numpy(), theirs.weight_orig.grad.numpy(), rtol=1e-5
    )
    np.testing.assert_allclose(
        jitnet.compile(ours)(x).detach().numpy(), ours(x).detach().numpy(), rtol=1e-5
    )
    assert prune.is_pruned(nn.Sequential(ours))
    prune.remove(ours, "weight")
    oracle.remove(theirs, "weight")
    np.testing.assert_array_equal(ours.weight.detach().numpy(), theirs.weight.detach().numpy())


def test_random_pruning_takes_the_share() -> None:
    layer = nn.Linear(10, 10)
    prune.random_unstructured(layer, "weight", 0.37)
    assert (layer.weight_mask == 0).sum().item() == 37
    prune.random_structured(nn.Linear(3, 3), "weight", 1, dim=0)
    with pytest.raises(ValueError, match="should be a share between"):
        prune.l1_unstructured(nn.Linear(3, 3), "weight", 1.5)
    with pytest.raises(ValueError, match="has to be pruned before"):
        prune.remove(nn.Linear(3, 3), "weight")


@pytest.mark.parametrize("kind", ["Conv2d", "ConvTranspose2d", "Linear"])
def test_fusion_does_what_both_layers_do(kind: str) -> None:
    jitnet.manual_seed(0)
    if kind == "Linear":
        layer, norm, x = nn.Linear(3, 4), nn.BatchNorm1d(4), jitnet.randn(5, 3)
    else:
        layer, norm = getattr(nn, kind)(3, 4, 3), nn.BatchNorm2d(4)
        x = jitnet.randn(5, 3, 6, 6)
    norm(layer(x))
    layer.eval(), norm.eval()
    if kind == "Linear":
        fused = nn.utils.fuse_linear_bn_eval(layer, norm)
    else:
        fused = nn.utils.fuse_conv_bn_eval(layer, norm, transpose=kind == "ConvTranspose2d")
    np.testing.assert_allclose(
        fused(x).detach().numpy(), norm(layer(x)).detach().numpy(), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(AssertionError, match="eval"):
        nn.utils.fuse_conv_bn_eval(layer.train(), norm)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("chosen", [None, "matrix_exp", "cayley", "householder"])
def test_orthogonal_matrices(chosen: str | None, shape: tuple[int, int]) -> None:
    start = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    square = np.linalg.qr(start[: max(shape), : max(shape)])[0][: shape[0], : shape[1]]

    def trained(lib: Any, compiled: bool = False) -> list[np.ndarray]:
        layer = lib.nn.Linear(shape[1], shape[0], bias=False).double()
        with lib.no_grad():
            layer.weight.copy_(lib.tensor(square))
        lib.nn.utils.parametrizations.orthogonal(layer, orthogonal_map=chosen)
        optimizer = lib.optim.SGD(layer.parameters(), lr=0.1)
        x = lib.linspace(-1, 1, 2 * shape[1], dtype=lib.float64).reshape(2, -1)

        def step() -> None:
            optimizer.zero_grad()
            (layer(x) - 0.3).pow(2).sum().backward()
            optimizer.step()

        found = [layer.weight.detach().numpy()]
        step = lib.compile(step) if compiled else step
        for _ in range(4):
            step()
        return [*found, layer.weight.detach().numpy()]

    first, last = trained(jitnet)
    np.testing.assert_allclose(first, square, atol=1e-12)
    wide = last if shape[0] < shape[1] else last.T
    np.testing.assert_allclose(wide @ wide.T, np.eye(min(shape)), atol=1e-9)
    np.testing.assert_allclose(trained(jitnet, compiled=True)[1], last, atol=1e-7)
    if shape == (4, 4):  # else PyTorch completes the matrix at random
        torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
        np.testing.assert_allclose(last, trained(torch)[1], atol=1e-9)


def test_orthogonal_refuses() -> None:
    make = nn.utils.parametrizations.orthogonal
    with pytest.raises(ValueError, match="one of"):
        make(nn.Linear(2, 2), orthogonal_map="qr")
    with pytest.raises(ValueError, match="matrix or batch"):
        make(nn.Linear(2, 2), "bias")
    with pytest.raises(ValueError, match="no parameter"):
        make(nn.Linear(2, 2), "missing")
