"""Layers that torchvision's models are made of, and losses of detectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jitnet
from jitnet import Tensor, nn
from jitnet.nn import functional as F

Layer = Callable[..., nn.Module]


class ConvNormActivation(nn.Sequential):
    """A convolution that keeps the size but for its stride, then a norm and an activation.

    padding: None for what keeps the size. bias: None for one where there is no norm.
    """

    convolution: ClassVar[Layer] = nn.Conv2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: int | Sequence[int] = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        if padding is None:
            padding = _same(kernel_size, dilation)
        layers = [
            type(self).convolution(
                in_channels,
                out_channels,
                kernel_size,
                stride,
                padding,
                dilation=dilation,
                groups=groups,
                bias=norm_layer is None if bias is None else bias,
            )
        ]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels


def _same(kernel: int | Sequence[int], dilation: int | Sequence[int]) -> int | tuple[int, ...]:
    """Return the padding that keeps sizes."""
    if isinstance(kernel, int) and isinstance(dilation, int):
        return (kernel - 1) // 2 * dilation
    rank = len(kernel) if isinstance(kernel, Sequence) else len(dilation)  # type: ignore[arg-type]
    kernels = (kernel,) * rank if isinstance(kernel, int) else kernel
    dilations = (dilation,) * rank if isinstance(dilation, int) else dilation
    return tuple((k - 1) // 2 * d for k, d in zip(kernels, dilations, strict=True))


class Conv2dNormActivation(ConvNormActivation):
    """ConvNormActivation of images."""


class Conv3dNormActivation(ConvNormActivation):
    """ConvNormActivation of volumes."""

    convolution = nn.Conv3d

    def __init__(self, in_channels: int, out_channels: int, *args: Any, **kwargs: Any) -> None:
        if len(args) < 5:
            kwargs.setdefault("norm_layer", nn.BatchNorm3d)
        super().__init__(in_channels, out_channels, *args, **kwargs)


class SqueezeExcitation(nn.Module):
    """Channels scaled by what two 1 x 1 convolutions make of their means."""

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Layer = nn.ReLU,
        scale_activation: Layer = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        """Return input [N, C, H, W] with its channels scaled."""
        squeezed = self.activation(self.fc1(self.avgpool(input)))
        return self.scale_activation(self.fc2(squeezed)) * input  # type: ignore[no-any-return]


class MLP(nn.Sequential):
    """Linear layers of some sizes, with a norm, an activation and dropout between them."""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Sequence[int],
        norm_layer: Layer | None = None,
        activation_layer: Layer | None = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        options = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        for place, width in enumerate(hidden_channels):
            layers.append(nn.Linear(in_channels, width, bias=bias))
            if place < len(hidden_channels) - 1:
                if norm_layer is not None:
                    layers.append(norm_layer(width))
                if activation_layer is not None:
                    layers.append(activation_layer(**options))
            layers.append(nn.Dropout(dropout, **options))
            in_channels = width
        super().__init__(*layers)


class Permute(nn.Module):
    """permute, as a layer."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = list(dims)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with its dims in another order."""
        return x.permute(self.dims)  # type: ignore[no-any-return]


class FrozenBatchNorm2d(nn.Module):
    """A batch norm whose weight, bias and statistics are fixed: all four are buffers."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", jitnet.ones(num_features))
        self.register_buffer("bias", jitnet.zeros(num_features))
        self.register_buffer("running_mean", jitnet.zeros(num_features))
        self.register_buffer("running_var", jitnet.ones(num_features))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        state_dict.pop(f"{prefix}num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        """Return x [N, C, H, W] normalized."""
        scale = (self.weight * (self.running_var + self.eps).rsqrt()).reshape(1, -1, 1, 1)
        shift = self.bias.reshape(1, -1, 1, 1) - self.running_mean.reshape(1, -1, 1, 1) * scale
        return x * scale + shift  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the number of features and eps."""
        return f"{self.weight.shape[0]}, eps={self.eps}"


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Return input with whole rows, or all of it ("batch"), set to 0 with probability p.

    What is left is scaled by 1 / (1 - p).
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"drop probability has to be between 0 and 1, got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', got {mode!r}")
    if not training or p == 0.0:
        return input
    rows = input.shape[0] if mode == "row" else 1
    keeps = jitnet.empty((rows, *[1] * (input.ndim - 1)), dtype=input.dtype).bernoulli_(1.0 - p)
    return input * (keeps / (1.0 - p) if p < 1.0 else keeps)  # type: ignore[no-any-return]


class StochasticDepth(nn.Module):
    """stochastic_depth, as a layer."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        """Return input, some of it dropped while training."""
        return stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}, mode={self.mode}"


def sigmoid_focal_loss(
    inputs: Tensor,
    targets: Tensor,
    alpha: float = 0.25,
    gamma: float = 2,
    reduction: str = "none",
) -> Tensor:
    """Return the cross entropy of logits, weighed down where they are right already (RetinaNet).

    alpha: the weight of positive examples, or -1 for none.
    """
    chance = inputs.sigmoid()
    right = chance * targets + (1 - chance) * (1 - targets)
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    loss = loss * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction is one of 'none', 'mean', 'sum', got {reduction!r}")
    return loss if reduction == "none" else getattr(loss, reduction)()  # type: ignore[no-any-return]
