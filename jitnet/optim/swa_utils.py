"""Averages of a model over training: stochastic weight averaging and moving averages."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from jitnet import creation
from jitnet.grad_mode import no_grad
from jitnet.missing import missing
from jitnet.nn.batchnorm import _Norm
from jitnet.nn.module import Module
from jitnet.tensor import Tensor

from .lr_scheduler.base import LRScheduler, as_number, need_optimizer
from .lr_scheduler.cycle import ANNEAL, for_groups
from .optimizer import Optimizer

Average = Callable[[Tensor, Tensor, Tensor], Tensor]


def get_swa_avg_fn() -> Average:
    """Return the rule of an even average: old + (new - old) / (count + 1)."""
    return lambda old, new, count: old + (new - old) / (count + 1)


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the rule of a moving average: decay * old + (1 - decay) * new."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1].")
    return lambda old, new, count: decay * old + (1 - decay) * new


def get_swa_multi_avg_fn() -> Average:
    """Return get_swa_avg_fn(): one tensor at a time or all make no difference here."""
    return get_swa_avg_fn()


def get_ema_multi_avg_fn(decay: float = 0.999) -> Average:
    """Return get_ema_avg_fn(decay): one tensor at a time or all make no difference here."""
    return get_ema_avg_fn(decay)


class AveragedModel(Module):
    """A copy of a model, called `module`, whose parameters follow the model's by an average.

    use_buffers: average buffers too; else they are copied.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Average | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", creation.tensor(0))
        self.avg_fn = avg_fn or multi_avg_fn or get_swa_avg_fn()
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the averaged model returns."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Let the average follow the model's parameters as they are now."""
        first = int(self.n_averaged.item()) == 0
        pairs = list(zip(self.module.parameters(), model.parameters(), strict=True))
        held = list(zip(self.module.buffers(), model.buffers(), strict=True))
        averaged, copied = (pairs + held, []) if self.use_buffers else (pairs, held)
        for own, new in averaged:
            plain = first or not own.is_floating_point()
            own.copy_(new if plain else self.avg_fn(own.detach(), new.detach(), self.n_averaged))
        for own, new in copied:
            own.copy_(new)
        self.n_averaged.add_(1)


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Set the running statistics of a model's batch norms to the means over a loader's batches."""
    norms = [module for module in model.modules() if isinstance(module, _Norm)]
    if not norms:
        return
    training, momenta = model.training, [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    model.train()
    for batch in loader:
        model(batch[0] if isinstance(batch, list | tuple) else batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """From each group's rate to swa_lr in anneal_epochs steps; then it stays there."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        need_optimizer(optimizer)
        if anneal_strategy not in ANNEAL:
            raise ValueError(
                f"anneal_strategy must be one of {sorted(ANNEAL)}, got {anneal_strategy!r}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be an int >= 0, got {anneal_epochs}")
        for group, rate in zip(
            optimizer.param_groups, for_groups(optimizer, "swa_lr", swa_lr), strict=True
        ):
            group["swa_lr"] = rate
        self.anneal_epochs = anneal_epochs
        self.anneal_strategy = anneal_strategy
        self._starts = [float(as_number(group["lr"])) for group in optimizer.param_groups]
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return each group's rate."""
        step = max(1, self.last_epoch) if self.anneal_epochs == 0 else self.last_epoch
        share = min(1.0, step / max(1, self.anneal_epochs))
        return [
            ANNEAL[self.anneal_strategy](start, group["swa_lr"], share)
            for group, start in zip(self.optimizer.param_groups, self._starts, strict=True)
        ]


__getattr__ = missing(__name__, globals())
