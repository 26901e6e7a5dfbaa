"""Tensor's methods: the functions that are methods too, the operators, and a table of the rest."""

from __future__ import annotations

from typing import Any

from jitnet.runtime.dtype import (
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)

from .. import functional, namespace_info, random, storage
from ..functional import complex_numbers
from ..keywords import with_words
from ..tensor import Tensor
from . import (
    alike,
    exchange,
    history,
    layout,
    pinning,
    random_methods,
    reshaping,
    values,
    writing,
)
from .indexing import getitem, setitem
from .operators import COMPARISONS, OPERATORS, assigning, operator, reflected

# Functions that are methods too, under their own name; the first argument is the tensor.
FUNCTIONS = (
    "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "addmm", "addmv", "addr",
    "all", "allclose", "amax", "amin", "aminmax", "any", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere", "asin", "asinh",
    "atan", "atan2", "atanh", "baddbmm", "bincount", "bitwise_and", "bitwise_left_shift",
    "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "bmm", "broadcast_to",
    "ceil", "cholesky", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "clone", "copysign",
    "cos", "cosh", "count_nonzero", "cross", "cumprod", "cumsum", "deg2rad", "diag", "diag_embed",
    "diagonal", "diff", "digamma", "div", "divide", "dot", "eq", "equal", "erf", "erfc", "erfinv",
    "exp", "exp2", "expand", "expand_as", "expm1", "fix", "flatten", "flip", "fliplr", "flipud",
    "floor", "floor_divide", "fmax", "fmin", "fmod", "frac", "gather", "ge", "ger", "greater",
    "greater_equal", "gt", "hardshrink", "heaviside", "histc", "hypot", "index_add", "index_copy",
    "index_fill", "index_put", "index_select", "inner", "isclose", "isfinite", "isinf", "isnan",
    "isneginf", "isposinf", "kron", "kthvalue", "le", "lerp", "less", "less_equal", "lgamma",
    "log", "log10", "log1p", "log2", "log_softmax", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logit", "logsumexp", "lt", "masked_fill", "masked_scatter",
    "masked_select", "matmul", "max", "maximum", "mean", "median", "min", "minimum", "mm", "mode",
    "moveaxis", "movedim", "msort", "mul", "multiply", "mv", "nan_to_num", "nanmedian",
    "nanquantile", "nansum", "narrow", "ne", "neg", "negative", "nonzero", "norm", "not_equal",
    "outer", "permute", "positive", "pow", "prelu", "prod", "quantile", "rad2deg", "ravel",
    "reciprocal", "relu", "remainder", "repeat", "repeat_interleave", "reshape", "roll", "rot90",
    "round", "rsqrt", "scatter", "scatter_add", "select", "sgn", "sigmoid", "sign", "signbit",
    "sin", "sinc", "sinh", "softmax", "sort", "split", "sqrt", "square", "squeeze", "std", "sub",
    "subtract", "sum", "swapaxes", "swapdims", "t", "take", "take_along_dim", "tan", "tanh",
    "tensor_split", "tensordot", "tile", "topk", "trace", "transpose", "tril", "triu",
    "true_divide", "trunc", "unbind", "unflatten", "unique", "unsqueeze", "var", "vdot", "view",
    "xlogy",
    "cummax", "cummin", "logcumsumexp", "diagonal_scatter", "hsplit", "vsplit", "dsplit",
    "select_scatter", "slice_scatter", "split_with_sizes", "narrow_copy", "unsafe_chunk",
    "unsafe_split", "unsafe_split_with_sizes", "adjoint", "angle", "conj", "conj_physical",
    "is_conj", "is_neg", "isreal", "resolve_conj", "resolve_neg", "addbmm", "corrcoef", "cov",
    "diagflat", "dist", "float_power", "frexp", "gcd", "lcm", "ldexp", "logaddexp2", "nanmean",
    "nextafter", "renorm", "sum_to_size", "stft", "istft", "index_reduce", "put", "scatter_reduce",
    "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu", "lu_solve",
    "matrix_exp", "matrix_power", "orgqr", "ormqr", "pinverse", "qr", "slogdet", "svd",
    "triangular_solve", "i0", "igamma", "igammac", "mvlgamma",
    "as_strided", "as_strided_scatter", "histogram", "nonzero_static", "unique_consecutive",
)  # fmt: skip

