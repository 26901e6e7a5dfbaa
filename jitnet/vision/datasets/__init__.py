"""Data sets of images for DataLoader, with torchvision's names and folders."""

from jitnet.missing import missing

from .cifar import CIFAR10, CIFAR100
from .emnist import EMNIST
from .fake import FakeData
from .folder import IMG_EXTENSIONS, DatasetFolder, ImageFolder, default_loader
from .mnist import KMNIST, MNIST, FashionMNIST
from .vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "IMG_EXTENSIONS",
    "ImageFolder",
    "KMNIST",
    "MNIST",
    "VisionDataset",
    "default_loader",
]

__getattr__ = missing(__name__, globals())
