"""VGG networks (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jitnet import Tensor, nn

from .weights import imagenet, refuse_weights

VGG11_Weights = imagenet("VGG11_Weights", "vgg11-8a719046.pth")
VGG11_BN_Weights = imagenet("VGG11_BN_Weights", "vgg11_bn-6002323d.pth")
VGG13_Weights = imagenet("VGG13_Weights", "vgg13-19584684.pth")
VGG13_BN_Weights = imagenet("VGG13_BN_Weights", "vgg13_bn-abd245e5.pth")
VGG16_Weights = imagenet("VGG16_Weights", "vgg16-397923af.pth")
VGG16_BN_Weights = imagenet("VGG16_BN_Weights", "vgg16_bn-6c64b313.pth")
VGG19_Weights = imagenet("VGG19_Weights", "vgg19-dcbb9e9d.pth")
VGG19_BN_Weights = imagenet("VGG19_BN_Weights", "vgg19_bn-c79401a0.pth")

# How many 3 x 3 convolutions stand before each of the five poolings.
LAYERS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


class VGG(nn.Module):
    """Convolutions and poolings, and a perceptron of two hidden layers."""

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, 1)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
            else:
                continue
            if module.bias is not None:
                nn.init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [N, classes] of images [N, 3, H, W] of at least 32 x 32."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def make_layers(layers: Sequence[int], batch_norm: bool = False) -> nn.Sequential:
    """Return the convolutions: so many before each pooling."""
    made: list[nn.Module] = []
    in_channels = 3
    for count, channels in zip(layers, CHANNELS, strict=True):
        for _ in range(count):
            made.append(nn.Conv2d(in_channels, channels, kernel_size=3, padding=1))
            if batch_norm:
                made.append(nn.BatchNorm2d(channels))
            made.append(nn.ReLU(inplace=True))
            in_channels = channels
        made.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*made)


def _vgg(depth: int, batch_norm: bool, known: Any, weights: Any, options: dict[str, Any]) -> VGG:
    refuse_weights(known, weights, options)
    return VGG(make_layers(LAYERS[depth], batch_norm), **options)


def vgg11(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 11 layers; options go to VGG."""
    return _vgg(11, False, VGG11_Weights, weights, options)


def vgg11_bn(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 11 layers with batch normalization; options go to VGG."""
    return _vgg(11, True, VGG11_BN_Weights, weights, options)


def vgg13(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 13 layers; options go to VGG."""
    return _vgg(13, False, VGG13_Weights, weights, options)


def vgg13_bn(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 13 layers with batch normalization; options go to VGG."""
    return _vgg(13, True, VGG13_BN_Weights, weights, options)


def vgg16(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 16 layers; options go to VGG."""
    return _vgg(16, False, VGG16_Weights, weights, options)


def vgg16_bn(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 16 layers with batch normalization; options go to VGG."""
    return _vgg(16, True, VGG16_BN_Weights, weights, options)


def vgg19(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 19 layers; options go to VGG."""
    return _vgg(19, False, VGG19_Weights, weights, options)


def vgg19_bn(weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """Return a network of 19 layers with batch normalization; options go to VGG."""
    return _vgg(19, True, VGG19_BN_Weights, weights, options)
