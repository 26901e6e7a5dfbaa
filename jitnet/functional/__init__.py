"""What users call: plain functions over ops, by family; gradients and compiled forms come free."""

from .arithmetic import (  # fmt: skip
    abs, absolute, acos, acosh, add, addcdiv, addcmul, allclose, arccos, arccosh, arcsin, arcsinh,
    arctan, arctan2, arctanh, asin, asinh, atan, atan2, atanh, bitwise_and, bitwise_left_shift,
    bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, ceil, clamp, clamp_max, clamp_min,
    clip, clone, copysign, cos, cosh, deg2rad, div, divide, eq, equal, erf, erfc, erfinv, exp,
    exp2, expit, expm1, fix, floor, floor_divide, fmax, fmin, fmod, frac, ge, greater,
    greater_equal, gt, heaviside, hypot, isclose, isfinite, isinf, isnan, le, left_shift, lerp,
    less, less_equal, log, log10, log1p, log2, logaddexp, logical_and, logical_not, logical_or,
    logical_xor, logit, lt, maximum, minimum, mul, multiply, nan_to_num, ne, neg, negative,
    not_equal, positive, pow, rad2deg, reciprocal, remainder, right_shift, round, rsqrt, rsub,
    sgn, sigmoid, sign, signbit, sin, sinh, sqrt, square, sub, subtract, tan, tanh, true_divide,
    trunc, where, xlogy,
)
from .reduction import (  # fmt: skip
    Dims, all, amax, amin, aminmax, any, argmax, argmin, count_nonzero, cumprod, cumsum,
    logsumexp, max, mean, median, min, nansum, norm, prod, std, std_mean, sum, var, var_mean,
)
from .shape import (  # fmt: skip
    atleast_1d, broadcast_tensors, broadcast_to, cat, chunk, concat, concatenate, diag,
    diag_embed, diagonal, expand, expand_as, flatten, flip, fliplr, flipud, hstack, meshgrid,
    moveaxis, movedim, narrow, permute, ravel, repeat, repeat_interleave, reshape, roll, rot90,
    select, split, squeeze, stack, swapaxes, swapdims, t, tensor_split, tile, trace, transpose,
    tril, triu, unbind, unflatten, unsqueeze, view, vstack,
)
from .linear_algebra import (  # fmt: skip
    addmm, addmv, addr, baddbmm, bilinear, bmm, dot, einsum, ger, inner, linear, matmul, mm, mv,
    outer, tensordot,
)
from .indexing import (  # fmt: skip
    argwhere, bincount, embedding, gather, index_add, index_copy, index_fill, index_put,
    index_select, isin, masked_fill, masked_scatter, masked_select, nonzero, one_hot, scatter,
    scatter_add, take, take_along_dim,
)
from .sorting import (  # fmt: skip
    argsort, sort, topk, unique,
)
from .activation import (  # fmt: skip
    celu, elu, gelu, glu, hardshrink, hardsigmoid, hardswish, hardtanh, leaky_relu, log_softmax,
    logsigmoid, mish, normalize, prelu, relu, relu6, relu_, selu, silu, softmax, softmin,
    softplus, softshrink, softsign, tanhshrink, threshold,
)
from .convolution import (  # fmt: skip
    conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d,
)
from .pooling import (  # fmt: skip
    adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d,
    adaptive_max_pool2d, adaptive_max_pool3d, avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d,
    max_pool2d, max_pool3d,
)
from .normalization import (  # fmt: skip
    batch_norm, group_norm, instance_norm, layer_norm, rms_norm,
)
from .dropout import (  # fmt: skip
    alpha_dropout, dropout, dropout1d, dropout2d, dropout3d,
)
from .loss import (  # fmt: skip
    binary_cross_entropy, binary_cross_entropy_with_logits, cosine_embedding_loss,
    cosine_similarity, cross_entropy, gaussian_nll_loss, hinge_embedding_loss, huber_loss, kl_div,
    l1_loss, margin_ranking_loss, mse_loss, nll_loss, pairwise_distance, poisson_nll_loss,
    smooth_l1_loss, soft_margin_loss, triplet_margin_loss,
)
from .padding import (  # fmt: skip
    pad,
)

