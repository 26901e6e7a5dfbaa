"""Padding layers: zeros, constants, reflections, repeated edges, wrap-around."""

from __future__ import annotations

from typing import ClassVar

from jitnet import functional as F
from jitnet.tensor import Tensor

from .module import Module
from .shapes import Size, spread


class _Pad(Module):
    """Pad the last `rank` dims: one amount, or (low, high) for each dim, the last dim first."""

    rank: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Size) -> None:
        super().__init__()
        self.padding = spread(padding, 2 * self.rank, "padding")

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, mode=self.mode)

    def extra_repr(self) -> str:
        """Return the amounts."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Pad with a value."""

    mode = "constant"

    def __init__(self, padding: Size, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, mode="constant", value=self.value)

    def extra_repr(self) -> str:
        """Return the amounts and the value."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    """Pad with zeros."""

    mode = "constant"


class _ReflectionPad(_Pad):
    """Pad with the mirrored inside, without repeating the edge."""

    mode = "reflect"


class _ReplicationPad(_Pad):
    """Pad by repeating the edge."""

    mode = "replicate"


class _CircularPad(_Pad):
    """Pad with what stands at the other end."""

    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        if input.dim() not in (self.rank + 1, self.rank + 2):
            raise ValueError(
                f"expected {self.rank + 1}D or {self.rank + 2}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class ConstantPad1d(_ConstantPad):
    """Pad the last dim with a value."""

    rank = 1


class ConstantPad2d(_ConstantPad):
    """Pad the last two dims with a value."""

    rank = 2


class ConstantPad3d(_ConstantPad):
    """Pad the last three dims with a value."""

    rank = 3


class ZeroPad1d(_ZeroPad):
    """Pad the last dim with zeros."""

    rank = 1


class ZeroPad2d(_ZeroPad):
    """Pad the last two dims with zeros."""

    rank = 2


class ZeroPad3d(_ZeroPad):
    """Pad the last three dims with zeros."""

    rank = 3


class ReflectionPad1d(_ReflectionPad):
    """Reflect at the ends of the last dim."""

    rank = 1


class ReflectionPad2d(_ReflectionPad):
    """Reflect at the ends of the last two dims."""

    rank = 2


class ReflectionPad3d(_ReflectionPad):
    """Reflect at the ends of the last three dims."""

    rank = 3


class ReplicationPad1d(_ReplicationPad):
    """Repeat the ends of the last dim."""

    rank = 1


class ReplicationPad2d(_ReplicationPad):
    """Repeat the ends of the last two dims."""

    rank = 2


class ReplicationPad3d(_ReplicationPad):
    """Repeat the ends of the last three dims."""

    rank = 3


class CircularPad1d(_CircularPad):
    """Wrap around in the last dim."""

    rank = 1


class CircularPad2d(_CircularPad):
    """Wrap around in the last two dims."""

    rank = 2


class CircularPad3d(_CircularPad):
    """Wrap around in the last three dims."""

    rank = 3
