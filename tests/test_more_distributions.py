"""Distributions of angles and of factors, transforms of several numbers, registered constraints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

import jitnet
from jitnet import distributions
from tests.three_ways import check

RNG = np.random.default_rng(1)


def real(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


def package_of(lib: Any) -> Any:
    return distributions if lib is jitnet else __import__("torch").distributions


def test_angles(torch: Any) -> None:
    loc, k = real(3), np.array([[0.3, 2.0, 9.0]], np.float32)

    def work(lib: Any, f: Any, x: Any, loc: Any, k: Any) -> Any:
        made = package_of(lib).VonMises(loc, k)
        return made.log_prob(x), made.variance, made.mean

    check(work, real(2, 3), loc, k, rtol=2e-4, atol=2e-5)
    jitnet.manual_seed(0)
    made = distributions.VonMises(jitnet.tensor(loc), jitnet.tensor(k))
    drawn = made.sample((6000,))
    assert (drawn.abs() <= np.pi + 1e-6).all()
    away = (drawn - made.loc).cos().mean(0)
    np.testing.assert_allclose(1 - away.numpy(), made.variance.numpy(), atol=0.03)


def test_factors_of_correlations(torch: Any) -> None:
    theirs = torch.distributions.LKJCholesky(4, torch.tensor([0.7, 2.0]))
    torch.manual_seed(0)
    value = theirs.sample((5,))

    def work(lib: Any, f: Any, value: Any, a: Any) -> Any:
        return package_of(lib).LKJCholesky(4, a).log_prob(value.detach())

    check(work, value.numpy(), np.array([0.7, 2.0], np.float32), rtol=2e-4, atol=2e-5)
    jitnet.manual_seed(0)
    drawn = distributions.LKJCholesky(4, 2.0).sample((3000,))
    assert distributions.constraints.corr_cholesky.check(drawn).all()
    products = (drawn @ drawn.mT).numpy()
    torch.manual_seed(0)
    other = torch.distributions.LKJCholesky(4, 2.0).sample((3000,))
    spread = (other @ other.mT).numpy().std(0)
    np.testing.assert_allclose(products.std(0), spread, atol=0.03)


def test_divergence_of_covariances(torch: Any) -> None:
    root = np.tril(real(3, 3) * 0.3) + np.eye(3, dtype=np.float32)

    def work(lib: Any, f: Any, a: Any, b: Any) -> Any:
        d = package_of(lib)
        return d.kl_divergence(
            d.Wishart(lib.tensor(5.0), scale_tril=a.detach().tril()),
            d.Wishart(lib.tensor(6.5), scale_tril=b.detach().tril()),
        )

    check(work, root, np.tril(root * 1.2), rtol=3e-4, atol=3e-5)


MAKES: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "CorrCholesky": (lambda d: d.CorrCholeskyTransform(), (2, 6)),
    "LowerCholesky": (lambda d: d.transforms.LowerCholeskyTransform(), (2, 3, 3)),
    "PositiveDefinite": (lambda d: d.transforms.PositiveDefiniteTransform(), (2, 3, 3)),
    "Reshape": (lambda d: d.ReshapeTransform((2, 3), (6,)), (4, 2, 3)),
    "Independent": (lambda d: d.IndependentTransform(d.ExpTransform(), 1), (4, 3)),
    "Cat": (
        lambda d: d.CatTransform([d.ExpTransform(), d.TanhTransform()], dim=-1, lengths=[1, 2]),
        (4, 3),
    ),
    "Stack": (lambda d: d.StackTransform([d.ExpTransform(), d.SigmoidTransform()], dim=0), (2, 3)),
}


@pytest.mark.parametrize("name", MAKES)
def test_transforms_of_several_numbers(name: str, torch: Any) -> None:
    make, shape = MAKES[name]

    def work(lib: Any, f: Any, x: Any) -> Any:
        transform = make(package_of(lib))
        y = transform(x)
        if name in ("LowerCholesky", "PositiveDefinite"):
            return y, transform.inv(transform(x)).tril(-1)
        return y, transform.inv(y), transform.log_abs_det_jacobian(x, y)

    check(work, 0.5 * real(*shape), rtol=5e-4, atol=5e-4)


def test_even_numbers_from_a_cdf(torch: Any) -> None:
    def work(lib: Any, f: Any, x: Any) -> Any:
        package = package_of(lib)
        transform = package.CumulativeDistributionTransform(package.Normal(0.5, 2.0))
        y = transform(x)
        return y, transform.inv(y), transform.log_abs_det_jacobian(x, y)

    check(work, real(4), rtol=2e-4, atol=2e-4)


def test_reshaped_events_have_their_density(torch: Any) -> None:
    def work(lib: Any, f: Any, x: Any) -> Any:
        d = package_of(lib)
        base = d.Independent(d.Normal(lib.zeros(2, 3), lib.ones(2, 3)), 2)
        made = d.TransformedDistribution(base, [d.ReshapeTransform((2, 3), (6,)), d.ExpTransform()])
        return made.log_prob(x.exp().detach())

    check(work, real(5, 6), rtol=2e-4, atol=2e-4)


def test_registered_constraints() -> None:
    known = distributions.constraints
    for constraint in (known.lower_cholesky, known.positive_definite):
        made = distributions.biject_to(constraint)(jitnet.randn(2, 3, 3))
        assert constraint.check(made).all()
    assert known.corr_cholesky.check(
        distributions.transform_to(known.corr_cholesky)(jitnet.randn(6))
    )
    each = known.independent(known.positive, 1)
    assert each.check(distributions.biject_to(each)(jitnet.randn(2, 3))).all()
    above = distributions.biject_to(known.greater_than(2.0))(jitnet.randn(9))
    assert (above > 2).all()

    class Even(known.Constraint):
        """Numbers that a user's own transform makes."""

    @distributions.biject_to.register(Even)
    def _(constraint: Any) -> Any:
        return distributions.AffineTransform(0.0, 2.0)

    assert distributions.biject_to(Even())(jitnet.ones(1)).item() == 2


def test_what_other_parameters_decide_is_not_checked() -> None:
    known = distributions.constraints

    class Below(distributions.Distribution):
        arg_constraints: ClassVar = {"top": known.dependent}

        def __init__(self, top: Any) -> None:
            self.top = top
            super().__init__(top.shape)

        @known.dependent_property(is_discrete=False, event_dim=0)
        def support(self) -> Any:
            return known.interval(0.0, self.top)

    assert known.is_dependent(Below.support) and known.is_dependent(known.dependent)
    assert Below(jitnet.ones(2)).support.check(jitnet.tensor([0.5, 2.0])).tolist() == [True, False]


@pytest.mark.parametrize(
    "name", "square symmetric lower_triangular one_hot positive_semidefinite".split()
)
def test_constraints_hold_where_pytorchs_do(name: str, torch: Any) -> None:
    values = [np.eye(3), np.ones((3, 3)) + np.eye(3), np.arange(9.0).reshape(3, 3), -np.eye(3)]
    for value in values:
        mine = getattr(distributions.constraints, name).check(jitnet.tensor(value))
        theirs = getattr(torch.distributions.constraints, name).check(torch.tensor(value))
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
