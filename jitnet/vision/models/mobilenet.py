"""MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.vision.ops import Conv2dNormActivation

from .weights import imagenet, refuse_weights

Norm = Callable[[int], nn.Module]

MobileNet_V2_Weights = imagenet(
    "MobileNet_V2_Weights", "mobilenet_v2-b0353104.pth", "mobilenet_v2-7ebf99e0.pth"
)

# Each row: how much a block widens inside, channels, blocks, stride of the first.
SETTING = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


_layers = partial(Conv2dNormActivation, activation_layer=nn.ReLU6)


class InvertedResidual(nn.Module):
    """A block that is wide inside and narrow at its ends, where it is added to what it got."""

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: int,
        norm_layer: Norm = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride is 1 or 2, got {stride}")
        hidden = round(inp * expand_ratio)
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(_layers(inp, hidden, 1, norm_layer=norm_layer))
        layers += [
            _layers(hidden, hidden, 3, stride, groups=hidden, norm_layer=norm_layer),
            nn.Conv2d(hidden, oup, 1, 1, 0, bias=False),
            norm_layer(oup),
        ]
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        self.conv = nn.Sequential(*layers)
        self.out_channels = oup

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residual blocks of depthwise convolutions.

    width_mult: by how much to multiply channels, which are then multiples of round_nearest.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] = InvertedResidual,
        norm_layer: Norm = nn.BatchNorm2d,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        setting = SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or len(setting[0]) != 4:
            raise ValueError(f"inverted_residual_setting has rows of 4 numbers, got {setting}")
        channels = _divisible(32 * width_mult, round_nearest)
        self.last_channel = _divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [_layers(3, channels, stride=2, norm_layer=norm_layer)]
        for expand, wanted, count, first_stride in setting:
            out_channels = _divisible(wanted * width_mult, round_nearest)
            for number in range(count):
                stride = first_stride if number == 0 else 1
                made = block(channels, out_channels, stride, expand, norm_layer=norm_layer)
                features.append(made)
                channels = out_channels
        features.append(_layers(channels, self.last_channel, 1, norm_layer=norm_layer))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes)
        )
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.ones_(module.weight)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            else:
                continue
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, classes] of images [N, 3, H, W]."""
        x = F.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(x.flatten(1))


def _divisible(value: float, divisor: int) -> int:
    """Return the multiple of a divisor that is nearest, and not less than 90 % of the value."""
    nearest = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def mobilenet_v2(weights: Any = None, progress: bool = True, **options: Any) -> MobileNetV2:
    """Return MobileNetV2; options go to it."""
    refuse_weights(MobileNet_V2_Weights, weights, options)
    return MobileNetV2(**options)