# Of these, the ones that also write in place, as `name_`.
IN_PLACE = (
    "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "addmm", "addmv", "addr",
    "asin", "asinh", "atan", "atan2", "atanh", "baddbmm", "bitwise_and", "bitwise_not",
    "bitwise_or", "bitwise_xor", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical",
    "copysign", "cos", "cosh", "cumprod", "cumsum", "div", "divide", "eq", "erf", "erfc", "erfinv",
    "exp", "exp2", "expm1", "fix", "floor", "floor_divide", "fmod", "frac", "ge", "gt", "hypot",
    "index_add", "index_copy", "index_fill", "index_put", "le", "lerp", "log", "log10", "log1p",
    "log2", "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "lt",
    "masked_fill", "masked_scatter", "mul", "multiply", "nan_to_num", "ne", "neg", "negative",
    "pow", "reciprocal", "relu", "remainder", "round", "rsqrt", "scatter", "scatter_add", "sgn",
    "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "sub", "subtract", "tan", "tanh", "tril",
    "triu", "true_divide", "trunc", "xlogy", "addbmm", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "bitwise_left_shift", "bitwise_right_shift", "deg2rad",
    "digamma", "float_power", "gcd", "greater", "greater_equal", "heaviside", "lcm", "ldexp",
    "less", "less_equal", "lgamma", "nextafter", "not_equal", "rad2deg", "renorm", "sinc",
    "index_reduce", "put", "scatter_reduce",
    "i0", "igamma", "igammac", "mvlgamma",
)  # fmt: skip

# Of the methods that write in place, the ones that are functions too: jitnet.sqrt_(x).
OVERWRITING = (
    "resize_as_",
    "abs_", "acos_", "acosh_", "addmv_", "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_",
    "arctanh_", "asin_", "asinh_", "atan_", "atanh_", "ceil_", "clamp_", "clamp_max_", "clamp_min_",
    "clip_", "cos_", "cosh_", "deg2rad_", "detach_", "erf_", "erfc_", "exp2_", "exp_", "expm1_",
    "fill_", "fix_", "floor_", "frac_", "gcd_", "index_put_", "lcm_", "ldexp_", "log10_", "log1p_",
    "log2_", "log_", "logit_", "nan_to_num_", "neg_", "negative_", "rad2deg_", "reciprocal_",
    "round_", "rsqrt_", "sigmoid_", "sin_", "sinc_", "sinh_", "sqrt_", "square_", "tan_", "tanh_",
    "trunc_", "xlogy_", "zero_",
)  # fmt: skip

CONVERSIONS = {
    "float": float32,
    "double": float64,
    "half": float16,
    "bfloat16": bfloat16,
    "int": int32,
    "long": int64,
    "short": int16,
    "char": int8,
    "byte": uint8,
    "bool": bool_,
    "cfloat": complex64,
    "cdouble": complex128,
}

