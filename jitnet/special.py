"""jitnet.special: functions of mathematics, as in torch.special."""

from jitnet.functional import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expit,
    expm1,
    lgamma,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    round,
    sinc,
    softmax,
    xlogy,
)
from jitnet.functional.special import *  # noqa: F403
from jitnet.functional.special import __all__ as _more
from jitnet.missing import missing

gammaln = lgamma
psi = digamma

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlogy",
    *_more,
]

__getattr__ = missing(__name__, globals())
