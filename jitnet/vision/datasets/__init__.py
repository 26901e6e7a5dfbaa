"""Data sets of images for DataLoader, with torchvision's names and folders."""

from jitnet.missing import missing

from .cifar import CIFAR10
from .fake import FakeData
from .folder import IMG_EXTENSIONS, DatasetFolder, ImageFolder, default_loader
from .mnist import MNIST, FashionMNIST
from .vision import VisionDataset

__all__ = [
    "CIFAR10",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "IMG_EXTENSIONS",
    "ImageFolder",
    "MNIST",
    "VisionDataset",
    "default_loader",
]

__getattr__ = missing(__name__, globals())
