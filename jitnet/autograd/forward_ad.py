"""jitnet.autograd.forward_ad: dual tensors, whose tangents are asked for beside their values.

PyTorch computes tangents op by op on the way forward. jitnet records the way and computes them when
`unpack_dual` asks: the same numbers, for two walks back. So what lies between must be recorded, and
not stand inside `no_grad`.
"""

from __future__ import annotations

from types import TracebackType
from typing import NamedTuple

from ..errors import at_line
from ..grad_mode import enable_grad, is_grad_enabled
from ..tensor import Tensor
from .directional import directional, watched_outside

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]


class UnpackedDualTensor(NamedTuple):
    """A value, and how it changes: None where nothing that it depends on is dual."""

    primal: Tensor
    tangent: Tensor | None


class _Level:
    """What became dual since the level was entered."""

    def __init__(self) -> None:
        self.seeds: list[Tensor] = []
        self.tangents: list[Tensor] = []

    def dual(self, tensor: Tensor, tangent: Tensor) -> Tensor:
        if not is_grad_enabled():
            raise RuntimeError(
                at_line("make_dual needs ops to be recorded: call it outside no_grad()")
            )
        # What has a history keeps it: as an op's result, through which only our gradients go.
        seed = tensor.clone() if tensor.requires_grad else tensor.detach().requires_grad_()
        self.seeds.append(seed)
        self.tangents.append(tangent)
        return seed.clone()  # it may be written in place, which a leaf may not


_current: _Level | None = None


def enter_dual_level() -> int:
    """Begin a level, and return its number; levels do not nest."""
    global _current
    if _current is not None:
        raise RuntimeError(at_line("Nested forward mode AD is not supported at the moment"))
    _current = _Level()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: dual tensors are ordinary ones from here on."""
    global _current
    if _current is None or level not in (None, 0):
        raise RuntimeError(at_line("exit_dual_level wants the level that was entered last"))
    _current = None


class dual_level:  # noqa: N801
    """Within it, tensors can be made dual."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """Return a tensor of the same value that changes by tangent: same shape and dtype.

    Raises:
        RuntimeError: no level was entered, or the tangent is of another shape.
        ValueError: tensor or tangent is neither floating point nor complex.
    """
    if _current is None or level not in (None, 0):
        raise RuntimeError(
            at_line(
                "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
                "enter_dual_level() first."
            )
        )
    for name, value in (("primal", tensor), ("tangent", tangent)):
        if not value.dtype.is_inexact:
            raise ValueError(
                at_line(f"Expected {name} to be floating point or complex, but got: {value.dtype}")
            )
    if tensor._type != tangent._type:
        raise RuntimeError(
            at_line(
                "Expected tangent to be of the shape and dtype of primal, "
                f"{tensor._type}, but got {tangent._type}"
            )
        )
    return _current.dual(tensor, tangent)


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Return a tensor's value and its change; outside of all levels there is no change."""
    if _current is None or level not in (None, 0):
        return UnpackedDualTensor(tensor, None)
    keep = watched_outside([tensor], _current.seeds)
    with enable_grad():
        (change,) = directional([tensor], _current.seeds, _current.tangents, keep)
    return UnpackedDualTensor(tensor if keep else tensor.detach(), change)
