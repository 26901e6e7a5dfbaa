"""Where we differ from PyTorch's op database, and why: the stages that each entry leaves out.

A stage is "eager", "gradient", "compiled" (with its gradient), "out", "error", a dtype's name, or
"gradient/" and a dtype's name.
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
        "repeat_interleave unique_consecutive",
        "compiled",
        "values or shapes that depend on data: a compiled function refuses them and says so",
    ),
    Exceptions(
        "arange linalg.cross",
        "error",
        "no number is beyond the bounds; dims counted from the end: the array API standard 2024.12",
    ),
    Exceptions(
        "eq ne lt le gt ge maximum minimum atan2 copysign logaddexp hypot "
        "logical_and logical_or logical_xor",
        "error",
        "a Python number may stand for one of the tensors, as the array API standard 2024.12 says",
    ),
    Exceptions(
        "nn.functional.interpolate.bicubic",
        "uint8",
        "where fixed-point sums end in a half, PyTorch's rounding depends on how it adds",
    ),
    Exceptions(
        "argsort topk sort msort kthvalue mode median nanmedian",
        "int8 int16 int32 int64 uint8 bool bfloat16 float16",
        "of equal elements PyTorch promises no order; ours is the first",
    ),
    Exceptions(
        "special.bessel_j0 special.bessel_j1 special.bessel_y0 special.bessel_y1",
        "float64",
        "beyond 5 PyTorch's are off by 1e-8 of their size; ours are exact to the last digits",
    ),
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
    Exceptions(
        "svd linalg.svd svd_lowrank pca_lowrank",
        "eager compiled",
        "the signs of singular vectors are free",
    ),
    Exceptions("equal", "out", "a bool is no tensor"),
    Exceptions("lu", "out", "its third result is None, which nothing can be written into"),
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
    Exceptions(
        "cholesky_inverse cholesky_solve",
        "gradient compiled",
        "PyTorch gives the triangle that is not read a gradient",
    ),
    Exceptions(
        "complex view_as_complex", "float16", "complex numbers of 16-bit floats are not there"
    ),
    Exceptions(
        "cov multinomial", "error", "weights' signs are data: a compiled function does not look"
    ),
    Exceptions(
        "polygamma special.polygamma",
        "int8 int16",
        "at poles PyTorch's sines of multiples of pi are not quite 0; ours are infinite there",
    ),
    Exceptions(
        "logcumsumexp",
        "complex64 complex128",
        "imaginary parts may differ by multiples of 2 pi, depending on the order of sums",
    ),
    Exceptions(
        "cholesky linalg.cholesky linalg.cholesky_ex",
        "gradient/complex64 gradient/complex128",
        "ours is Hermitian; PyTorch's counts imaginary parts of the factor's diagonal, always 0",
    ),
    Exceptions(
        "istft",
        "gradient/complex64 gradient/complex128",
        "PyTorch gives a window that is a part of a complex tensor no gradient",
    ),
    Exceptions(
        "nn.functional.grid_sample",
        "gradient/bfloat16",
        "at the border a rounding decides whether there is a gradient",
    ),
    Exceptions(
        "index_fill",
        "gradient",
        "the value's gradient counts each element once, PyTorch's each time that it is named",
    ),
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
