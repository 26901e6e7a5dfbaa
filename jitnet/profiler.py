"""jitnet.profiler: PyTorch's names around code that is to be profiled; they record nothing.

What a compiled function costs is shown by `fn.dump("costs")` and `jitnet.explain`-like reports of
jitnet itself; Python's own profilers see eager code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from functools import wraps
from typing import Any

from .missing import missing


class ProfilerActivity(Enum):
    """What PyTorch's profiler can watch."""

    CPU = 0
    CUDA = 1
    XPU = 2
    MTIA = 3
    PrivateUse1 = 4


class ProfilerAction(Enum):
    """What PyTorch's profiler does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


class record_function:  # noqa: N801
    """A name for a block, or for a decorated function; nothing is recorded."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return run


class _NoEvents(list[Any]):
    """The events that were recorded: none."""

    def table(self, *args: Any, **kwargs: Any) -> str:
        """Say that there are none."""
        return "jitnet's profiler records nothing; see jitnet.profiler"

    def total_average(self) -> None:
        """Return None."""


class profile:  # noqa: N801
    """A block that PyTorch would profile; nothing is recorded, and nothing is slower."""

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Any = None,
        on_trace_ready: Callable[..., Any] | None = None,
        **options: Any,
    ) -> None:
        self.step_num = 0

    def __enter__(self) -> profile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""

    def step(self) -> None:
        """Count a step."""
        self.step_num += 1

    def events(self) -> _NoEvents:
        """Return no events."""
        return _NoEvents()

    def key_averages(self, *args: Any, **kwargs: Any) -> _NoEvents:
        """Return no events."""
        return _NoEvents()


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, **options: Any
) -> Callable[[int], ProfilerAction]:
    """Return a function of a step's number that says to do nothing."""
    return lambda step: ProfilerAction.NONE


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """Return a handler that writes nothing, since nothing is recorded."""
    return lambda profiler: None


__getattr__ = missing(__name__, globals())
