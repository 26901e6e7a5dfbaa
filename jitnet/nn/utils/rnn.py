"""Sequences of different lengths in one tensor."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet import creation
from jitnet.tensor import Tensor


def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Return sequences [L_i, *R] as one tensor [max L, N, *R], or [N, max L, *R] if batch_first."""
    if not sequences:
        raise ValueError("pad_sequence wants at least one sequence")
    if padding_side not in ("left", "right"):
        raise ValueError(f"padding_side must be 'left' or 'right', got {padding_side!r}")
    first = sequences[0]
    rest = tuple(first.shape)[1:]
    if any(tuple(item.shape)[1:] != rest for item in sequences):
        shapes = [tuple(item.shape) for item in sequences]
        raise ValueError(f"sequences must agree in all dims but the first, got {shapes}")
    longest = max(item.shape[0] for item in sequences)
    padded = creation.full((len(sequences), longest, *rest), padding_value, dtype=first.dtype)
    for position, item in enumerate(sequences):
        length = item.shape[0]
        start = 0 if padding_side == "right" else longest - length
        padded[position, start : start + length] = item
    return padded if batch_first else padded.transpose(0, 1)
