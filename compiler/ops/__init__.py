"""The primitive operations, one record each; OPS lists them all."""

from collections.abc import Mapping
from typing import Final

from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.ir.op import Op

from .bessel import OPS as _bessel_ops
from .bessel import bessel_j0, bessel_j1, bessel_y0, bessel_y1, i0e, i1e, k0e, k1e
from .bits import OPS as _bits_ops
from .bits import exponent, gcd, lcm, nextafter
from .combine import OPS as _combine_ops
from .combine import combine
from .complex_parts import OPS as _complex_ops
from .complex_parts import (
    complex,
    conj,
    direction,
    imag,
    magnitude,
    real,
    view_as_complex,
    view_as_real,
)
from .conv import OPS as _conv_ops
from .conv import conv, conv_input_grad, conv_weight_grad
from .elementwise import OPS as _elementwise_ops
from .elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    cast,
    ceil,
    cos,
    cosh,
    div,
    eq,
    erf,
    erfc,
    erfinv,
    exp,
    exp2,
    expm1,
    floor,
    floor_divide,
    fmod,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    left_shift,
    log,
    log1p,
    log2,
    log10,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    pow,
    reciprocal,
    remainder,
    right_shift,
    round,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    sub,
    tan,
    tanh,
    trunc,
    where,
)  # fmt: skip
from .factors import OPS as _factor_ops
from .factors import bad_minor, cholesky, geqrf, lu, permutation, qr
from .fourier import OPS as _fourier_ops
from .fourier import fourier, half_fourier, half_inverse
from .gammas import OPS as _gammas_ops
from .gammas import gamma_density, gamma_lower, gamma_upper, zeta
from .index import OPS as _index_ops
from .index import pick, put, take
from .leaves import OPS as _leaves_ops
from .leaves import constant, full, full_like, iota, iota_like
from .matmul import OPS as _matmul_ops
from .matmul import matmul
from .movement import OPS as _movement_ops
from .movement import (
    concat,
    copy,
    expand,
    flip,
    join,
    pad,
    permute,
    reshape,
    slice,
    slice_assign,
)  # fmt: skip
from .pairs import OPS as _pair_ops
from .pairs import on_pairs
from .polynomials import OPS as _polynomials_ops
from .polynomials import polynomial
from .pool import OPS as _pool_ops
from .pool import max_pool, max_pool_gather, max_pool_grad, max_pool_index, sum_pool, sum_pool_grad
from .random import OPS as _random_ops
from .random import random_bits, random_normal, random_uniform
from .reduce import OPS as _reduce_ops
from .reduce import all, any, argmax, argmin, max, min, prod, sum
from .solving import OPS as _solving_ops
from .solving import cofactors, det, inv, matrix_exp, pinv, slogdet, solve, solve_triangular
from .sorting import OPS as _sorting_ops
from .sorting import argsort, histogram, kth, mode, searchsorted, topk
from .spectra import OPS as _spectra_ops
from .spectra import eig, eigh, eigvals, eigvalsh, svd, svdvals

OPS: Final[tuple[Op, ...]] = (
    *_leaves_ops,
    *_elementwise_ops,
    *_complex_ops,
    *_fourier_ops,
    *_pair_ops,
    *_reduce_ops,
    *_movement_ops,
    *_matmul_ops,
    *_conv_ops,
    *_pool_ops,
    *_index_ops,
    *_random_ops,
    *_sorting_ops,
    *_solving_ops,
    *_factor_ops,
    *_spectra_ops,
    *_combine_ops,
    *_bits_ops,
    *_bessel_ops,
    *_gammas_ops,
    *_polynomials_ops,
)
HOST_OPS: Final[Mapping[str, Op]] = {op.name: op for op in OPS if isinstance(op.lower, Host)}

__all__ = [
    "HOST_OPS", "OPS", "abs", "acos", "acosh", "add", "all", "any", "argmax", "argmin", "argsort",
    "asin", "asinh", "atan", "atan2", "atanh", "bad_minor", "bessel_j0", "bessel_j1", "bessel_y0",
    "bessel_y1", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "cast", "ceil",
    "cholesky", "cofactors", "combine", "complex", "concat", "conj", "constant", "conv",
    "conv_input_grad", "conv_weight_grad", "copy", "cos", "cosh", "det", "direction", "div", "eig",
    "eigh", "eigvals", "eigvalsh", "eq", "erf", "erfc", "erfinv", "exp", "exp2", "expand", "expm1",
    "exponent", "flip", "floor", "floor_divide", "fmod", "fourier", "full", "full_like",
    "gamma_density", "gamma_lower", "gamma_upper", "gcd", "ge", "geqrf", "gt", "half_fourier",
    "half_inverse", "histogram", "i0e", "i1e", "imag", "inv", "iota", "iota_like", "isfinite",
    "isinf", "isnan", "join", "k0e", "k1e", "kth", "lcm", "le", "left_shift", "log", "log10",
    "log1p", "log2", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "lu",
    "magnitude", "matmul", "matrix_exp", "max", "max_pool", "max_pool_gather", "max_pool_grad",
    "max_pool_index", "maximum", "min", "minimum", "mode", "mul", "ne", "neg", "nextafter",
    "on_pairs", "pad", "permutation", "permute", "pick", "pinv", "polynomial", "pow", "prod",
    "put", "qr", "random_bits", "random_normal", "random_uniform", "real", "reciprocal",
    "remainder", "reshape", "right_shift", "round", "rsqrt", "searchsorted", "sigmoid", "sign",
    "sin", "sinh", "slice", "slice_assign", "slogdet", "solve", "solve_triangular", "sqrt", "sub",
    "sum", "sum_pool", "sum_pool_grad", "svd", "svdvals", "take", "tan", "tanh", "topk", "trunc",
    "view_as_complex", "view_as_real", "where", "zeta",
]  # fmt: skip
