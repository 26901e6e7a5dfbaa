"""CUDA: what makes machine code for a GPU, and what runs it there.

`driver.py` says what a GPU must be able to do; everything above it is plain Python over that.
Only `bindings.py` (NVIDIA's driver), `cublas.py` (its library for products) and `building.py`
(numba-cuda) import other packages, inside functions.
"""

from __future__ import annotations

from .building import Assembled as Assembled
from .building import assemble as assemble
from .building import compile_ptx as compile_ptx
