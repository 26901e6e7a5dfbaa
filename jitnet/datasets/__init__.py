"""Data sets to learn with: handwritten digits that ship with the package, and MNIST's files."""

from .digits import digits
from .idx import read_idx
from .mnist import MIRRORS, mnist
from .splits import Splits

__all__ = ["MIRRORS", "Splits", "digits", "mnist", "read_idx"]
