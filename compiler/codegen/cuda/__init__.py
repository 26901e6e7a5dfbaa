"""Kernels as Numba CUDA source: text that people read and numba-cuda compiles."""
