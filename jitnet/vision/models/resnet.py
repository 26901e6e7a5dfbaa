"""Residual networks (He et al. 2015, https://arxiv.org/abs/1512.03385)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jitnet import Tensor, nn

from .weights import imagenet, refuse_weights

Norm = Callable[[int], nn.Module]

ResNet18_Weights = imagenet("ResNet18_Weights", "resnet18-f37072fd.pth")
ResNet34_Weights = imagenet("ResNet34_Weights", "resnet34-b627a593.pth")
ResNet50_Weights = imagenet("ResNet50_Weights", "resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth")
ResNet101_Weights = imagenet(
    "ResNet101_Weights", "resnet101-63fe2227.pth", "resnet101-cd907fc2.pth"
)
ResNet152_Weights = imagenet(
    "ResNet152_Weights", "resnet152-394f9c45.pth", "resnet152-f82ba261.pth"
)


def conv3x3(
    in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1
) -> nn.Conv2d:
    """Return a 3 x 3 convolution that keeps the size, but for its stride."""
    return nn.Conv2d(
        in_planes,
        out_planes,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        groups=groups,
        bias=False,
        dilation=dilation,
    )


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """Return a 1 x 1 convolution."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, added to what they got."""

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        if groups != 1 or base_width != 64 or dilation > 1:
            raise ValueError(
                "BasicBlock has groups=1, base_width=64 and dilation=1, got "
                f"{groups}, {base_width} and {dilation}; Bottleneck takes others"
            )
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + identity)


class Bottleneck(nn.Module):
    """A 3 x 3 convolution between two of 1 x 1, added to what they got.

    The stride is the 3 x 3 convolution's, as in torchvision's "ResNet 1.5".
    """

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: Norm = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + identity)


Block = type[BasicBlock] | type[Bottleneck]


class ResNet(nn.Module):
    """A stem, four stages of blocks, each stage but the first at half the size, and a classifier.

    zero_init_residual: every block starts as the identity.
    replace_stride_with_dilation: for stages 2 to 4, whether to dilate in place of halving.
    """

    def __init__(
        self,
        block: Block,
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: Sequence[bool] | None = None,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        dilated = list(replace_stride_with_dilation or (False, False, False))
        if len(dilated) != 3:
            raise ValueError(f"replace_stride_with_dilation has 3 elements, got {dilated}")
        self._norm_layer: Norm = nn.BatchNorm2d if norm_layer is None else norm_layer
        self.inplanes = 64
        self.dilation = 1
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], 2, dilated[0])
        self.layer3 = self._make_layer(block, 256, layers[2], 2, dilated[1])
        self.layer4 = self._make_layer(block, 512, layers[3], 2, dilated[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialize(zero_init_residual)

    def _initialize(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.constant_(module.weight, 1)
                nn.init.constant_(module.bias, 0)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, Bottleneck):
                    nn.init.constant_(module.bn3.weight, 0)
                elif isinstance(module, BasicBlock):
                    nn.init.constant_(module.bn2.weight, 0)

    def _make_layer(
        self, block: Block, planes: int, blocks: int, stride: int = 1, dilate: bool = False
    ) -> nn.Sequential:
        """Return a stage, whose first block changes the size and the number of channels."""
        dilation = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        outplanes = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != outplanes:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, outplanes, stride), self._norm_layer(outplanes)
            )
        width = (self.groups, self.base_width)
        norm = self._norm_layer
        first = block(self.inplanes, planes, stride, downsample, *width, dilation, norm)
        self.inplanes = outplanes
        others = (
            block(outplanes, planes, 1, None, *width, self.dilation, norm) for _ in range(1, blocks)
        )
        return nn.Sequential(first, *others)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, classes] of images [N, 3, H, W]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


def resnet18(weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """Return a network of 18 layers; options go to ResNet."""
    refuse_weights(ResNet18_Weights, weights, options)
    return ResNet(BasicBlock, [2, 2, 2, 2], **options)


def resnet34(weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """Return a network of 34 layers; options go to ResNet."""
    refuse_weights(ResNet34_Weights, weights, options)
    return ResNet(BasicBlock, [3, 4, 6, 3], **options)


def resnet50(weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """Return a network of 50 layers; options go to ResNet."""
    refuse_weights(ResNet50_Weights, weights, options)
    return ResNet(Bottleneck, [3, 4, 6, 3], **options)


def resnet101(weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """Return a network of 101 layers; options go to ResNet."""
    refuse_weights(ResNet101_Weights, weights, options)
    return ResNet(Bottleneck, [3, 4, 23, 3], **options)


def resnet152(weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """Return a network of 152 layers; options go to ResNet."""
    refuse_weights(ResNet152_Weights, weights, options)
    return ResNet(Bottleneck, [3, 8, 36, 3], **options)
