"""Networks that classify images, with torchvision's names, parameters and initial values."""

from jitnet.missing import missing

from .alexnet import AlexNet, AlexNet_Weights, alexnet
from .mobilenet import MobileNet_V2_Weights, MobileNetV2, mobilenet_v2
from .resnet import (
    ResNet,
    ResNet18_Weights,
    ResNet34_Weights,
    ResNet50_Weights,
    ResNet101_Weights,
    ResNet152_Weights,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from .vgg import (
    VGG,
    VGG11_BN_Weights,
    VGG11_Weights,
    VGG13_BN_Weights,
    VGG13_Weights,
    VGG16_BN_Weights,
    VGG16_Weights,
    VGG19_BN_Weights,
    VGG19_Weights,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)

__all__ = [
    *("AlexNet", "AlexNet_Weights", "alexnet"),
    *("MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"),
    *("ResNet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("ResNet18_Weights", "ResNet34_Weights", "ResNet50_Weights"),
    *("ResNet101_Weights", "ResNet152_Weights"),
    *("VGG", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"),
    *("VGG11_Weights", "VGG11_BN_Weights", "VGG13_Weights", "VGG13_BN_Weights"),
    *("VGG16_Weights", "VGG16_BN_Weights", "VGG19_Weights", "VGG19_BN_Weights"),
]

__getattr__ = missing(__name__, globals())
