"""Whether ops are recorded on the tape: no_grad, enable_grad, set_grad_enabled, inference_mode."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from types import TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class GradMode(threading.local):
    """Each thread's switch."""

    enabled: bool = True
    inference: bool = False


mode = GradMode()


def is_grad_enabled() -> bool:
    """Return whether ops are recorded now."""
    return mode.enabled


def is_inference_mode_enabled() -> bool:
    """Return whether inference_mode is active."""
    return mode.inference


class _Switch:
    """A context manager, and a decorator, that sets the switch and puts it back."""

    wanted: bool

    def __init__(self) -> None:
        self._before: list[bool] = []

    def again(self) -> _Switch:
        """Return a fresh switch of the same kind, for one call of a decorated function."""
        return type(self)()

    def __enter__(self) -> None:
        self._before.append(mode.enabled)
        mode.enabled = self.wanted

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        mode.enabled = self._before.pop()

    def __call__(self, function: F) -> F:
        if isgeneratorfunction(function):
            return _around_generator(self, function)  # type: ignore[return-value]

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with self.again():
                return function(*args, **kwargs)

        return run  # type: ignore[return-value]


def _around_generator(switch: _Switch, function: Callable[..., Any]) -> Callable[..., Any]:
    """Set the switch while the generator runs, not while its caller does."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        reply: Any = None
        while True:
            try:
                with switch.again():
                    item = generator.send(reply)
            except StopIteration as stop:
                return stop.value
            try:
                reply = yield item
            except GeneratorExit:
                generator.close()
                raise

    return run


def _or_decorate(cls: type[_Switch], function: Any) -> Any:
    """Make `@no_grad` without parentheses work."""
    return object.__new__(cls) if function is None else cls()(function)


class no_grad(_Switch):  # noqa: N801
    """Record nothing: `with jitnet.no_grad():` or `@jitnet.no_grad()`."""

    wanted = False

    def __new__(cls, function: Any = None) -> Any:
        """Return the switch, or the function decorated."""
        return _or_decorate(cls, function)

    def __init__(self, function: Any = None) -> None:
        super().__init__()


class enable_grad(_Switch):  # noqa: N801
    """Record again, inside a no_grad."""

    wanted = True

    def __new__(cls, function: Any = None) -> Any:
        """Return the switch, or the function decorated."""
        return _or_decorate(cls, function)

    def __init__(self, function: Any = None) -> None:
        super().__init__()


class set_grad_enabled(_Switch):  # noqa: N801
    """Set the switch at once; as a context manager put it back at the end."""

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.wanted = bool(mode)
        self._first: bool | None = _set(self.wanted)

    def again(self) -> _Switch:
        """Return a fresh switch with the same wish."""
        return _Fixed(self.wanted)

    def __enter__(self) -> None:
        before = mode.enabled if self._first is None else self._first
        self._first = None
        self._before.append(before)
        mode.enabled = self.wanted

    def __call__(self, function: F) -> F:
        if self._first is not None:  # used as a decorator: the switch is not set outside
            mode.enabled, self._first = self._first, None
        return super().__call__(function)


class _Fixed(_Switch):
    def __init__(self, wanted: bool) -> None:
        super().__init__()
        self.wanted = wanted

    def again(self) -> _Switch:
        return _Fixed(self.wanted)


def _set(wanted: bool) -> bool:
    """Set the switch and return what it was."""
    before, mode.enabled = mode.enabled, wanted
    return before


class inference_mode(_Switch):  # noqa: N801
    """no_grad, with PyTorch's other name."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__()
        self._inference: list[bool] = []
        self._mode = mode

    def again(self) -> _Switch:
        """Return a fresh switch with the same wish."""
        return inference_mode(self._mode)

    def __enter__(self) -> None:
        self._inference.append(mode.inference)
        self._before.append(mode.enabled)
        mode.inference = self._mode
        if self._mode:
            mode.enabled = False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        mode.inference = self._inference.pop()
        super().__exit__(kind, error, trace)