OWN: dict[str, Any] = {
    "__neg__": functional.neg,
    "__pos__": functional.positive,
    "__abs__": functional.abs,
    "__invert__": functional.bitwise_not,
    "__array__": values.as_array,
    "__array_namespace__": namespace_info.namespace_of,
    "to_device": namespace_info.to_device,
    "__array_wrap__": values.wrap_array,
    "__bool__": values.as_bool,
    "__int__": values.as_int,
    "__float__": values.as_float,
    "__complex__": values.as_complex,
    "__index__": values.as_index,
    "__len__": values.length,
    "__iter__": values.rows,
    "__contains__": values.contains,
    "__repr__": values.text,
    "__format__": values.formatted,
    "__dlpack__": exchange.export,
    "__dlpack_device__": exchange.export_device,
    "__reduce_ex__": history.pickled,
    "__deepcopy__": history.deepcopy,
    "__getitem__": getitem,
    "__setitem__": setitem,
    "__cuda_array_interface__": property(exchange.cuda_array_interface),
    "T": property(lambda self: self.permute(list(range(self.ndim))[::-1])),
    "H": property(functional.adjoint),
    "mH": property(functional.adjoint),
    "real": property(functional.real, complex_numbers.set_real),
    "imag": property(functional.imag, complex_numbers.set_imag),
    "mT": property(lambda self: self.transpose(-2, -1) if self.ndim else self),
    "data": property(history.data, history.set_data),
    "retains_grad": property(history.retains_grad),
    "is_cuda": property(lambda self: self.device.type == "cuda"),
    "is_sparse": property(lambda self: False),
    "is_sparse_csr": property(lambda self: False),
    "is_coalesced": lambda self: False,
    "is_quantized": property(lambda self: False),
    "is_meta": property(lambda self: False),
    "is_mps": property(lambda self: False),
    "to_dense": lambda self, dtype=None: self if dtype is None else self.to(dtype),
    "is_cpu": property(lambda self: self.device.type == "cpu"),
    "nbytes": property(lambda self: self._type.nbytes),
    "itemsize": property(lambda self: self._type.dtype.size),
    "numel": lambda self: self._type.numel,
    "nelement": lambda self: self._type.numel,
    "element_size": lambda self: self._type.dtype.size,
    "dim": lambda self: len(self._type.shape),
    "ndimension": lambda self: len(self._type.shape),
    "unfold": functional.patches.windows,
    "new_empty_strided": alike.new_empty_strided,
    "polygamma": lambda self, n: functional.polygamma(n, self),
    "polygamma_": lambda self, n: writing.write(self, functional.polygamma(n, self)),
    "where": lambda self, condition, other: functional.where(condition, self, other),
    "view_as": lambda self, other: functional.view(self, other._type.shape),
    "reshape_as": lambda self, other: functional.reshape(self, other._type.shape),
    "_is_view": lambda self: self._origin is not None,
    "type": values.type_,
    "new_empty": alike.new_zeros,
    "pin_memory": pinning.pin_memory,
    "is_pinned": pinning.is_pinned,
    "record_stream": pinning.record_stream,
    "is_nonzero": values.as_bool,
    "is_signed": lambda self: self._type.dtype.is_signed,
    "get_device": lambda self: -1 if self.device.index is None else self.device.index,
    "is_shared": lambda self: False,
    "is_inference": lambda self: False,
    "is_nested": property(lambda self: False),
    "is_mkldnn": property(lambda self: False),
    "is_xla": property(lambda self: False),
    "is_xpu": property(lambda self: False),
    "dim_order": lambda self: tuple(sorted(range(self.ndim), key=lambda d: -self.stride()[d])),
    "output_nr": property(lambda self: self._output_nr),
}
BY_NAME = (
    values.numpy, values.item, values.tolist, values.data_ptr, values.to, values.type_as,
    values.cpu, values.cuda, layout.size, layout.stride, layout.is_contiguous, layout.contiguous,
    values.storage_offset, layout.is_floating_point, layout.is_complex, layout.is_same_size,
    layout.to_sparse, layout.to_sparse_coo, layout.to_sparse_csr, layout.sparse_mask,
    history.backward, history.register_hook, history.register_post_accumulate_grad_hook,
    history.retain_grad, history.detach, history.detach_,
    history.share_memory_, alike.new_tensor, alike.new_full, alike.new_zeros, alike.new_ones,
    alike.new, writing.copy_, writing.fill_, writing.fill_diagonal_, writing.zero_,
    reshaping.resize_, reshaping.resize_as_, reshaping.set_,
    storage.storage, storage.untyped_storage, storage.is_set_to, values.apply_, values.map_,
    random.bernoulli, random.multinomial, random_methods.uniform_, random_methods.normal_,
    random_methods.random_, random_methods.bernoulli_, random_methods.exponential_,
    random_methods.cauchy_, random_methods.log_normal_, random_methods.geometric_,
)  # fmt: skip


def install() -> None:
    """Give Tensor its methods."""
    found: dict[str, Any] = {name: with_words(getattr(functional, name)) for name in FUNCTIONS}
    for name in IN_PLACE:
        found[f"{name}_"] = writing.in_place(found[name], f"{name}_")
    for name, function in OPERATORS.items():
        found[f"__{name}__"] = operator(function)
        found[f"__r{name}__"] = reflected(function)
        found[f"__i{name}__"] = assigning(function, name)
    found["__rdiv__"] = found["__rtruediv__"]
    for name in COMPARISONS:
        found[f"__{name}__"] = operator(found[name])
    for name, dtype in CONVERSIONS.items():
        found[name] = values.converter(dtype)
    for function in BY_NAME:
        found[function.__name__] = with_words(function)
    for name in reshaping.NAMES:
        found[f"{name}_"] = with_words(reshaping.in_place(name))
    for name, value in (found | OWN).items():
        setattr(Tensor, name, value)


install()
