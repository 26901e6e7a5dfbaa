"""Sequences of different lengths: padded to one tensor, or packed without padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from jitnet import creation
from jitnet.errors import at_line
from jitnet.functional.indexing import index_select
from jitnet.functional.joining import cat, narrow, split
from jitnet.runtime.dtype import int64
from jitnet.tensor import Tensor

from .packed import PackedSequence, invert_permutation, step_sizes, whole_numbers

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


def pad_sequence(
    sequences: Sequence[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Return sequences [L_i, *R] as one tensor [max L, N, *R], or [N, max L, *R] if batch_first."""
    sequences = list(sequences)
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
    padded = creation.full(
        (len(sequences), longest, *rest), padding_value, dtype=first.dtype, device=first.device
    )
    for position, item in enumerate(sequences):
        length = item.shape[0]
        start = 0 if padding_side == "right" else longest - length
        padded[position, start : start + length] = item
    return padded if batch_first else padded.transpose(0, 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Any, batch_first: bool = False
) -> list[Tensor]:
    """Return the sequences of a padded tensor, each cut to its length: pad_sequence's inverse."""
    axis = 0 if batch_first else 1
    sizes = whole_numbers(lengths, "lengths")
    rows = padded_sequences.unbind(axis)
    return [narrow(row, 0, 0, size) for row, size in zip(rows, sizes, strict=True)]


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Return padded sequences [T, N, *R] ([N, T, *R] if batch_first) without their padding.

    lengths: of the N sequences, ints or a tensor. enforce_sorted: they come longest first; if
    False they are sorted, and pad_packed_sequence puts them back. In a compiled function, lengths
    must be Python ints.
    """
    sizes = whole_numbers(lengths, "lengths")
    if not input.numel():
        raise RuntimeError(at_line("Cannot pack empty tensors."))
    steps = input.transpose(0, 1) if batch_first else input
    _check_lengths(sizes, steps)
    sorted_indices = None
    if not enforce_sorted:
        order = sorted(range(len(sizes)), key=lambda place: -sizes[place])
        sizes = [sizes[place] for place in order]
        sorted_indices = creation.tensor(order, dtype=int64, device=input.device)
        steps = index_select(steps, 1, sorted_indices)
    elif sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            at_line(
                "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True, "
                f"got {sizes}; pass enforce_sorted=False to have them sorted"
            )
        )
    batch_sizes = [sum(1 for size in sizes if size > step) for step in range(sizes[0])]
    parts = [
        narrow(narrow(steps, 0, start, count), 1, 0, rows).flatten(0, 1)
        for start, count, rows in _runs(batch_sizes)
    ]
    made = creation.tensor(batch_sizes, dtype=int64, device="cpu")
    return PackedSequence(cat(parts), made, sorted_indices)


def _check_lengths(sizes: list[int], steps: Tensor) -> None:
    longest, batch = steps.shape[:2]
    if len(sizes) != batch:
        raise RuntimeError(
            at_line(
                f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
                f"(batch_size={batch})"
            )
        )
    if min(sizes) <= 0 or max(sizes) > longest:
        raise RuntimeError(
            at_line(f"lengths must lie in 1 .. {longest}, the steps of the input, got {sizes}")
        )


def _runs(batch_sizes: list[int]) -> Iterator[tuple[int, int, int]]:
    """Yield (first step, number of steps, rows of each) of neighbours with equal rows."""
    start = 0
    for rows, group in groupby(batch_sizes):
        count = sum(1 for _ in group)
        yield start, count, rows
        start += count


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return (padded sequences, lengths): the inverse of pack_padded_sequence.

    total_length: how many steps the result has, if not as many as the longest sequence.
    """
    sizes = step_sizes(sequence)
    if total_length is not None and total_length < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but "
            f"got total_length={total_length} and max sequence length being {len(sizes)}"
        )
    data, batch = sequence.data, sizes[0]
    rest = tuple(data.shape)[1:]

    def padding(*shape: int) -> Tensor:
        return creation.full((*shape, *rest), padding_value, dtype=data.dtype, device=data.device)

    runs = list(_runs(sizes))
    blocks = []
    for part, (_, count, rows) in zip(split(data, [n * r for _, n, r in runs]), runs, strict=True):
        block = part.unflatten(0, (count, rows))
        blocks.append(block if rows == batch else cat([block, padding(count, batch - rows)], 1))
    if total_length is not None and total_length > len(sizes):
        blocks.append(padding(total_length - len(sizes), batch))
    padded = cat(blocks)
    lengths = creation.tensor(
        [sum(1 for size in sizes if size > row) for row in range(batch)], dtype=int64, device="cpu"
    )
    if sequence.unsorted_indices is not None:
        padded = index_select(padded, 1, sequence.unsorted_indices)
        lengths = index_select(lengths, 0, sequence.unsorted_indices.cpu())
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Return sequences [L_i, *R] packed; they come longest first unless enforce_sorted=False."""
    sequences = list(sequences)
    lengths = [item.shape[0] for item in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Return the sequences of a packed one: the inverse of pack_sequence."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
