"""Transforms of images, Pillow's and tensors [..., C, H, W]: torchvision's names and behaviour."""

from jitnet.missing import missing

from . import functional
from .color import ColorJitter, GaussianBlur, Grayscale, RandomGrayscale
from .combine import Compose, Lambda, RandomApply, RandomChoice, RandomOrder
from .convert import ConvertImageDtype, Normalize, PILToTensor, ToPILImage, ToTensor
from .crops import CenterCrop, FiveCrop, RandomCrop, RandomResizedCrop
from .functional import InterpolationMode
from .geometry import Pad, RandomHorizontalFlip, RandomRotation, RandomVerticalFlip, Resize
from .random_erasing import RandomErasing

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "FiveCrop",
    "GaussianBlur",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomOrder",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "ToPILImage",
    "ToTensor",
    "functional",
]

__getattr__ = missing(__name__, globals())
