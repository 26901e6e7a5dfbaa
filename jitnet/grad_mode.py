"""Whether ops are recorded on the tape: no_grad, enable_grad, set_grad_enabled, inference_mode."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from operator import attrgetter
from types import TracebackType
from typing import Any, TypeVar

from .modes import Modes, mode

F = TypeVar("F", bound=Callable[..., Any])


def is_grad_enabled() -> bool:
    """Return whether ops are recorded now."""
    return mode.now.enabled


def is_inference_mode_enabled() -> bool:
    """Return whether inference_mode is active."""
    return mode.now.inference


class _Switch:
    """A context manager, and a decorator, that sets the modes and puts them back.

    inside: gives the modes that the switch makes of those that it finds.
    """

    inside: Callable[[Modes], Modes]
    _before: list[Modes]

    def __new__(cls, *given: Any, **named: Any) -> Any:
        """Return a switch that has not been entered yet."""
        made = object.__new__(cls)
        made._before = []
        return made

    def __enter__(self) -> None:
        now = mode.now
        self._before.append(now)
        mode.now = self.inside(now)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        before, now = self._before.pop(), mode.now
        if before.device is not now.device or before.gpu != now.gpu:  # chosen for longer
            before = before.placing(now.device).choosing(now.gpu)
        mode.now = before

    def __call__(self, function: F) -> F:
        if isgeneratorfunction(function):
            return _around_generator(self, function)  # type: ignore[return-value]
        inside = self.inside

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            before = mode.now
            mode.now = inside(before)
            try:
                return function(*args, **kwargs)
            finally:
                mode.now = before

        return run  # type: ignore[return-value]


def _around_generator(switch: _Switch, function: Callable[..., Any]) -> Callable[..., Any]:
    """Set the switch while the generator runs, not while its caller does."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        reply: Any = None
        while True:
            before = mode.now
            mode.now = switch.inside(before)
            try:
                item = generator.send(reply)
            except StopIteration as stop:
                return stop.value
            finally:
                mode.now = before
            try:
                reply = yield item
            except GeneratorExit:
                generator.close()
                raise

    return run


class no_grad(_Switch):  # noqa: N801
    """Record nothing: `with jitnet.no_grad():` or `@jitnet.no_grad()`."""

    inside = attrgetter("unrecorded")

    def __new__(cls, function: Any = None) -> Any:
        """Return the switch, or the function decorated."""
        made = object.__new__(cls)
        made._before = []
        return made if function is None else made(function)


class enable_grad(_Switch):  # noqa: N801
    """Record again, inside a no_grad."""

    inside = attrgetter("recorded")

    def __new__(cls, function: Any = None) -> Any:
        """Return the switch, or the function decorated."""
        made = object.__new__(cls)
        made._before = []
        return made if function is None else made(function)


class set_grad_enabled(_Switch):  # noqa: N801
    """Set the switch at once; as a context manager put it back at the end."""

    def __init__(self, mode: bool) -> None:
        self.inside = attrgetter("recorded" if mode else "unrecorded")
        self._first: Modes | None = _set(self.inside)

    def __enter__(self) -> None:
        before = mode.now if self._first is None else self._first
        self._first = None
        self._before.append(before)
        mode.now = self.inside(mode.now)

    def __call__(self, function: F) -> F:
        if self._first is not None:  # used as a decorator: the switch is not set outside
            mode.now, self._first = self._first, None
        return super().__call__(function)


def _set(inside: Callable[[Modes], Modes]) -> Modes:
    """Set the switch and return what the modes were."""
    before, mode.now = mode.now, inside(mode.now)
    return before


class inference_mode(_Switch):  # noqa: N801
    """no_grad, with PyTorch's other name."""

    def __init__(self, mode: bool = True) -> None:
        wanted = bool(mode)
        self.inside = lambda now: now.inferring(wanted)
