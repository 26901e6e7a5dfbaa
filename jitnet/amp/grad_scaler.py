"""GradScaler: losses scaled up so that small gradients do not vanish in float16.

Micikevicius et al., "Mixed precision training" (2018). bfloat16 needs none.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from enum import Enum
from typing import Any

from jitnet import capture
from jitnet.functional import isfinite, logical_or, where
from jitnet.grad_mode import no_grad
from jitnet.optim.optimizer import Optimizer
from jitnet.runtime.dtype import float16, float32, int32
from jitnet.tensor import Tensor
from jitnet.tensors import making

from .autocast_mode import is_autocast_available


class _Stage(Enum):
    """What has been done for an optimizer since the last update()."""

    UNSCALED = 1
    STEPPED = 2


class GradScaler:
    """Scales losses, unscales gradients, skips steps whose gradients are not finite.

    In a compiled step the choice whether to skip is made by the program: parameters and state are
    written back as they were.  device: where one is not there, a warning says so, and the scaler
    is disabled: then all methods pass through.
    https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._enabled = enabled and is_autocast_available(device)
        if enabled and not self._enabled:
            warnings.warn(
                f"GradScaler is enabled for {device!r}, but this jitnet runs on the CPU only. "
                "Disabling.",
                stacklevel=2,
            )
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        place = device if self._enabled else "cpu"
        self._scale = making.full((), float(init_scale), dtype=float32, device=place)
        self._growth_tracker = making.zeros((), dtype=int32, device=place)
        self._stages: dict[int, _Stage] = {}
        self._found: dict[int, Tensor] = {}

    def scale(self, outputs: Any) -> Any:
        """Return outputs (a tensor, or an iterable of such) times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if not isinstance(outputs, Iterable):
            raise ValueError("outputs must be a Tensor or an iterable of Tensors")
        scaled = map(self.scale, outputs)
        return type(outputs)(scaled) if isinstance(outputs, list | tuple) else scaled  # type: ignore[call-arg]

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, say to clip them."""
        if not self._enabled:
            return
        stage = self._stages.get(id(optimizer))
        if stage is _Stage.UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if stage is _Stage.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        with no_grad():
            self._found[id(optimizer)] = self._unscaled(optimizer)
        self._stages[id(optimizer)] = _Stage.UNSCALED

    def _unscaled(self, optimizer: Optimizer) -> Tensor:
        """Divide the gradients, and return whether one is not finite."""
        factor = self._scale.reciprocal()
        found: Tensor | None = None
        for group in optimizer.param_groups:
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    continue
                if grad.dtype is float16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                grad.mul_(factor)
                bad = isfinite(grad).logical_not().any()
                found = bad if found is None else logical_or(found, bad)
        if found is None:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        return found

    def step(self, optimizer: Optimizer, *args: Any, **options: Any) -> Any:
        """Call optimizer.step(), unless a gradient is not finite; unscale them if need be."""
        if not self._enabled:
            return optimizer.step(*args, **options)
        if "closure" in options:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        stage = self._stages.get(id(optimizer))
        if stage is _Stage.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if stage is None:
            self.unscale_(optimizer)
        self._stages[id(optimizer)] = _Stage.STEPPED
        found = self._found[id(optimizer)]
        if capture.active is not None and capture.current() is not None:
            return optimizer.step_unless(found)
        return None if found.item() else optimizer.step(*args, **options)

    def update(self, new_scale: Any = None) -> None:
        """Lower the scale if a step was skipped, raise it after growth_interval good ones."""
        if not self._enabled:
            return
        with no_grad():
            if new_scale is None:
                self._adapt()
            else:
                self._scale.copy_(making.as_tensor(new_scale))
        self._stages.clear()
        self._found.clear()

    def _adapt(self) -> None:
        found: Tensor | None = None
        for one in self._found.values():
            found = one if found is None else logical_or(found, one)
        if found is None:
            raise AssertionError("No inf checks were recorded prior to update.")
        good = self._growth_tracker + 1
        grows = good == self._growth_interval
        grown = self._scale * self._growth_factor
        larger = where(
            logical_or(grows.logical_not(), isfinite(grown).logical_not()), self._scale, grown
        )
        tracker = where(logical_or(found, grows), making.zeros((), dtype=int32), good)
        self._scale.copy_(where(found, self._scale * self._backoff_factor, larger))
        self._growth_tracker.copy_(tracker)

    # -- what it is -----------------------------------------------------------------------------

    def is_enabled(self) -> bool:
        """Return whether it does anything."""
        return self._enabled

    def get_scale(self) -> float:
        """Return the factor of losses; 1 if disabled."""
        return float(self._scale.item()) if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """Return what the scale is multiplied by after good steps."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after good steps."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Return what the scale is multiplied by after a skipped step."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set what the scale is multiplied by after a skipped step."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Return after how many good steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many good steps the scale grows."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """Return scale and factors; an empty dict if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": int(self._growth_tracker.item()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict returned."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._scale.fill_(state_dict["scale"])
        self._growth_tracker.fill_(state_dict["_growth_tracker"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
