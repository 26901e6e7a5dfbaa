"""Batches in pinned memory, as DataLoader(pin_memory=True) gives them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from jitnet import cuda
from jitnet.tensor import Tensor


def can_pin() -> bool:
    """Return whether there is a GPU to pin memory for; a warning, as PyTorch's, where not."""
    if cuda.is_available():
        return True
    warnings.warn(
        "DataLoader(pin_memory=True) finds no GPU, so batches are in ordinary memory", stacklevel=3
    )
    return False


def pinned(batches: Iterator[Any]) -> Iterator[Any]:
    """Go through batches, each of them in pinned memory."""
    for batch in batches:
        yield pin(batch)


def pin(value: Any) -> Any:
    """Return value with its tensors in pinned memory: those of containers, and of what can pin."""
    match value:
        case Tensor():
            return value.pin_memory() if value.is_cpu else value
        case str() | bytes():
            return value
        case Mapping():
            return type(value)({key: pin(part) for key, part in value.items()})  # type: ignore[call-arg]
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*map(pin, value))
        case tuple() | list():
            return type(value)(map(pin, value))
    return value.pin_memory() if hasattr(value, "pin_memory") else value
