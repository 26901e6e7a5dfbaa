"""jitnet.backends: switches of libraries that jitnet does not use, so that programs can set them.

Setting one changes nothing: jitnet's own kernels always compute in full precision and give the
same bits in every run.
"""

from . import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
