"""Pooling layers of other rules: power averages, random windows, and pooling undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from jitnet import functional as F
from jitnet.tensor import Tensor

from .module import Module
from .shapes import Size, spread


class _LPPool(Module):
    """The norm_type-norm of each window."""

    _function: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        norm_type: float,
        kernel_size: Size,
        stride: Size | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms."""
        function = type(self)._function
        norm = float(self.norm_type)
        return function(input, norm, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """Norms over windows of [N, C, L]."""

    _function = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """Norms over windows of [N, C, H, W]."""

    _function = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """Norms over windows of [N, C, D, H, W]."""

    _function = staticmethod(F.lp_pool3d)


class _MaxUnpool(Module):
    """What a max pool with return_indices was given, 0 where nothing was largest."""

    rank: ClassVar[int]
    _function: ClassVar[Callable[..., Tensor]]

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        self.kernel_size = spread(kernel_size, self.rank, "kernel_size")
        chosen = kernel_size if stride is None else stride
        self.stride = spread(chosen, self.rank, "stride")
        self.padding = spread(padding, self.rank, "padding")

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Return the larger image."""
        function = type(self)._function
        return function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Undo MaxPool1d."""

    rank = 1
    _function = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Undo MaxPool2d."""

    rank = 2
    _function = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Undo MaxPool3d."""

    rank = 3
    _function = staticmethod(F.max_unpool3d)


class _FractionalMaxPool(Module):
    """Maxima over windows at random, nearly even places."""

    rank: ClassVar[int]
    _function: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = spread(kernel_size, self.rank, "kernel_size")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{type(self).__name__} wants either output_size or output_ratio")
        self.output_size = (
            None if output_size is None else spread(output_size, self.rank, "output_size")
        )
        ratios = (output_ratio,) * self.rank if isinstance(output_ratio, float) else output_ratio
        self.output_ratio = ratios
        if ratios is not None and not all(0 < ratio < 1 for ratio in ratios):
            raise ValueError(f"output_ratio must be between 0 and 1, got {output_ratio}")

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with return_indices where they are."""
        function = type(self)._function
        return function(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """Random maxima of [N, C, H, W]."""

    rank = 2
    _function = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """Random maxima of [N, C, D, H, W]."""

    rank = 3
    _function = staticmethod(F.fractional_max_pool3d)
