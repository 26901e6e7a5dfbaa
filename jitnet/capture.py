"""The hook through which a trace sees everything that tensors do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from .errors import CompileError, at_line

if TYPE_CHECKING:
    from jitnet.compiler.ir.graph import Node

    from .tensor import Tensor


class Capture(Protocol):
    """What a trace provides while it is active."""

    def read(self, tensor: Tensor) -> Node:
        """Return the node of a base tensor's value now; an eager tensor becomes an input."""

    def write(self, tensor: Tensor, node: Node) -> None:
        """Make node the value of a base tensor from now on."""

    def journal(self, owner: Any, name: str) -> None:
        """Remember `owner.name`, which is about to be set, so that it can be put back."""


active: Capture | None = None
_thread: int | None = None  # the thread that traces; data loaders go on computing in others


def current() -> Capture | None:
    """Return the trace that this thread is in, or None."""
    if active is None or _thread not in (None, threading.get_ident()):
        return None
    return active


@contextmanager
def activated(capture: Capture | None) -> Iterator[None]:
    """Let capture see what this thread's tensors do inside the block; None for plain eager."""
    global active, _thread
    before = active, _thread
    active, _thread = capture, threading.get_ident()
    try:
        yield
    finally:
        active, _thread = before


@contextmanager
def suspended() -> Iterator[None]:
    """Run eager code inside a trace, such as an optimizer making its state."""
    with activated(None):
        yield


def set_attribute(owner: Any, name: str, value: Any) -> None:
    """Set `owner.name`; a trace puts the old value back when it ends."""
    if active is not None:
        trace = current()
        if trace is not None:
            trace.journal(owner, name)
    setattr(owner, name, value)


def refuse(what: str, instead: str) -> None:
    """Raise CompileError if a trace is active: `what` needs a value that only a run knows."""
    if active is not None and current() is not None:
        message = f"{what} needs a tensor's value, which is not known while tracing; {instead}"
        raise CompileError(at_line(message))
