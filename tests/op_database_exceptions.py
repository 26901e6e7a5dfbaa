"""Where we differ from PyTorch's op database, and why: the stages that each entry leaves out.

A stage is "eager", "gradient", "compiled" (with its gradient), "out", "error", or a dtype's name.
"""

from __future__ import annotations

from typing import NamedTuple


class Exceptions(NamedTuple):
    """Entries of the database, what is not compared of them, and the reason."""

    names: str
    stages: str
    why: str


EXCEPTIONS = (
    Exceptions(
        "item allclose equal masked_select nonzero argwhere bincount unique "
        "nn.functional.one_hot index_put narrow tensor_split "
        "repeat_interleave unique_consecutive histogram histogramdd",
        "compiled",
        "values or shapes that depend on data: a compiled function refuses them and says so",
    ),
    Exceptions(
        "eq ne lt le gt ge fmod fmax fmin maximum minimum max min atan2 copysign logaddexp "
        "heaviside hypot xlogy logical_and logical_or logical_xor clamp_min clamp_max rsub "
        "__rpow__ __radd__ __rmul__ __rand__ __ror__ __rxor__ __rdiv__ igamma igammac ldexp polar",
        "error",
        "a Python number may stand for one of the tensors, as the array API standard 2024.12 says",
    ),
    Exceptions(
        "nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d "
        "nn.functional.conv_transpose1d nn.functional.conv_transpose2d "
        "nn.functional.conv_transpose3d nn.functional.avg_pool1d nn.functional.avg_pool2d "
        "nn.functional.avg_pool3d nn.functional.local_response_norm",
        "int64",
        "images of whole numbers are refused: cast them",
    ),
    Exceptions(
        "argsort topk sort kthvalue mode median nanmedian",
        "int64 bool bfloat16 float16",
        "of equal elements PyTorch promises no order; ours is the first",
    ),
    Exceptions(
        "nn.functional.grid_sample histc nn.functional.soft_margin_loss logsumexp matrix_exp",
        "bfloat16 float16",
        "we compute in float32 and round once; PyTorch rounds places, or overflows, in 16 bits",
    ),
    Exceptions(
        "special.bessel_j0 special.bessel_j1 special.bessel_y0 special.bessel_y1",
        "float64",
        "beyond 5 PyTorch's are off by 1e-8 of their size; ours are exact to the last digits",
    ),
    Exceptions(
        "signal.windows.hamming signal.windows.hann signal.windows.bartlett "
        "signal.windows.blackman signal.windows.cosine signal.windows.exponential "
        "signal.windows.gaussian signal.windows.kaiser signal.windows.general_cosine "
        "signal.windows.general_hamming signal.windows.nuttall",
        "error",
        "windows of 16-bit floats are made, which PyTorch refuses",
    ),
    Exceptions("matrix_exp", "bfloat16 float16", "linear algebra wants float32 or float64"),
    Exceptions("to_sparse", "eager compiled gradient out error", "test_sparse.py compares these"),
    Exceptions(
        "as_strided.partial_views",
        "eager compiled gradient error",
        "memory outside of a tensor's own elements is not read",
    ),
    Exceptions(
        "as_strided_scatter",
        "gradient compiled",
        "PyTorch gives what is overwritten a gradient",
    ),
    Exceptions(
        "nn.functional.linear histogramdd linalg.lstsq",
        "out",
        "their `out` is no documented argument",
    ),
    Exceptions("svd linalg.svd", "eager compiled", "the signs of singular vectors are free"),
    Exceptions("equal", "out", "a bool is no tensor"),
    Exceptions("lu", "out", "its third result is None, which nothing can be written into"),
    Exceptions("histogramdd", "eager", "edges out of order are refused"),
    Exceptions("nextafter", "bfloat16 float16", "NumPy has no neighbours of 16-bit floats"),
    Exceptions(
        "nn.functional.ctc_loss",
        "gradient compiled",
        "PyTorch's gradient holds behind log_softmax only; ours is that of the loss itself",
    ),
    Exceptions(
        "linalg.eigh linalg.eig",
        "eager compiled gradient",
        "eigenvectors have any sign; test_linalg.py compares what does not depend on it",
    ),
    Exceptions("__rpow__", "int64", "negative powers of whole numbers are refused"),
    Exceptions("sum_to_size", "bool", "PyTorch counts even where nothing is summed"),
    Exceptions("resize_", "eager compiled gradient error", "shapes never change in place"),
    Exceptions("cat take", "error", "an `out` that overlaps an argument is computed aside"),
    Exceptions("gather aminmax multinomial", "error", "a result is cast to the dtype of `out`"),
    Exceptions(
        "cholesky_inverse cholesky_solve",
        "gradient compiled",
        "PyTorch gives the triangle that is not read a gradient",
    ),
    Exceptions(
        "complex view_as_complex", "float16", "complex numbers of 16-bit floats are not there"
    ),
    Exceptions("cov", "error", "weights' signs are data: a compiled function does not look"),
)


def exceptions(name: str, variant: str) -> frozenset[str]:
    """Return the stages that an entry leaves out."""
    keys = {name, f"{name}.{variant}"}
    found = [rule.stages for rule in EXCEPTIONS if keys & set(rule.names.split())]
    return frozenset(" ".join(found).split())


RANDOM = (
    "dropout", "rand", "normal", "multinomial", "bernoulli", "empty", "rrelu", "fractional",
    "uniform", "cauchy", "exponential", "geometric", "resize", "multi_head_attention_forward",
    "scaled_dot_product_attention",
)  # fmt: skip


def is_random(name: str) -> bool:
    """Return whether results are drawn, so that only types can be compared."""
    return any(word in name for word in RANDOM)
