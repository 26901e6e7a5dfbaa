"""jitnet.utils.checkpoint: functions whose inner values PyTorch would compute again in backward.

They run as they are: results and gradients are the same, and nothing is computed twice. A compiled
step plans its memory itself, and computes cheap values again where they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Return function(*args, **kwargs)."""
    return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Return what a Sequential, or a list of functions, makes of the input, one after another."""
    steps: Sequence[Callable[[Any], Any]] = (
        list(functions.children()) if hasattr(functions, "children") else list(functions)
    )
    for step in steps:
        input = step(input)
    return input


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """Return the generators' states of the GPUs that hold the arguments: there are none."""
    return [], []


def set_device_states(devices: Sequence[int], states: Sequence[Any], **options: Any) -> None:
    """Give GPUs the states of generators that get_device_states returned: there are none."""
