"""Ops on complex values as compiled code stores them: real values with a last dim of two parts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

Flags = tuple[bool, ...]
Named = tuple[tuple[str, Any], ...]


@lru_cache(maxsize=None)
def _op_named(name: str) -> Op:
    from . import OPS

    return next(op for op in OPS if op.name == name)


def paired(kind: TensorType) -> TensorType:
    """Return the type that a value is stored as: two floats side by side for a complex number."""
    if not kind.dtype.is_complex:
        return kind
    return TensorType(kind.dtype.to_real(), (*kind.shape, 2))


def _whole(kind: TensorType, flag: bool) -> TensorType:
    return TensorType(kind.dtype.to_complex(), kind.shape[:-1]) if flag else kind


def _on_pairs_type(*kinds: TensorType, function: str, complex: Flags, params: Named) -> TensorType:
    whole = map(_whole, kinds, complex)
    return paired(_op_named(function).type(*whole, **dict(params)))


def _on_pairs(*arrays: np.ndarray, function: str, complex: Flags, params: Named) -> np.ndarray:
    found = np.asarray(_op_named(function).eval(*map(_joined, arrays, complex), **dict(params)))
    if found.dtype.kind != "c":
        return found
    return np.asarray(found, order="C")[..., None].view(found.real.dtype)


def _joined(array: np.ndarray, flag: bool) -> np.ndarray:
    """Return pairs as complex numbers."""
    if not flag:
        return array
    return np.ascontiguousarray(array).view(np.result_type(array.dtype, np.complex64))[..., 0]


# What NumPy computes of complex values; the name of the op that it applies is a param.
on_pairs = Op("on_pairs", _on_pairs_type, eval=_on_pairs, lower=Host())

OPS = (on_pairs,)
