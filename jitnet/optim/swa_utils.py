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


__getattr__ = missing(__name__, globals())
