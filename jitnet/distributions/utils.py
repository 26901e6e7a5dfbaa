"""jitnet.distributions.utils: what families of distributions written elsewhere are built on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from jitnet.grad_mode import enable_grad
from jitnet.missing import missing
from jitnet.random import randn
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from .chances import kept_inside as clamp_probs
from .chances import to_logits as probs_to_logits
from .chances import to_probs as logits_to_probs
from .distribution import tensors as broadcast_all
from .independent import summed as _sum_rightmost

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]
__all__ += ["_standard_normal", "_sum_rightmost"]


class lazy_property(cached_property[Any]):  # noqa: N801
    """A property that is computed, with gradients, when it is first asked for."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        super().__init__(enable_grad()(wrapped))


def _standard_normal(shape: Sequence[int], dtype: DType, device: Any) -> Tensor:
    """Return draws of the standard normal distribution."""
    return randn(tuple(shape), dtype=dtype, device=device)


__getattr__ = missing(__name__, globals())
