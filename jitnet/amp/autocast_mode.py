"""autocast: inside it, products of matrices are computed in 16 bits, and losses in float32.

Which functions these are is said where they are defined, by the marks of functional/precision.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from jitnet import cuda
from jitnet.grad_mode import _Switch
from jitnet.modes import Modes, mode
from jitnet.runtime.dtype import DType, bfloat16, float16, float32
from jitnet.tensor import Tensor

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS = {"cpu": bfloat16, "cuda": float16}  # PyTorch's
_DEVICES = ("cpu", "cuda", "xpu", "mps", "hpu", "mtia", "maia", "xla", "ipu", "privateuseone")


class autocast(_Switch):  # noqa: N801
    """Compute matrix products in 16 bits: `with jitnet.autocast("cpu"):`, or as a decorator.

    dtype: bfloat16 or float16.  enabled: False turns an autocast around it off.
    For a device that is not there a warning says so, and nothing is cast.
    """

    def __init__(
        self,
        device_type: str,
        dtype: DType | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            kind = type(device_type)
            raise ValueError(f"Expected `device_type` of type `str`, got: `{kind}`")
        if device_type not in _DEVICES:
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'"
            )
        chosen: DType | None = _DEFAULTS.get(device_type) if dtype is None else dtype
        if not is_autocast_available(device_type):
            if enabled:
                warnings.warn(
                    f"User provided device_type of '{device_type}', but this jitnet runs on the "
                    "CPU only. Disabling",
                    stacklevel=2,
                )
            self.inside: Callable[[Modes], Modes] = lambda now: now
            return
        if enabled and chosen not in (bfloat16, float16):
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtype of jitnet.bfloat16, jitnet.float16 currently.",
                stacklevel=2,
            )
            enabled = False
        self.inside = lambda now: now.casting(chosen if enabled else None)


def is_autocast_available(device_type: str) -> bool:
    """Return whether autocast works for a device: the CPU, and GPUs where there are some."""
    return device_type == "cpu" or (device_type == "cuda" and cuda.is_available())


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return whether autocast is on now, for a device."""
    return is_autocast_available(device_type) and mode.now.autocast is not None


def is_autocast_cpu_enabled() -> bool:
    """Return whether autocast is on now."""
    return is_autocast_enabled("cpu")


def get_autocast_dtype(device_type: str) -> DType:
    """Return the dtype of matrix products under autocast."""
    usual = _DEFAULTS.get(device_type, float16)
    return (mode.now.autocast or usual) if is_autocast_available(device_type) else usual


def get_autocast_cpu_dtype() -> DType:
    """Return the dtype of matrix products under autocast."""
    return get_autocast_dtype("cpu")


def is_autocast_cache_enabled() -> bool:
    """Return False: weights are cast where they are used, which compiled code does once."""
    return False


def clear_autocast_cache() -> None:
    """Do nothing: there is no cache."""


def custom_fwd(
    fwd: F | None = None, *, device_type: str = "cpu", cast_inputs: DType | None = None
) -> Any:
    """Decorate the forward of an autograd.Function: keep autocast, or cast inputs and leave it."""

    def decorate(function: F) -> F:
        @wraps(function)
        def run(ctx: Any, *args: Any, **options: Any) -> Any:
            ctx._autocast = mode.now.autocast
            if cast_inputs is None or mode.now.autocast is None:
                return function(ctx, *args, **options)
            ctx._autocast = None
            with autocast(device_type, enabled=False):
                cast = [_cast_input(value, cast_inputs) for value in args]
                named = {key: _cast_input(value, cast_inputs) for key, value in options.items()}
                return function(ctx, *cast, **named)

        return run  # type: ignore[return-value]

    return decorate if fwd is None else decorate(fwd)


def _cast_input(value: Any, dtype: DType) -> Any:
    castable = isinstance(value, Tensor) and value.dtype in (float32, float16, bfloat16)
    return value.to(dtype) if castable else value


def custom_bwd(bwd: F | None = None, *, device_type: str = "cpu") -> Any:
    """Decorate the backward of an autograd.Function: run it as custom_fwd's forward ran."""

    def decorate(function: F) -> F:
        @wraps(function)
        def run(ctx: Any, *args: Any, **options: Any) -> Any:
            dtype = ctx._autocast
            with autocast(device_type, dtype, enabled=dtype is not None):
                return function(ctx, *args, **options)

        return run  # type: ignore[return-value]

    return decorate if bwd is None else decorate(bwd)
