"""Probability distributions with PyTorch's names: log_prob, sample, rsample, entropy, kl."""

from jitnet.missing import missing

from . import constraint_registry, constraints, kl, transforms, utils
from .basic_transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from .bernoulli import Bernoulli
from .beta import Beta
from .bounded import ContinuousBernoulli, Kumaraswamy, VonMises
from .categorical import Categorical, OneHotCategorical
from .constraint_registry import biject_to, transform_to
from .counts import Binomial, Geometric, Multinomial, NegativeBinomial, Poisson
from .dirichlet import Dirichlet
from .distribution import Distribution
from .exponential import Exponential
from .gamma import Chi2, Gamma, InverseGamma
from .heavy_tails import Cauchy, Gumbel, HalfCauchy, Pareto, StudentT, Weibull
from .independent import Independent
from .kl import kl_divergence, register_kl
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .matrices import LKJCholesky, Wishart
from .matrix_transforms import (
    CatTransform,
    CorrCholeskyTransform,
    CumulativeDistributionTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    ReshapeTransform,
    StackTransform,
)
from .mixture import MixtureSameFamily
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .ratios import FisherSnedecor, GeneralizedPareto
from .relaxed import (
    OneHotCategoricalStraightThrough,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from .transformed import HalfNormal, LogisticNormal, LogNormal, TransformedDistribution
from .uniform import Uniform

__all__ = [name for name in globals() if name[0] != "_" and name != "missing"]

__getattr__ = missing(__name__, globals())
