"""jitnet.backends.cuda: switches of CUDA's libraries.

`matmul.allow_tf32` and `preferred_blas_library` are those that act.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jitnet import switches


@dataclass
class Matmul:
    """How a GPU would multiply matrices."""

    allow_fp16_reduced_precision_reduction: bool = True
    allow_bf16_reduced_precision_reduction: bool = True

    @property
    def allow_tf32(self) -> bool:
        """Whether products of float32 may round their operands, for tensor cores."""
        return switches.may_round_products()

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        switches.set_float32_matmul_precision("high" if allowed else "highest")


matmul = Matmul()


def preferred_blas_library(backend: str | None = None) -> str:
    """Set what multiplies large matrices on a GPU, and return what is set.

    "cublas" (the default): NVIDIA's library, where it is installed; docs/cuda.md says which
    products. "jitnet": jitnet's own kernels, as with JITNET_CUBLAS=0 in the environment.
    """
    if backend is not None:
        switches.prefer_blas_library(backend)
    return switches.preferred_blas_library()


def is_built() -> bool:
    """Return False."""
    return False


def flash_sdp_enabled() -> bool:
    """Return False: attention has one way to compute."""
    return False


def mem_efficient_sdp_enabled() -> bool:
    """Return False: attention has one way to compute."""
    return False


def math_sdp_enabled() -> bool:
    """Return True."""
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Do nothing."""


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Do nothing."""


def enable_math_sdp(enabled: bool) -> None:
    """Do nothing."""


@contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:
    """Do nothing around a block."""
    yield
