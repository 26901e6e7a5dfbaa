"""The hook through which a trace sees everything that tensors do."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from .errors import CompileError, at_line

if TYPE_CHECKING:
    import numpy as np

    from jitnet.compiler.ir.graph import Node

    from .device import Device
    from .tape import TapeNode
    from .tensor import Tensor


class Capture(Protocol):
    """What a trace provides while it is active.

    moves: the devices from which and to which tensors went.
    """

    moves: set[Device]

    def read(self, tensor: Tensor, used: Tensor | None = None) -> Node:
        """Return the node of a base tensor's value now; an eager tensor becomes an input."""

    def write(self, tensor: Tensor, node: Node) -> None:
        """Make node the value of a base tensor from now on."""

    def journal(self, owner: Any, name: str) -> None:
        """Remember `owner.name`, which is about to be set, so that it can be put back."""

    def adopt(self, tensor: Tensor) -> None:
        """Note that a tensor with a value is the function's own: an alias of one from outside."""

    def observe(self, owner: Tensor) -> None:
        """Note that `owner.grad` is about to be read."""

    def visit(self, nodes: Sequence[TapeNode]) -> None:
        """Note that backward is about to walk these nodes of the tape."""

    def known_value(self, tensor: Tensor) -> np.ndarray | None:
        """Return the value that Python wants of a tensor; None if only a run can know it."""

    def hyper(self, group: Any, key: str, index: int | None) -> Tensor:
        """Return `group[key]` (or `group[key][index]`), a number, as a run-time input.

        It is a 0-d float64 tensor and not weak: 1 - beta must keep the digits that Python gives.
        """

    def switch(self, group: Any, key: str) -> None:
        """Guard whether `group[key]` is zero, and nothing else about it."""


# What compiled code relies on in the tensors that it holds, and how often any of it was set.
_STRUCTURE = frozenset({"_array", "_requires_grad", "_grad_fn", "_hooks", "_type"})
structure: int = 0

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
    if current() is None:  # another thread's trace goes on
        yield
        return
    with activated(None):
        yield


def set_attribute(owner: Any, name: str, value: Any) -> None:
    """Set `owner.name`; a trace puts the old value back when it ends."""
    global structure
    if active is not None:
        trace = current()
        if trace is not None:
            trace.journal(owner, name)
    setattr(owner, name, value)
    if name in _STRUCTURE:
        structure += 1


def gradient_of(owner: Tensor) -> Tensor | None:
    """Return `owner.grad`, with a trace's knowledge."""
    if active is not None:
        trace = current()
        if trace is not None:
            trace.observe(owner)
    return owner._grad


def visit(nodes: Sequence[TapeNode]) -> None:
    """Tell a trace which nodes of the tape backward is about to walk."""
    trace = current()
    if trace is not None:
        trace.visit(nodes)


def refuse(what: str, instead: str) -> None:
    """Raise CompileError if a trace is active: `what` needs a value that only a run knows."""
    if current() is not None:
        message = f"{what} needs a tensor's value, which is not known while tracing; {instead}"
        raise CompileError(at_line(message))


def value_of(tensor: Tensor, what: str, instead: str) -> np.ndarray:
    """Return a tensor's value as an array; in a trace CompileError, if only a run knows it.

    What depends on Python's own numbers alone is known: lengths in a list, a range. So is what
    depends on the call's floats, which are then compiled in.
    """
    trace = current() if active is not None else None
    if trace is not None:
        known = trace.known_value(tensor)
        if known is not None:
            return known
        refuse(what, instead)
    return tensor._copied()


def hyper(group: Any, key: str, index: int | None = None) -> Any:
    """Return an optimizer's hyper-parameter; in a trace, a 0-d float64 that each call reads anew.

    So that schedules never recompile. A tensor, which a user may give as learning rate, is
    returned as it is; index chooses an entry of a tuple (Adam's betas).
    """
    value = group[key] if index is None else group[key][index]
    trace = current()
    if trace is None or hasattr(value, "__bind__"):
        return value
    return trace.hyper(group, key, index)


def switch(group: Any, key: str) -> bool:
    """Whether a hyper-parameter is not zero: all that a trace may know of it beside `hyper`."""
    value = group[key]
    trace = current()
    if hasattr(value, "__bind__"):
        return True
    if trace is not None:
        trace.switch(group, key)
    return bool(value != 0)
