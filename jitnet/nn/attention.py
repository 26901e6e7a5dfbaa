"""jitnet.nn.attention: which kernel attention uses in PyTorch. Here there is one way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from jitnet.other_names import also

from . import attention_bias as bias
from . import flex_attention

also(__name__, bias=bias, flex_attention=flex_attention)


class SDPBackend(IntEnum):
    """PyTorch's names of its kernels."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextmanager
def sdpa_kernel(backends: Any, set_priority: bool = False) -> Iterator[None]:
    """Do nothing around a block: scaled_dot_product_attention has one way to compute."""
    yield
