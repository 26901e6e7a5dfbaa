"""swap_tensors: two tensors trade places wherever they are held."""

from __future__ import annotations

from jitnet import creation
from jitnet.capture import set_attribute
from jitnet.errors import CompileError, at_line
from jitnet.tensor import Tensor
from jitnet.tensors.history import leave_views

_SLOTS = tuple(name for name in Tensor.__slots__ if name != "__weakref__")


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Let each of two tensors become what the other is: memory, gradient, history, attributes.

    Both must be of one class. Views of either go on showing the memory that they showed.
    """
    if creation.tracing():
        raise CompileError(at_line("swap_tensors cannot be compiled; call it outside"))
    if type(t1) is not type(t2):
        raise TypeError(
            at_line(
                f"swap_tensors wants two tensors of one class, got {type(t1).__name__} and "
                f"{type(t2).__name__}"
            )
        )
    if t1 is t2:
        return
    for tensor in (t1, t2):
        leave_views(tensor)
    for name in _SLOTS:
        first, second = getattr(t1, name), getattr(t2, name)
        set_attribute(t1, name, second)
        set_attribute(t2, name, first)
    if hasattr(t1, "__dict__"):
        t1.__dict__, t2.__dict__ = t2.__dict__, t1.__dict__
