"""Convolution layers of one, two and three spatial dims, and their transposes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from . import init
from .module import Module
from .parameter import Parameter
from .shapes import Size, spread

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """Weights and settings of a convolution over `rank` spatial dims."""

    rank: ClassVar[int]
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size | str,
        dilation: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: DType | None,
        output_padding: Size = 0,
    ) -> None:
        super().__init__()
        _check_channels(in_channels, out_channels, groups)
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {PADDING_MODES}, got {padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = spread(kernel_size, self.rank, "kernel_size")
        self.stride = spread(stride, self.rank, "stride")
        self.padding = self._parse_padding(padding)
        self.dilation = spread(dilation, self.rank, "dilation")
        self.output_padding = spread(output_padding, self.rank, "output_padding")
        self.groups = groups
        self.padding_mode = padding_mode
        made = {"device": device, "dtype": dtype}
        channels = (out_channels, in_channels // groups)
        if self.transposed:
            channels = (in_channels, out_channels // groups)
        self.weight = Parameter(creation.empty((*channels, *self.kernel_size), **made))
        if bias:
            self.bias = Parameter(creation.empty((out_channels,), **made))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _parse_padding(self, padding: Size | str) -> tuple[int, ...] | str:
        if not isinstance(padding, str):
            return spread(padding, self.rank, "padding")
        if padding not in ("valid", "same"):
            raise ValueError(f"padding must be 'valid', 'same' or ints, got {padding!r}")
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError("padding='same' works with stride 1 only: give the padding as ints")
        return padding

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform in +-1/sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init.calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

    def _pad(self, input: Tensor) -> tuple[Tensor, tuple[int, ...] | str]:
        """Return the input, padded here unless padding_mode is zeros, and what is left to pad."""
        if self.padding_mode == "zeros":
            return input, self.padding
        padding = self._both_sides()
        return F.pad(input, padding, mode=self.padding_mode), (0,) * self.rank

    def _both_sides(self) -> tuple[int, ...]:
        """Return (low, high) of each spatial dim, last dim first, as F.pad wants them."""
        amounts: list[int] = []
        for axis in reversed(range(self.rank)):
            if self.padding == "valid":
                low = high = 0
            elif self.padding == "same":
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                low, high = total // 2, total - total // 2
            else:
                low = high = int(self.padding[axis])
            amounts.extend((low, high))
        return tuple(amounts)

    def extra_repr(self) -> str:
        """Return the settings that differ from their defaults."""
        ones, zeros = (1,) * self.rank, (0,) * self.rank
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        if self.padding != zeros:
            text += f", padding={self.padding}"
        if self.dilation != ones:
            text += f", dilation={self.dilation}"
        if self.output_padding != zeros:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


def _check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    if groups <= 0:
        raise ValueError(f"groups must be a positive int, got {groups}")
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels % groups:
            raise ValueError(f"{name} must be divisible by groups, got {channels} and {groups}")


class _Conv(_Convolution):
    """A convolution: input [N, in_channels, *S] -> [N, out_channels, *S']."""

    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of the input with the weight, plus the bias."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return what forward returns, of other weights: subclasses call it by this name."""
        padded, padding = self._pad(input)
        function = type(self)._function
        return function(padded, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """Convolve [N, C, L] (or [C, L]); weight [out_channels, in_channels / groups, k]."""

    rank = 1
    _function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Convolve [N, C, H, W] (or [C, H, W]); weight [out_channels, in_channels / groups, kh, kw]."""

    rank = 2
    _function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Convolve [N, C, D, H, W]; weight [out_channels, in_channels / groups, kd, kh, kw]."""

    rank = 3
    _function = staticmethod(F.conv3d)


class _ConvTranspose(_Convolution):
    """The gradient of a convolution with respect to its input, as a layer."""

    transposed = True
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(
                f"{type(self).__name__} pads with zeros only, got padding_mode={padding_mode!r}"
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            output_padding,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the transposed convolution; output_size chooses among the possible sizes."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._padding_for(input, tuple(output_size))
        function = type(self)._function
        return function(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            extra,
            self.groups,
            self.dilation,
        )

    def _padding_for(self, input: Tensor, wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Return the output_padding that gives an output of the wanted spatial size."""
        wanted = wanted[len(wanted) - self.rank :]
        spatial = tuple(input.shape)[-self.rank :]
        if len(wanted) != self.rank:
            raise ValueError(f"output_size wants {self.rank} spatial sizes, got {wanted}")
        extra = []
        for axis in range(self.rank):
            reach = self.dilation[axis] * (self.kernel_size[axis] - 1) + 1
            least = (spatial[axis] - 1) * self.stride[axis] - 2 * int(self.padding[axis]) + reach
            most = least + self.stride[axis] - 1
            if not least <= wanted[axis] <= most:
                raise ValueError(
                    f"output_size {wanted} is impossible: dim {axis} must be in {least}..{most}"
                )
            extra.append(wanted[axis] - least)
        return tuple(extra)


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of [N, C, L]; weight [in_channels, out_channels / groups, k]."""

    rank = 1
    _function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of [N, C, H, W]; weight [in_channels, out_channels / groups, *k]."""

    rank = 2
    _function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of [N, C, *S]; weight [in_channels, out_channels / groups, *k]."""

    rank = 3
    _function = staticmethod(F.conv_transpose3d)
