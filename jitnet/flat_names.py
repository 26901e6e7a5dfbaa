"""What PyTorch has at its top and jitnet in its parts: `torch.lstm_cell`, `torch.ctc_loss`, ...

They are looked up here when a program first asks for one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from jitnet.runtime.dtype import DType

from . import capture, creation, tree
from . import functional as F
from .amp.autocast_mode import get_autocast_dtype
from .errors import at_line
from .functional import recurrent
from .functional.norms_with_statistics import (
    native_batch_norm,
    native_group_norm,
    native_layer_norm,
)
from .generator import Generator
from .grad_mode import no_grad
from .tensor import Tensor

__all__ = [
    "_assert", "_check", "binomial", "cond", "constant_pad_nd", "ctc_loss", "detach",
    "get_autocast_gpu_dtype", "get_device", "get_num_interop_threads", "grid_sampler",
    "grid_sampler_2d", "grid_sampler_3d", "gru_cell", "is_nonzero", "is_same_size", "is_signed",
    "lstm_cell", "native_batch_norm", "native_dropout", "native_group_norm", "native_layer_norm",
    "numel", "poisson", "range", "rnn_relu_cell", "rnn_tanh_cell", "set_num_interop_threads",
    "typename",
]  # fmt: skip


# -- one step of a recurrent network ------------------------------------------------------------


def _cell(kind: str) -> Callable[..., Any]:
    def step(
        input: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Any:
        state = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        weights = recurrent.Weights(w_ih, w_hh, b_ih, b_hh)
        found = recurrent.advance(recurrent.KINDS[kind], input, state, weights)
        return found if len(found) > 1 else found[0]

    step.__name__ = step.__qualname__ = f"{kind.lower()}_cell"
    step.__doc__ = f"Return the state of {kind} after one input [B, input size]."
    return step


lstm_cell = _cell("LSTM")
gru_cell = _cell("GRU")
rnn_tanh_cell = _cell("RNN_TANH")
rnn_relu_cell = _cell("RNN_RELU")


# -- functions of torch.nn.functional with other arguments --------------------------------------

_REDUCTIONS = ("none", "mean", "sum")
_SAMPLING = ("bilinear", "nearest", "bicubic")
_PADDING = ("zeros", "border", "reflection")


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """Return F.ctc_loss; reduction is 0 (none), 1 (mean) or 2 (sum)."""
    return F.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _REDUCTIONS[reduction],
        zero_infinity,
    )  # fmt: skip


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    """Return input with constants around it, or without its border where pad is negative."""
    return F.pad(input, pad, "constant", value)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Return F.grid_sample, whose modes are numbers here."""
    mode, around = _SAMPLING[interpolation_mode], _PADDING[padding_mode]
    return F.grid_sample(input, grid, mode, around, align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Return input with a share p of its elements 0, the others scaled up, and which these are."""
    if train is False:
        return input.clone(), creation.ones_like(input).bool()
    kept = creation.rand_like(input) >= p
    return input * kept / (1 - p) if p < 1 else input * 0, kept


# -- random numbers -----------------------------------------------------------------------------


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Return a count for each rate, drawn from its Poisson distribution."""
    from .distributions.counts import poisson_samples

    _only_the_default(generator, "poisson")
    if capture.active is None and bool((input < 0).any()):
        raise RuntimeError(at_line("poisson wants rates >= 0"))
    with no_grad():
        return poisson_samples(input)


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Return how many of count tries succeed, each with a chance of prob."""
    from .distributions import Binomial

    _only_the_default(generator, "binomial")
    return Binomial(count, prob).sample()


def _only_the_default(generator: Generator | None, name: str) -> None:
    if generator is not None:
        raise NotImplementedError(
            at_line(f"{name} draws from the default generator; use manual_seed")
        )


# -- what one can ask of a tensor ---------------------------------------------------------------


def numel(input: Tensor) -> int:
    """Return how many elements a tensor has."""
    return input.numel()


def detach(input: Tensor) -> Tensor:
    """Return a view without a history."""
    return input.detach()


def is_nonzero(input: Tensor) -> bool:
    """Return whether the only element is not 0."""
    if input.numel() != 1:
        raise RuntimeError(at_line(f"is_nonzero wants one element, got {input._type}"))
    return bool(input.ne(0))


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have one shape."""
    return input._type.shape == other._type.shape


def is_signed(input: Tensor) -> bool:
    """Return whether a tensor's dtype has negative numbers."""
    return input.is_signed()


def get_device(input: Tensor) -> int:
    """Return the number of a GPU; -1 on the CPU."""
    return input.get_device()


def typename(obj: Any) -> str:
    """Return the name of a tensor's type, or of any object's class."""
    if isinstance(obj, Tensor):
        return obj.type()
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


# -- others -------------------------------------------------------------------------------------


def range(start: float, end: float | None = None, step: float = 1, **options: Any) -> Tensor:
    """Return start, start + step, ..., end, the last included: PyTorch's older arange."""
    if end is None:
        start, end = 0, start
    count = math.floor((end - start) / step)
    options.setdefault("dtype", creation.get_default_dtype())
    return creation.arange(start, start + (count + 0.5) * step, step, **options)


def cond(
    pred: bool | Tensor,
    true_fn: Callable[..., Any],
    false_fn: Callable[..., Any],
    operands: Sequence[Any] = (),
) -> Any:
    """Return what one of two functions makes of the operands.

    A compiled function computes both, and chooses: they must give equal types.
    """
    if not isinstance(pred, Tensor):
        return (true_fn if pred else false_fn)(*operands)
    if capture.active is None:
        return (true_fn if bool(pred) else false_fn)(*operands)
    yes, shape = tree.flatten(true_fn(*operands))
    no, other = tree.flatten(false_fn(*operands))
    if shape != other:
        raise RuntimeError(at_line(f"cond wants both functions to return {shape}, got {other}"))
    chosen = [F.where(pred, a, b) for a, b in zip(yes, no, strict=True)]
    return tree.rebuild(shape, iter(chosen))


def _check(cond: Any, message: Callable[[], str] | None = None) -> None:
    """Raise RuntimeError unless cond holds."""
    if not cond:
        raise RuntimeError(at_line(message() if message else "Expected cond to be True"))


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError unless condition holds."""
    assert condition, message


def set_num_interop_threads(num: int) -> None:
    """Accept a number: programs run one after another, each on get_num_threads() threads."""


def get_num_interop_threads() -> int:
    """Return 1: programs run one after another."""
    return 1


def get_autocast_gpu_dtype() -> DType:
    """Return the dtype that autocast would use on a GPU."""
    return get_autocast_dtype("cuda")
