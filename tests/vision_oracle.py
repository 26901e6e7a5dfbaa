"""torchvision, as the oracle of jitnet.vision's tests."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import jitnet


def oracle(name: str) -> Any:
    """Return a module of torchvision, or skip: it is absent, or not made for the torch here."""
    for package in ("torch", "torchvision"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's own
            try:
                import_module(package)
            except (ImportError, RuntimeError) as error:
                pytest.skip(f"the oracle (make test ORACLE=1 installs it): {error}")
    return import_module(f"torchvision.{name}")


def to_torch(value: Any) -> Any:
    """Return a tensor as PyTorch's; anything else as it is."""
    if not isinstance(value, jitnet.Tensor):
        return value
    return import_module("torch").from_numpy(value.numpy().copy())


def check_same(ours: Any, theirs: Any, atol: float = 0.0) -> None:
    """Assert that two tensors, images or tuples of them have one type, shape and content."""
    if isinstance(ours, tuple | list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            check_same(one, other, atol)
        return
    if not isinstance(ours, jitnet.Tensor) and hasattr(ours, "mode"):
        assert (ours.mode, ours.size) == (theirs.mode, theirs.size)
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(np.float64) - theirs.astype(np.float64))
    assert difference.max(initial=0.0) <= atol