__all__ = [  # fmt: skip
    "Dims", "abs", "absolute", "acos", "acosh", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
    "add", "addcdiv", "addcmul", "addmm", "addmv", "addr", "all", "allclose", "alpha_dropout",
    "amax", "amin", "aminmax", "any", "arccos", "arccosh", "arcsin", "arcsinh", "arctan",
    "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere", "asin", "asinh", "atan",
    "atan2", "atanh", "atleast_1d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "baddbmm",
    "batch_norm", "bilinear", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "bincount", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "bmm", "broadcast_tensors", "broadcast_to", "cat",
    "ceil", "celu", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "clone", "concat",
    "concatenate", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "copysign", "cos", "cosh", "cosine_embedding_loss", "cosine_similarity",
    "count_nonzero", "cross_entropy", "cumprod", "cumsum", "deg2rad", "diag", "diag_embed",
    "diagonal", "div", "divide", "dot", "dropout", "dropout1d", "dropout2d", "dropout3d",
    "einsum", "elu", "embedding", "eq", "equal", "erf", "erfc", "erfinv", "exp", "exp2", "expand",
    "expand_as", "expit", "expm1", "fix", "flatten", "flip", "fliplr", "flipud", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "frac", "gather", "gaussian_nll_loss", "ge", "gelu",
    "ger", "glu", "greater", "greater_equal", "group_norm", "gt", "hardshrink", "hardsigmoid",
    "hardswish", "hardtanh", "heaviside", "hinge_embedding_loss", "hstack", "huber_loss", "hypot",
    "index_add", "index_copy", "index_fill", "index_put", "index_select", "inner",
    "instance_norm", "isclose", "isfinite", "isin", "isinf", "isnan", "kl_div", "l1_loss",
    "layer_norm", "le", "leaky_relu", "left_shift", "lerp", "less", "less_equal", "linear", "log",
    "log10", "log1p", "log2", "log_softmax", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logit", "logsigmoid", "logsumexp", "lt", "margin_ranking_loss",
    "masked_fill", "masked_scatter", "masked_select", "matmul", "max", "max_pool1d", "max_pool2d",
    "max_pool3d", "maximum", "mean", "median", "meshgrid", "min", "minimum", "mish", "mm",
    "moveaxis", "movedim", "mse_loss", "mul", "multiply", "mv", "nan_to_num", "nansum", "narrow",
    "ne", "neg", "negative", "nll_loss", "nonzero", "norm", "normalize", "not_equal", "one_hot",
    "outer", "pad", "pairwise_distance", "permute", "poisson_nll_loss", "positive", "pow",
    "prelu", "prod", "rad2deg", "ravel", "reciprocal", "relu", "relu6", "relu_", "remainder",
    "repeat", "repeat_interleave", "reshape", "right_shift", "rms_norm", "roll", "rot90", "round",
    "rsqrt", "rsub", "scatter", "scatter_add", "select", "selu", "sgn", "sigmoid", "sign",
    "signbit", "silu", "sin", "sinh", "smooth_l1_loss", "soft_margin_loss", "softmax", "softmin",
    "softplus", "softshrink", "softsign", "sort", "split", "sqrt", "square", "squeeze", "stack",
    "std", "std_mean", "sub", "subtract", "sum", "swapaxes", "swapdims", "t", "take",
    "take_along_dim", "tan", "tanh", "tanhshrink", "tensor_split", "tensordot", "threshold",
    "tile", "topk", "trace", "transpose", "tril", "triplet_margin_loss", "triu", "true_divide",
    "trunc", "unbind", "unflatten", "unique", "unsqueeze", "var", "var_mean", "view", "vstack",
    "where", "xlogy",
]
