"""What native code knows of Tensor: which of its slots is what."""

from __future__ import annotations

from jitnet.runtime.holders import Holder

from ..tensor import Tensor
from .size import Counter

HOLDER = Holder(
    Tensor,
    Counter,
    array="_array",
    base="_base",
    counter="_counter",
    gradient="_grad",
    wants_gradient="_requires_grad",
    history="_grad_fn",
    hooks="_hooks",
    origin="_origin",
    origin_history="_origin_fn",
)
