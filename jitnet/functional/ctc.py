"""ctc_loss: labels for sequences that are not aligned with them (Graves et al., ICML 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet.runtime.dtype import int64

from .. import creation
from ..errors import ShapeError, at_line
from ..tensor import Tensor
from .choice import clamp, where
from .indexing import gather
from .joining import cat, stack
from .precision import autocast_widens, rounded_once
from .promote import to_dtype
from .reduction import logsumexp

# The logarithm of what cannot happen: finite, so that no gradient is 0 * inf.
_NEVER = -1e30


@autocast_widens
@rounded_once
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return minus the log probability of each target, summed over all its alignments.

    log_probs: log_softmax's [T, N, C] (or [T, C]); targets: [N, S], or all in one vector.
    "mean" divides by the targets' lengths first. The gradient is that of the formula, which is
    PyTorch's once it has gone through log_softmax.
    """
    single = log_probs.ndim == 2
    x = log_probs.unsqueeze(1) if single else log_probs
    if x.ndim != 3:
        raise ShapeError(at_line(f"ctc_loss wants [T, N, C] or [T, C], got {log_probs._type}"))
    steps, batch, classes = x._type.shape
    if not 0 <= blank < classes:
        raise RuntimeError(at_line(f"blank must be in 0 .. {classes - 1}, got {blank}"))
    spoken, wanted = _lengths(input_lengths), _lengths(target_lengths)
    for lengths, name in ((spoken, "input_lengths"), (wanted, "target_lengths")):
        if lengths._type.numel != batch:
            raise RuntimeError(
                at_line(f"{name} must have one length for each of {batch}, got {lengths._type}")
            )
    if not creation.unread(spoken) and batch and spoken.max().item() > steps:
        raise RuntimeError(
            at_line(f"input_lengths must be at most {steps}, got {spoken.max().item()}")
        )
    labels = _padded(targets, wanted, batch)
    loss = _forward(x, labels, spoken, wanted, blank)
    loss = where(loss > -_NEVER / 2, 0.0 if zero_infinity else float("inf"), loss)
    if reduction == "none":
        return loss.squeeze(0) if single else loss  # type: ignore[no-any-return]
    if reduction == "sum":
        return loss.sum()  # type: ignore[no-any-return]
    if reduction == "mean":
        return (loss / wanted.clamp(min=1)).mean()  # type: ignore[no-any-return]
    raise ValueError(at_line(f"reduction is 'mean', 'sum' or 'none', got {reduction!r}"))


def _lengths(given: Tensor | Sequence[int]) -> Tensor:
    """Return lengths as an int64 vector."""
    made = given if isinstance(given, Tensor) else creation.tensor(given, dtype=int64, device="cpu")
    return to_dtype(made, int64).reshape(-1)  # type: ignore[no-any-return]


def _padded(targets: Tensor, lengths: Tensor, batch: int) -> Tensor:
    """Return targets as [N, S]; of a vector, row n is what follows the targets before it."""
    if targets.ndim == 2:
        if targets._type.shape[0] != batch:
            raise RuntimeError(
                at_line(f"targets want {batch} rows, one a sequence, got {targets._type}")
            )
        return to_dtype(targets, int64)
    total = targets._type.numel
    longest = total if creation.unread(lengths) or not batch else int(lengths.max().item())
    if not longest:
        return creation.zeros(batch, 0, dtype=int64, device=targets.device)
    starts = (lengths.cumsum(0) - lengths).unsqueeze(1)
    places = (starts + creation.counting((1, longest), 1)).clamp(max=total - 1)
    return to_dtype(targets.reshape(-1)[places], int64)


def _forward(x: Tensor, labels: Tensor, spoken: Tensor, wanted: Tensor, blank: int) -> Tensor:
    """Return minus the log likelihoods, by the forward recursion over labels and blanks."""
    steps, batch, classes = x._type.shape
    states = 2 * labels._type.shape[1] + 1
    real = creation.counting(labels._type.shape, 1) < wanted.unsqueeze(1)
    labels = where(real, labels, blank)
    if not creation.unread(labels) and labels._type.numel:
        worst = max(int(labels.max().item()), -int(labels.min().item()))
        if worst >= classes:
            raise RuntimeError(at_line(f"ctc_loss: label {worst} is not in 0 .. {classes - 1}"))
    blanks = creation.full((batch, labels._type.shape[1]), blank, dtype=int64, device=x.device)
    spread = stack([blanks, labels], 2).reshape(batch, states - 1)
    path = cat([spread, creation.full((batch, 1), blank, dtype=int64, device=x.device)], 1)
    emitted = clamp(gather(x, 2, path.expand(steps, batch, states)), min=_NEVER)
    skips = path.ne(blank) & path.ne(_later(path, 2, blank))
    place = creation.counting((1, states), 1)
    alpha = where(place < 2, emitted[0], _NEVER)
    for step in range(1, steps):
        skipped = where(skips, _later(alpha, 2, _NEVER), _NEVER)
        moved = logsumexp(stack([alpha, _later(alpha, 1, _NEVER), skipped]), 0)
        moved = clamp(moved + emitted[step], min=_NEVER)
        alpha = where((spoken > step).unsqueeze(1), moved, alpha)
    end = 2 * wanted.unsqueeze(1)
    final = where(place.eq(end) | place.eq(end - 1), alpha, _NEVER)
    return -logsumexp(final, 1)


def _later(x: Tensor, count: int, value: Any) -> Tensor:
    """Return the states [N, S] moved `count` on, value before them."""
    from .padding import pad

    keep = x._type.shape[1] - min(count, x._type.shape[1])
    return pad(x[:, :keep], (x._type.shape[1] - keep, 0), value=value)
