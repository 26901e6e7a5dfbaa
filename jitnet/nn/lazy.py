"""Layers that learn their input size from their first input: LazyLinear, LazyConv2d and kin."""

from __future__ import annotations

from typing import Any, ClassVar

from jitnet import capture, creation
from jitnet.grad_mode import no_grad
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from .batchnorm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .parameter import Uninitialized, UninitializedBuffer, UninitializedParameter
from .shapes import Size


class _Lazy(Module):
    """A layer without sizes; its first call gives it them, and makes it one of class `becomes`.

    The first call must be eager: what a compiled function works on has its sizes already.
    """

    becomes: ClassVar[type[Module]]
    size_name: ClassVar[str]
    size_axis: ClassVar[int] = 1

    def has_uninitialized_params(self) -> bool:
        """Return whether a parameter or buffer still waits for its shape."""
        held = (*self._parameters.values(), *self._buffers.values())
        return any(isinstance(tensor, Uninitialized) for tensor in held)

    def reset_parameters(self) -> None:
        """Draw new initial values, once there are sizes."""
        if not self.has_uninitialized_params():
            super().reset_parameters()

    def _shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor that waits, for inputs of a size."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._become(args[0] if args else kwargs["input"])
        return self(*args, **kwargs)  # of the class that it is now

    def _become(self, input: Tensor) -> None:
        capture.refuse(
            f"the first call of {type(self).__name__}",
            "call the model once, eagerly, before the compiled function",
        )
        size = input.shape[self.size_axis]
        setattr(self, self.size_name, size)
        if self.has_uninitialized_params():
            with no_grad():
                for name, shape in self._shapes(size).items():
                    tensor = getattr(self, name)
                    if isinstance(tensor, Uninitialized):
                        tensor.materialize(shape)
                        tensor.fill_(1 if name == "running_var" else 0)
                self.reset_parameters()
        self.__class__ = self.becomes  # type: ignore[assignment]


class LazyLinear(_Lazy, Linear):
    """Linear whose in_features is the last size of its first input."""

    becomes = Linear
    size_name = "in_features"
    size_axis = -1

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: DType | None = None
    ) -> None:
        super().__init__(0, 0, False, device, dtype)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def _shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_features, size), "bias": (self.out_features,)}


class _LazyConv(_Lazy):
    """A convolution whose in_channels is dim 1 of its first input."""

    size_name = "in_channels"
    transposed: bool
    kernel_size: tuple[int, ...]
    out_channels: int
    groups: int
    rank: int

    def _wait(self, out_channels: int, bias: bool, device: Any, dtype: DType | None) -> None:
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def _become(self, input: Tensor) -> None:
        if input.ndim == self.rank + 1:  # without a batch
            input = input.unsqueeze(0)
        super()._become(input)

    def _shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        if size % self.groups:
            raise ValueError(f"in_channels {size} must be divisible by groups {self.groups}")
        channels = (self.out_channels, size // self.groups)
        if self.transposed:
            channels = (size, self.out_channels // self.groups)
        return {"weight": (*channels, *self.kernel_size), "bias": (self.out_channels,)}


class _LazyForward(_LazyConv):
    """A convolution's settings without in_channels."""

    def __init__(
        self,
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
        settings = (kernel_size, stride, padding, dilation, groups, False, padding_mode)
        super().__init__(0, 0, *settings, device, dtype)  # type: ignore[call-arg]
        self._wait(out_channels, bias, device, dtype)


class _LazyTransposed(_LazyConv):
    """A transposed convolution's settings without in_channels."""

    def __init__(
        self,
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
        settings = (kernel_size, stride, padding, output_padding, groups, False, dilation)
        super().__init__(0, 0, *settings, padding_mode, device, dtype)  # type: ignore[call-arg]
        self._wait(out_channels, bias, device, dtype)


class LazyConv1d(_LazyForward, Conv1d):
    """Conv1d whose in_channels is that of its first input."""

    becomes = Conv1d


class LazyConv2d(_LazyForward, Conv2d):
    """Conv2d whose in_channels is that of its first input."""

    becomes = Conv2d


class LazyConv3d(_LazyForward, Conv3d):
    """Conv3d whose in_channels is that of its first input."""

    becomes = Conv3d


class LazyConvTranspose1d(_LazyTransposed, ConvTranspose1d):
    """ConvTranspose1d whose in_channels is that of its first input."""

    becomes = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposed, ConvTranspose2d):
    """ConvTranspose2d whose in_channels is that of its first input."""

    becomes = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposed, ConvTranspose3d):
    """ConvTranspose3d whose in_channels is that of its first input."""

    becomes = ConvTranspose3d


class _LazyNorm(_Lazy):
    """A norm whose num_features is dim 1 of its first input."""

    size_name = "num_features"
    affine: bool
    track_running_stats: bool

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)  # type: ignore[call-arg]
        self.affine = affine
        self.track_running_stats = track_running_stats
        made = {"device": device, "dtype": dtype}
        if affine:
            self.weight = UninitializedParameter(**made)
        if affine and bias:
            self.bias = UninitializedParameter(**made)
        if track_running_stats:
            del self.num_batches_tracked  # which comes last in a state
            self.running_mean = UninitializedBuffer(**made)
            self.running_var = UninitializedBuffer(**made)
            self.register_buffer("num_batches_tracked", creation.tensor(0))

    def _shapes(self, size: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (size,))


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """BatchNorm1d whose num_features is that of its first input."""

    becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """BatchNorm2d whose num_features is that of its first input."""

    becomes = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """BatchNorm3d whose num_features is that of its first input."""

    becomes = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """InstanceNorm1d whose num_features is that of its first input."""

    becomes = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """InstanceNorm2d whose num_features is that of its first input."""

    becomes = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """InstanceNorm3d whose num_features is that of its first input."""

    becomes = InstanceNorm3d
