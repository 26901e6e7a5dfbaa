"""Data sets to learn with: digits that ship with the package, the files of MNIST and CIFAR-10."""

from .cifar import cifar10, read_cifar
from .digits import digits
from .idx import read_idx
from .mnist import MIRRORS, mnist
from .splits import Splits

__all__ = ["MIRRORS", "Splits", "cifar10", "digits", "mnist", "read_cifar", "read_idx"]
