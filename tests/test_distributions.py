"""Distributions against PyTorch: densities, entropies, divergences, samples, gradients, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import distributions
from jitnet.distributions.gamma import _slope
from tests.three_ways import check

RNG = np.random.default_rng(0)


def real(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.3, 3, size=shape).astype(np.float32)


def share(*shape: int) -> np.ndarray:
    return RNG.uniform(0.1, 0.9, size=shape).astype(np.float32)


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


ROOT = np.tril(real(3, 3) * 0.3) + np.eye(3, dtype=np.float32)
COVARIANCE = (ROOT @ ROOT.T).astype(np.float32)
LOW = real(3)
NEAR_HALF = np.array([0.2, 0.4995, 0.9], np.float32)
CLASSES = RNG.integers(0, 4, size=(2, 3))
BITS = RNG.integers(0, 2, size=(2, 3)).astype(np.float32)
SIMPLEX = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]], np.float32)
ONE_HOT = np.eye(4, dtype=np.float32)[CLASSES]
COUNTS = RNG.integers(0, 9, size=(2, 3)).astype(np.float32)
PLACES = np.array([[2, 0, 3], [1, 1, 3]], np.float32)

# name: how to make it of its module and tensors, these tensors, and a value for log_prob
Made = tuple[Callable[..., Any], tuple[np.ndarray, ...], np.ndarray]
FAMILIES: dict[str, Made] = {
    "Normal": (lambda d, a, b: d.Normal(a, b), (real(3), positive(2, 3)), real(2, 3)),
    "Laplace": (lambda d, a, b: d.Laplace(a, b), (real(3), positive(2, 3)), real(2, 3)),
    "Uniform": (lambda d, a, b: d.Uniform(a, a + b), (LOW, positive(3)), LOW + 0.2),
    "Exponential": (lambda d, a: d.Exponential(a), (positive(2, 3),), positive(2, 3)),
    "Gamma": (lambda d, a, b: d.Gamma(a, b), (positive(3), positive(2, 3)), positive(2, 3)),
    "Beta": (lambda d, a, b: d.Beta(a + 1, b + 1), (positive(3), positive(2, 3)), share(2, 3)),
    "Dirichlet": (lambda d, a: d.Dirichlet(a), (positive(2, 3),), SIMPLEX),
    "Bernoulli": (lambda d, p: d.Bernoulli(p), (share(3),), BITS),
    "Bernoulli logits": (lambda d, x: d.Bernoulli(logits=x), (real(3),), BITS),
    "Categorical": (lambda d, p: d.Categorical(p), (share(3, 4),), CLASSES),
    "Categorical logits": (lambda d, x: d.Categorical(logits=x), (real(2, 3, 4),), CLASSES),
    "OneHotCategorical": (lambda d, p: d.OneHotCategorical(p), (share(2, 3, 4),), ONE_HOT),
    "MultivariateNormal": (
        lambda d, a, c: d.MultivariateNormal(a, c), (real(2, 3), COVARIANCE), real(2, 3)),
    "MultivariateNormal root": (
        lambda d, a, c: d.MultivariateNormal(a, scale_tril=c.tril()), (real(3), ROOT), real(2, 3)),
    "MultivariateNormal precision": (
        lambda d, a, c: d.MultivariateNormal(a, precision_matrix=c),
        (real(3), COVARIANCE), real(2, 3)),
    "LogNormal": (lambda d, a, b: d.LogNormal(a, b / 4), (real(3), positive(2, 3)), positive(2, 3)),
    "HalfNormal": (lambda d, a: d.HalfNormal(a), (positive(2, 3),), positive(2, 3)),
    "Cauchy": (lambda d, a, b: d.Cauchy(a, b), (real(3), positive(2, 3)), real(2, 3)),
    "HalfCauchy": (lambda d, a: d.HalfCauchy(a), (positive(2, 3),), positive(2, 3)),
    "StudentT": (
        lambda d, n, a, b: d.StudentT(n + 4, a, b), (positive(3), real(3), positive(2, 3)),
        real(2, 3)),
    "Gumbel": (lambda d, a, b: d.Gumbel(a, b), (real(3), positive(2, 3)), real(2, 3)),
    "Pareto": (
        lambda d, a, b: d.Pareto(a, b + 4), (positive(3), positive(2, 3)), 3 + positive(2, 3)),
    "Weibull": (lambda d, a, b: d.Weibull(a, b + 1), (positive(3), positive(2, 3)), positive(2, 3)),
    "Chi2": (lambda d, a: d.Chi2(a), (positive(2, 3),), positive(2, 3)),
    "InverseGamma": (
        lambda d, a, b: d.InverseGamma(a + 5, b), (positive(3), positive(2, 3)), positive(2, 3)),
    "Poisson": (lambda d, a: d.Poisson(a), (positive(2, 3) * 9,), COUNTS),
    "Geometric": (lambda d, p: d.Geometric(p), (share(2, 3),), COUNTS),
    "Binomial": (lambda d, p: d.Binomial(9, p), (share(2, 3),), COUNTS),
    "NegativeBinomial": (
        lambda d, n, p: d.NegativeBinomial(n, p), (positive(3), share(2, 3) * 0.8), COUNTS),
    "Multinomial": (lambda d, p: d.Multinomial(5, p), (share(2, 3),), PLACES),
    "RelaxedBernoulli": (
        lambda d, p: d.RelaxedBernoulli(p.new_full((), 0.7), p), (share(2, 3),), share(2, 3)),
    "RelaxedOneHotCategorical": (
        lambda d, p: d.RelaxedOneHotCategorical(p.new_full((), 0.7), p), (share(2, 3),), SIMPLEX),
    "StraightThrough": (
        lambda d, p: d.OneHotCategoricalStraightThrough(p), (share(2, 3, 4),), ONE_HOT),
    "LogisticNormal": (
        lambda d, a, b: d.LogisticNormal(a, b), (real(2), positive(2, 2)), SIMPLEX),
    "TransformedDistribution": (
        lambda d, a, b: d.TransformedDistribution(
            d.Normal(a, b), [d.TanhTransform(), d.AffineTransform(1.0, -2.0)]),
        (real(3), positive(2, 3)), share(2, 3)),
    "MixtureSameFamily": (
        lambda d, w, a, b: d.MixtureSameFamily(
            d.Categorical(w), d.Independent(d.Normal(a, b), 1)),
        (share(4), real(2, 4, 3), positive(2, 4, 3)), real(2, 3)),
    "Kumaraswamy": (
        lambda d, a, b: d.Kumaraswamy(a + 1, b + 1), (positive(3), positive(2, 3)), share(2, 3)),
    "ContinuousBernoulli": (lambda d, p: d.ContinuousBernoulli(p), (NEAR_HALF,), share(3)),
    "ContinuousBernoulli logits": (
        lambda d, x: d.ContinuousBernoulli(logits=x), (1 - positive(2, 3) * 4,), share(2, 3)),
    "FisherSnedecor": (
        lambda d, a, b: d.FisherSnedecor(a + 3, b + 9), (positive(3), positive(2, 3)),
        positive(2, 3)),
    "GeneralizedPareto": (
        lambda d, a, b, c: d.GeneralizedPareto(a, b, c / 12),
        (LOW, positive(2, 3), positive(3)), LOW + positive(2, 3)),
    "LowRank": (
        lambda d, a, w, c: d.LowRankMultivariateNormal(a, w, c),
        (real(2, 3), real(3, 2), positive(3)), real(2, 3)),
    "Wishart": (
        lambda d, n, c: d.Wishart(n + 4, c), (positive(2), COVARIANCE),
        np.stack([COVARIANCE * 2, COVARIANCE + np.eye(3, dtype=np.float32)])),
    "Independent": (
        lambda d, a, b: d.Independent(d.Normal(a, b), 1), (real(3), positive(2, 3)), real(2, 3)),
}  # fmt: skip


def family(name: str, lib: Any, *params: Any) -> Any:
    """Return a distribution of the table, in a library."""
    package = distributions if lib is jitnet else __import__("torch").distributions
    return FAMILIES[name][0](package, *params)


def _has(made: Any, fact: str) -> bool:
    """Return whether a distribution knows its entropy or a moment, which is finite."""
    try:
        found = getattr(made, fact)
        found = found() if callable(found) else found
    except NotImplementedError:
        return False
    return bool(found.isfinite().all())


@pytest.mark.parametrize("name", FAMILIES)
def test_density_and_entropy(name: str, torch: Any) -> None:
    _, params, value = FAMILIES[name]

    theirs = family(name, torch, *map(torch.tensor, params))
    facts = [fact for fact in ("entropy", "mean", "variance") if _has(theirs, fact)]
    if name.startswith("Categ"):
        facts = ["entropy"]  # PyTorch fills in no gradient of its moments, which are NaN

    def work(lib: Any, f: Any, value: Any, *params: Any) -> Any:
        made = family(name, lib, *params)
        found = [getattr(made, fact) for fact in facts]
        found = [fact() if callable(fact) else fact for fact in found]
        return (made.log_prob(value.detach()), *found)

    check(work, np.asarray(value), *params, rtol=2e-4, atol=2e-5)


CDFS = "Normal Laplace Uniform Exponential LogNormal HalfNormal Cauchy HalfCauchy Gumbel".split()


@pytest.mark.parametrize(
    "name",
    [*CDFS, *"Pareto Weibull TransformedDistribution Kumaraswamy ContinuousBernoulli".split()],
)
def test_cdf_and_its_inverse(name: str, torch: Any) -> None:
    _, params, value = FAMILIES[name]

    def work(lib: Any, f: Any, value: Any, p: Any, *params: Any) -> Any:
        made = family(name, lib, *params)
        return made.cdf(value), made.icdf(p)

    check(work, np.asarray(value), share(2, 3), *params, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_divergence(name: str, torch: Any) -> None:
    _, params, _ = FAMILIES[name]
    if name == "Uniform":
        other = tuple(array - 0.1 if i == 0 else array + 0.3 for i, array in enumerate(params))
    elif "Multivariate" in name:
        other = (params[0] + 0.5, (params[1] * 1.5).astype(np.float32))
    else:
        other = tuple((array * 0.8 + 0.05).astype(np.float32) for array in params)
    if name == "Wishart":
        pytest.skip(
            "PyTorch's is wrong for batches; test_more_distributions.py compares single ones"
        )
    half = len(params)
    made = [family(name, torch, *map(torch.tensor, each)) for each in (params, other)]
    try:
        torch.distributions.kl_divergence(*made)
    except NotImplementedError:
        pytest.skip("PyTorch knows no formula either")

    def work(lib: Any, f: Any, *tensors: Any) -> Any:
        package = distributions if lib is jitnet else torch.distributions
        p, q = family(name, lib, *tensors[:half]), family(name, lib, *tensors[half:])
        return package.kl_divergence(p, q)

    check(work, *params, *other, rtol=3e-4, atol=3e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_have_the_moments_and_are_the_same_compiled(name: str) -> None:
    _, params, _ = FAMILIES[name]
    made = family(name, jitnet, *map(jitnet.tensor, params))

    def draw(*params: Any) -> Any:
        return family(name, jitnet, *params).sample((4000,))

    jitnet.manual_seed(1)
    eager = draw(*map(jitnet.tensor, params))
    assert eager.shape == (4000, *made.batch_shape, *made.event_shape)
    assert not eager.requires_grad
    jitnet.manual_seed(1)
    compiled = jitnet.compile(draw)(*map(jitnet.tensor, params))
    np.testing.assert_allclose(compiled.numpy(), eager.numpy(), rtol=2e-3, atol=2e-4)
    if name.startswith("Categorical"):
        for index in range(4):
            found = (eager == index).to(jitnet.float32).mean(0)
            np.testing.assert_allclose(found.numpy(), made.probs[..., index].numpy(), atol=0.05)
        return
    if not (_has(made, "mean") and _has(made, "variance")):
        return
    spread = made.variance.numpy()
    error = 6 * np.sqrt(spread / 4000) + 1e-3
    assert (np.abs(eager.mean(0).numpy() - made.mean.numpy()) < error).all()
    np.testing.assert_allclose(eager.var(0).numpy(), spread, rtol=0.35)


@pytest.mark.parametrize("name", ["Normal", "Laplace", "Uniform", "Exponential", "Gamma", "Beta"])
def test_samples_carry_gradients(name: str) -> None:
    """The derivative of the samples' mean is the mean's derivative."""
    _, params, _ = FAMILIES[name]
    sampled = [jitnet.tensor(array, requires_grad=True) for array in params]
    exact = [jitnet.tensor(array, requires_grad=True) for array in params]
    jitnet.manual_seed(2)
    family(name, jitnet, *sampled).rsample((6000,)).mean(0).sum().backward()
    family(name, jitnet, *exact).mean.sum().backward()
    for a, b in zip(sampled, exact, strict=True):
        if b.grad is not None:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=0.15, atol=0.06)


def test_gamma_samples_move_with_their_concentration(torch: Any) -> None:
    for concentration in (0.3, 2.0, 40.0, 63.0, 65.0, 900.0):
        a = torch.full((200,), concentration, dtype=torch.float64, requires_grad=True)
        z = torch._standard_gamma(a)
        z.sum().backward()
        mine = _slope(jitnet.tensor(z.detach().numpy()), jitnet.tensor(a.detach().numpy()))
        np.testing.assert_allclose(mine.numpy(), a.grad.numpy(), rtol=3e-3, atol=1e-5)


def test_special_functions(torch: Any) -> None:
    x = np.concatenate([np.linspace(-4.3, 5.1, 41), [30.0, 1e3, 1e6]]).astype(np.float32)
    for name in ("lgamma", "digamma"):
        check(lambda lib, f, x, name=name: getattr(x, name)(), x, rtol=5e-5, atol=1e-5)
    poles = jitnet.tensor([0.0, -1.0, -2.0])
    assert poles.lgamma().tolist() == [np.inf] * 3
    assert poles.digamma()[0].item() == -np.inf


def test_triangular_systems(torch: Any) -> None:
    b = real(2, 3, 2)

    def work(lib: Any, f: Any, a: Any, b: Any) -> Any:
        root = lib.linalg.cholesky(a)
        return (
            root,
            lib.linalg.solve_triangular(root, b, upper=False),
            lib.linalg.solve_triangular(root.mT, b, upper=True),
            lib.linalg.solve_triangular(root, b.mT, upper=False, left=False),
            lib.linalg.solve_triangular(root, b, upper=False, unitriangular=True),
        )

    batch = np.stack([COVARIANCE, COVARIANCE * 2])
    want = work(torch, None, torch.tensor(batch), torch.tensor(b))
    for run in (work, jitnet.compile(lambda a, b: work(jitnet, None, a, b))):
        args = (jitnet.tensor(batch), jitnet.tensor(b))
        got = run(jitnet, None, *args) if run is work else run(*args)
        for mine, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(RuntimeError, match="leading minor of order 2"):
        jitnet.linalg.cholesky(jitnet.tensor([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(jitnet.ShapeError, match=r"f32\[2, 3\]"):
        jitnet.linalg.cholesky(jitnet.zeros(2, 3))


def test_wrong_parameters_and_values_are_refused() -> None:
    with pytest.raises(ValueError, match=r"parameter scale .* Normal\(loc: 0.0, scale: -1.0\)"):
        distributions.Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="low >= high"):
        distributions.Uniform(1.0, 1.0)
    with pytest.raises(ValueError, match="but not both"):
        distributions.Categorical()
    with pytest.raises(ValueError, match="Exactly one of"):
        distributions.MultivariateNormal(jitnet.zeros(2))
    with pytest.raises(ValueError, match="within the support"):
        distributions.Bernoulli(0.5).log_prob(jitnet.tensor(0.3))
    with pytest.raises(ValueError, match="within the support"):
        distributions.Categorical(jitnet.ones(3)).log_prob(jitnet.tensor(3))
    with pytest.raises(ValueError, match="event_shape"):
        distributions.Dirichlet(jitnet.ones(3)).log_prob(jitnet.ones(2))
    with pytest.raises(NotImplementedError, match="Normal and q type Gamma"):
        distributions.kl_divergence(distributions.Normal(0.0, 1.0), distributions.Gamma(1.0, 1.0))
    assert distributions.Normal(0.0, -1.0, validate_args=False).scale.item() == -1


def test_a_policy_gradient_step_compiles() -> None:
    """What reinforcement learning does: sample, log_prob, entropy, backward, in one function."""
    layer = jitnet.nn.Linear(3, 4)

    def step(x: Any, reward: Any) -> Any:
        policy = distributions.Categorical(logits=layer(x))
        action = policy.sample()
        loss = -(policy.log_prob(action) * reward).mean() - 0.01 * policy.entropy().mean()
        loss.backward()
        return loss, action

    x, reward = jitnet.randn(5, 3), jitnet.randn(5)
    found = []
    for run in (step, jitnet.compile(step)):
        layer.zero_grad()
        jitnet.manual_seed(3)
        loss, action = run(x, reward)
        found.append((loss.item(), action.tolist(), layer.weight.grad.numpy().copy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert found[0][1] == found[1][1]
    np.testing.assert_allclose(found[0][2], found[1][2], rtol=1e-4, atol=1e-6)


def test_transforms(torch: Any) -> None:
    x = real(4, 3)
    names = "Exp Sigmoid Softplus Tanh StickBreaking".split()
    shared = [lambda d, name=name: getattr(d, f"{name}Transform")() for name in names]
    shared.append(lambda d: d.ComposeTransform([d.ExpTransform(), d.PowerTransform(2.0)]))
    shared.append(lambda d: d.AffineTransform(0.5, -2.0, event_dim=1))
    for make in shared:

        def work(lib: Any, f: Any, x: Any, make: Any = make) -> Any:
            package = distributions if lib is jitnet else torch.distributions
            transform = make(package)
            y = transform(x)
            return y, transform.inv(y), transform.log_abs_det_jacobian(x, y)

        check(work, x, rtol=2e-4, atol=2e-4)


def test_transforms_to_what_a_constraint_allows() -> None:
    known = distributions.constraints
    x = jitnet.randn(5, 3)
    for constraint in (known.real, known.positive, known.unit_interval, known.interval(2.0, 3.0)):
        transform = distributions.biject_to(constraint)
        assert constraint.check(transform(x)).all()
        np.testing.assert_allclose(transform.inv(transform(x)).numpy(), x.numpy(), rtol=1e-4)
    for make in (distributions.biject_to, distributions.transform_to):
        assert known.simplex.check(make(known.simplex)(x)).all()
    with pytest.raises(NotImplementedError, match="no transform"):
        distributions.transform_to(known.boolean)


def test_counts_of_large_rates() -> None:
    jitnet.manual_seed(0)
    rates = jitnet.tensor([0.0, 0.3, 11.9, 12.1, 80.0, 4000.0])
    drawn = distributions.Poisson(rates).sample((8000,))
    assert (drawn == drawn.floor()).all() and (drawn >= 0).all()
    np.testing.assert_allclose(drawn.mean(0).numpy(), rates.numpy(), rtol=0.03)
    np.testing.assert_allclose(drawn.var(0).numpy(), rates.numpy(), rtol=0.1)
