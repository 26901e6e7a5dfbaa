"""Switches of PyTorch's numerics that have one position here."""

from __future__ import annotations

import os

from .errors import at_line

_PRECISIONS = ("highest", "high", "medium")
_precision = "highest"
_BLAS_LIBRARIES = ("default", "cublas", "jitnet")
_blas = "jitnet" if os.environ.get("JITNET_CUBLAS", "1") == "0" else "cublas"
_deterministic = False


def set_float32_matmul_precision(precision: str) -> None:
    """Set "highest", "high" or "medium"; a GPU's tensor cores round operands in the last two."""
    global _precision
    if precision not in _PRECISIONS:
        raise RuntimeError(at_line(f"precision is one of {_PRECISIONS}, got {precision!r}"))
    _precision = precision


def get_float32_matmul_precision() -> str:
    """Return what was set."""
    return _precision


def may_round_products() -> bool:
    """Return whether a GPU's products of float32 may round their operands to tf32."""
    return _precision != "highest"


def prefer_blas_library(name: str) -> None:
    """Set what multiplies large matrices on a GPU: "cublas", or "jitnet" for its own kernels."""
    global _blas
    if name not in _BLAS_LIBRARIES:
        raise RuntimeError(at_line(f"a BLAS library is one of {_BLAS_LIBRARIES}, got {name!r}"))
    _blas = "cublas" if name == "default" else name


def preferred_blas_library() -> str:
    """Return what was set."""
    return _blas


def may_ask_library() -> bool:
    """Return whether large products on a GPU may be left to cuBLAS, where it is installed."""
    return _blas == "cublas"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accept a mode; all algorithms are deterministic in any case."""
    global _deterministic
    _deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Return what was set."""
    return _deterministic


def set_flush_denormal(mode: bool) -> bool:
    """Return False: denormal numbers are computed with."""
    return False
