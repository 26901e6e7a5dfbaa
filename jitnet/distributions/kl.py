"""kl_divergence: one formula for each pair of families."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from jitnet import functional as F
from jitnet.functional.promote import broadcast_shapes
from jitnet.tensor import Tensor

from .bernoulli import Bernoulli
from .beta import Beta
from .bounded import ContinuousBernoulli
from .categorical import Categorical, OneHotCategorical
from .counts import Binomial, Geometric, Poisson
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exponential import Exponential
from .gamma import Gamma, InverseGamma
from .heavy_tails import Cauchy, Gumbel, HalfCauchy, Pareto, Weibull
from .independent import Independent, summed
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .matrices import Wishart
from .multivariate_normal import MultivariateNormal, distance, log_volume
from .normal import Normal
from .transformed import HalfNormal, LogNormal, TransformedDistribution
from .uniform import Uniform

Rule = TypeVar("Rule", bound=Callable[[Any, Any], Tensor])
_RULES: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Rule], Rule]:
    """Return a decorator that makes a function the rule of two families."""

    def register(rule: Rule) -> Rule:
        _RULES[type_p, type_q] = rule
        return rule

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return KL(p || q), of the nearest rule for their classes; NotImplementedError without."""
    for first in type(p).__mro__:
        for second in type(q).__mro__:
            if (first, second) in _RULES:
                return _RULES[first, second](p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
        f"{type(q).__name__}; give one with register_kl"
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio, away = (p.scale / q.scale) ** 2, ((p.loc - q.loc) / q.scale) ** 2
    return 0.5 * (ratio + away - 1 - F.log(ratio))


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two MultivariateNormals wants equal event shapes, got "
            f"{tuple(p.event_shape)} and {tuple(q.event_shape)}"
        )
    shape = broadcast_shapes(p._lower.shape, q._lower.shape)
    lower_p, lower_q = p._lower.expand(shape), q._lower.expand(shape)
    spread = F.solve_triangular(lower_q, lower_p, upper=False)
    trace = (spread * spread).sum((-2, -1))
    away = distance(lower_q, q.loc - p.loc)
    return log_volume(lower_q) - log_volume(lower_p) + 0.5 * (trace + away - shape[-1])  # type: ignore[no-any-return]


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    one = p.probs * (F.softplus(-q.logits) - F.softplus(-p.logits))
    one = F.where(p.probs == 0, 0.0, F.where(q.probs == 0, float("inf"), one))
    none = (1 - p.probs) * (F.softplus(q.logits) - F.softplus(p.logits))
    none = F.where(p.probs == 1, 0.0, F.where(q.probs == 1, float("inf"), none))
    return one + none  # type: ignore[no-any-return]


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = F.where(p.probs == 0, 0.0, F.where(q.probs == 0, float("inf"), terms))
    return terms.sum(-1)  # type: ignore[no-any-return]


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    inside = (q.low <= p.low) & (q.high >= p.high)
    return F.where(inside, F.log((q.high - q.low) / (p.high - p.low)), float("inf"))  # type: ignore[no-any-return]


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    total_p, total_q = p._total, q._total
    norm_q = F.lgamma(q.concentration1) + F.lgamma(q.concentration0) - F.lgamma(total_q)
    norm_p = F.lgamma(p.concentration1) + F.lgamma(p.concentration0) - F.lgamma(total_p)
    first = (p.concentration1 - q.concentration1) * F.digamma(p.concentration1)
    second = (p.concentration0 - q.concentration0) * F.digamma(p.concentration0)
    return norm_q - norm_p + first + second + (total_q - total_p) * F.digamma(total_p)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total_a, total_b = a.sum(-1), b.sum(-1)
    norms = F.lgamma(total_a) - F.lgamma(total_b) - (F.lgamma(a) - F.lgamma(b)).sum(-1)
    spread = (a - b) * (F.digamma(a) - F.digamma(total_a).unsqueeze(-1))
    return norms + spread.sum(-1)  # type: ignore[no-any-return]


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    rates = q.concentration * F.log(p.rate / q.rate)
    shapes = F.lgamma(q.concentration) - F.lgamma(p.concentration)
    spread = (p.concentration - q.concentration) * F.digamma(p.concentration)
    return rates + shapes + spread + (q.rate - p.rate) * (p.concentration / p.rate)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - F.log(ratio)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, away = p.scale / q.scale, F.abs(p.loc - q.loc)
    return away / q.scale + ratio * F.exp(-away / p.scale) - F.log(ratio) - 1


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "KL of two Independents wants equally many dims of them, got "
            f"{p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims}"
        )
    return summed(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (F.log(p.rate) - F.log(q.rate)) - (p.rate - q.rate)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - F.log1p(-q.probs) / p.probs - q.logits


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _normal(p._normal, q._normal)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    spread = (p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2
    return F.log(spread) - F.log(4 * p.scale * q.scale)


@register_kl(HalfCauchy, HalfCauchy)
def _half_cauchy(p: HalfCauchy, q: HalfCauchy) -> Tensor:
    return _cauchy(p._cauchy, q._cauchy)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    euler = 0.57721566490153286
    ratio, own, other = p.scale / q.scale, p.loc / q.scale, q.loc / q.scale
    inner = -F.log(ratio) - other + own
    return inner + ratio * euler + F.exp(other + F.lgamma(1 + ratio) - own) - (1 + euler)


@register_kl(InverseGamma, InverseGamma)
def _inverse_gamma(p: InverseGamma, q: InverseGamma) -> Tensor:
    return _gamma(p._gamma, q._gamma)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    spread = p.probs * (p.logits - q.logits) + F.log1p(-p.probs) - F.log1p(-q.probs)
    found = p.total_count * spread
    return F.where(p.total_count > q.total_count, float("inf"), found)  # type: ignore[no-any-return]


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    found = q.alpha * F.log(p.scale / q.scale) - F.log(ratio) + ratio - 1
    return F.where(p.scale < q.scale, float("inf"), found)  # type: ignore[no-any-return]


@register_kl(Weibull, Weibull)
def _weibull(p: Weibull, q: Weibull) -> Tensor:
    euler, ratio = 0.57721566490153286, q.concentration / p.concentration
    powers = q.concentration * F.log(q.scale / p.scale) + ratio * euler
    grown = F.exp(F.lgamma(ratio + 1) - q.concentration * F.log(q.scale / p.scale))
    return -F.log(ratio) + powers - euler - 1 + grown


@register_kl(LogNormal, LogNormal)
def _log_normal(p: LogNormal, q: LogNormal) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if repr(p.transforms) != repr(q.transforms) or p.event_shape != q.event_shape:
        raise NotImplementedError("KL of transformed distributions wants the same transforms")
    extra = len(p.event_shape) - len(p.base_dist.event_shape)
    return summed(kl_divergence(p.base_dist, q.base_dist), extra)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    away = p.loc - q.loc
    scaled = away / p.scale
    near = p.scale * (2 / math.pi) ** 0.5 * F.exp(-0.5 * scaled * scaled)
    near = near + away * F.erf(scaled / 2**0.5)
    return -F.log(p.scale / q.scale) + near / q.scale + (math.log(2 / math.pi) - 1) / 2


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Tensor:
    width = p.high - p.low
    away = (p.high + p.low - 2 * q.loc) / 2
    spread = (width * width / 12 + away * away) / (2 * q.scale * q.scale)
    return F.log((2 * math.pi) ** 0.5 * q.scale / width) + spread


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    slope = p.mean * (p.logits - q.logits)
    return slope + p._log_norm() + F.log1p(-p.probs) - q._log_norm() - F.log1p(-q.probs)


@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
def _low_rank(p: Any, q: Any) -> Tensor:
    whole = [
        MultivariateNormal(d.loc, scale_tril=d.scale_tril, validate_args=False) for d in (p, q)
    ]
    return _multivariate(*whole)


@register_kl(Wishart, Wishart)
def _wishart(p: Wishart, q: Wishart) -> Tensor:
    size = p.event_shape[0]
    shape = broadcast_shapes(p._lower.shape, q._lower.shape)
    spread = F.solve_triangular(q._lower.expand(shape), p._lower.expand(shape), upper=False)
    volumes = q.df * (log_volume(q._lower) - log_volume(p._lower))
    trace = p.df / 2 * ((spread * spread).sum((-2, -1)) - size)
    slopes = (p.df - q.df) / 2 * F.digamma(p._freedoms() / 2).sum(-1)
    sizes = F.mvlgamma(q.df / 2, size) - F.mvlgamma(p.df / 2, size)
    return volumes + trace + slopes + sizes  # type: ignore[no-any-return]
