"""Ops that compute each element of the result from the same element of the arguments.

Gradient rules follow PyTorch's derivatives.yaml: the values at kinks and ties are its values.
A gradient given as a function of no arguments is computed only where it is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from jitnet.compiler.ir.errors import DivisionError
from jitnet.compiler.ir.lowering import Pointwise
from jitnet.compiler.ir.op import Op, always
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import DType, bool_, convert

from . import check, special
from .complex_parts import conjugated, holomorphic, real
from .leaves import full_like

FLOAT = ("float",)
FIELD = ("float", "complex")  # what has exponentials and roots
REAL = ("int", "uint", "float")
NUMBER = ("int", "uint", "float", "complex")
INTEGER = ("int", "uint")
BITS = ("bool", "int", "uint")
ORDERED = ("bool", "int", "uint", "float")
ANY = ("bool", "int", "uint", "float", "complex")


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let NaN and infinity pass without NumPy's warnings, as PyTorch does."""
    return wraps(function)(np.errstate(all="ignore")(lambda *args, **kw: function(*args, **kw)))


def elementwise(
    name: str,
    fn: str,
    evaluate: Callable[..., Any],
    *,
    kinds: Sequence[str] = ANY,
    gives: DType | None = None,
    grad: Callable[..., Sequence[Any]] | None = None,
    keeps: tuple[int, ...] | None = None,
) -> Op:
    """Return the op `name` over arguments of one shape and one dtype of the given kinds.

    fn: the scalar function that compiled code applies.  gives: the result's dtype, if another.
    keeps: as in Op.
    """

    def infer(*types: TensorType) -> TensorType:
        first = types[0]
        for other in types[1:]:
            if other is not first and other != first:
                check.same_shape(name, *types)
                check.same_dtype(name, *types)
        if first.dtype.kind not in kinds:
            check.kind(name, kinds, *types)
        return first if gives is None else TensorType(gives, first.shape)

    return Op(name, infer, quiet(evaluate), grad, Pointwise(fn), keeps)


def compare(name: str, evaluate: Callable[..., Any], kinds: Sequence[str] = ORDERED) -> Op:
    """Return an op with bool result and no gradient."""
    return elementwise(name, name, evaluate, kinds=kinds, gives=bool_)


ARGUMENT = (0,)
RESULT = (-1,)
BOTH = (0, 1)
NOTHING = ()


def unary(
    name: str,
    evaluate: Callable[..., Any],
    grad: Callable[..., Any],
    keeps: tuple[int, ...],
    kinds: Sequence[str] = FIELD,
) -> Op:
    """Return a function of one real or complex argument; grad gets (g, y, a)."""
    return elementwise(
        name,
        name,
        evaluate,
        kinds=kinds,
        grad=holomorphic(lambda g, y, a: (lambda: grad(g, y, a),)),
        keeps=keeps,
    )


def zero(g: Any, y: Any, *args: Any) -> tuple[Any, ...]:
    """Give zero gradients: the function is constant between its jumps."""
    return tuple(full_like(arg, value=0) for arg in args)


# Sign, size and rounding.

neg = elementwise(
    "neg", "neg", np.negative, kinds=NUMBER, grad=lambda g, y, a: (-g,), keeps=NOTHING
)
abs = elementwise(
    "abs", "abs", np.abs, kinds=REAL, grad=lambda g, y, a: (lambda: g * sign(a),), keeps=ARGUMENT
)
sign: Op = elementwise(
    "sign",
    "sign",
    lambda a: np.nan_to_num(np.sign(a), nan=0),
    kinds=REAL,
    grad=zero,
    keeps=NOTHING,
)  # 0 for NaN, as PyTorch
floor = elementwise("floor", "floor", np.floor, kinds=FLOAT, grad=zero, keeps=NOTHING)
ceil = elementwise("ceil", "ceil", np.ceil, kinds=FLOAT, grad=zero, keeps=NOTHING)
round = elementwise("round", "round", np.rint, kinds=FLOAT, grad=zero, keeps=NOTHING)
trunc = elementwise("trunc", "trunc", np.trunc, kinds=FLOAT, grad=zero, keeps=NOTHING)

# Exponentials, logarithms, roots.

exp = unary("exp", np.exp, lambda g, y, a: g * y, RESULT)
exp2 = unary("exp2", special.exp2, lambda g, y, a: g * y * math.log(2), RESULT)
expm1 = unary("expm1", np.expm1, lambda g, y, a: g * (y + 1), RESULT)
log = unary("log", np.log, lambda g, y, a: g / a, ARGUMENT)
log1p = unary("log1p", np.log1p, lambda g, y, a: g / (a + 1), ARGUMENT)
log2 = unary("log2", np.log2, lambda g, y, a: g / (a * math.log(2)), ARGUMENT)
log10 = unary("log10", np.log10, lambda g, y, a: g / (a * math.log(10)), ARGUMENT)
sqrt = unary("sqrt", np.sqrt, lambda g, y, a: g / (2 * y), RESULT)
rsqrt = unary("rsqrt", lambda a: 1 / np.sqrt(a), lambda g, y, a: -0.5 * g * (y * y * y), RESULT)
reciprocal = unary("reciprocal", np.reciprocal, lambda g, y, a: -g * (y * y), RESULT)

# Circular and hyperbolic functions.

sin = unary("sin", np.sin, lambda g, y, a: g * cos(a), ARGUMENT)
cos: Op = unary("cos", np.cos, lambda g, y, a: -g * sin(a), ARGUMENT)
tan = unary("tan", np.tan, lambda g, y, a: g * (1 + y * y), RESULT)
asin = unary("asin", np.arcsin, lambda g, y, a: g * rsqrt(1 - a * a), ARGUMENT)
acos = unary("acos", np.arccos, lambda g, y, a: -g * rsqrt(1 - a * a), ARGUMENT)
atan = unary("atan", np.arctan, lambda g, y, a: g / (1 + a * a), ARGUMENT)
sinh = unary("sinh", np.sinh, lambda g, y, a: g * cosh(a), ARGUMENT)
cosh: Op = unary("cosh", np.cosh, lambda g, y, a: g * sinh(a), ARGUMENT)
tanh = unary("tanh", np.tanh, lambda g, y, a: g - g * (y * y), RESULT)
asinh = unary("asinh", np.arcsinh, lambda g, y, a: g * rsqrt(a * a + 1), ARGUMENT)
acosh = unary("acosh", np.arccosh, lambda g, y, a: g * _acosh_slope(a), ARGUMENT)
atanh = unary("atanh", np.arctanh, lambda g, y, a: g / (1 - a * a), ARGUMENT)


def _acosh_slope(a: Any) -> Any:
    """One root for real numbers; for complex ones two, on the side that acosh is on."""
    return rsqrt(a - 1) * rsqrt(a + 1) if a.dtype.is_complex else rsqrt(a * a - 1)


# The error function and the logistic function.

erf = unary(
    "erf",
    special.erf,
    lambda g, y, a: g * (2 / math.sqrt(math.pi)) * exp(-(a * a)),
    ARGUMENT,
    FLOAT,
)
erfc = unary(
    "erfc",
    special.erfc,
    lambda g, y, a: g * (-2 / math.sqrt(math.pi)) * exp(-(a * a)),
    ARGUMENT,
    FLOAT,
)
erfinv = unary(
    "erfinv",
    special.erfinv,
    lambda g, y, a: g * (math.sqrt(math.pi) / 2) * exp(y * y),
    RESULT,
    FLOAT,
)
sigmoid = unary("sigmoid", special.sigmoid, lambda g, y, a: g * (y * (1 - y)), RESULT)

# Questions with a bool answer.

logical_not = elementwise("logical_not", "not", np.logical_not, kinds=("bool",))
isnan = compare("isnan", np.isnan, FIELD)
isinf = compare("isinf", np.isinf, FIELD)
isfinite = compare("isfinite", np.isfinite, FIELD)
eq = compare("eq", np.equal, ANY)
ne = compare("ne", np.not_equal, ANY)
lt = compare("lt", np.less)
le = compare("le", np.less_equal)
gt = compare("gt", np.greater)
ge = compare("ge", np.greater_equal)

# Arithmetic of two arguments.


def _integer_divisor(function: Callable[..., Any]) -> Callable[..., Any]:
    """Refuse a zero among whole-number divisors, as PyTorch does."""

    @wraps(function)
    def divide(a: np.ndarray, b: np.ndarray) -> Any:
        if b.dtype.kind in "iu" and not np.all(b):
            raise DivisionError("whole numbers cannot be divided by zero; cast to float first")
        return function(a, b)

    return divide


def _power(a: np.ndarray, b: np.ndarray) -> Any:
    """Return a ** b; of whole numbers, what is left of a fraction: 0 where |a| is not 1."""
    if b.dtype.kind != "i" or not b.size or b.min() >= 0:
        return np.power(a, b)
    ones = np.where(np.abs(a) == 1, np.power(a, b & 1), np.zeros_like(a))
    return np.where(b < 0, ones, np.power(a, np.maximum(b, 0)))


def _power_of_base(g: Any, a: Any, b: Any) -> Any:
    """d/da a^b = b a^(b-1), and 0 where b is 0, whatever a is."""
    return where(eq(b, full_like(b, value=0)), full_like(g, value=0), g * (b * pow(a, b - 1)))


def _power_of_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    """d/db a^b = a^b log a, and 0 for 0^b with b >= 0."""
    nothing = full_like(a, value=0)
    flat = eq(a, nothing)
    if b.dtype.is_complex:
        flat = logical_and(flat, ge(real(b), full_like(real(b), value=0)))
    else:
        flat = logical_and(flat, ge(b, nothing))
    return where(flat, full_like(g, value=0), g * (y * log(a)))


def _quotient(rounded: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return the gradient of a - b * rounded(a, b)."""
    return lambda g, y, a, b: (g, lambda: -g * rounded(a, b))


add = elementwise("add", "add", np.add, kinds=NUMBER, grad=lambda g, y, a, b: (g, g), keeps=NOTHING)
sub = elementwise(
    "sub", "sub", np.subtract, kinds=NUMBER, grad=lambda g, y, a, b: (g, lambda: -g), keeps=NOTHING
)
mul = elementwise(
    "mul", "mul", np.multiply, kinds=NUMBER,
    grad=lambda g, y, a, b: (lambda: g * conjugated(b), lambda: g * conjugated(a)), keeps=BOTH,
)  # fmt: skip
div = elementwise(
    "div", "div", np.divide, kinds=FIELD,
    grad=holomorphic(lambda g, y, a, b: (lambda: g / b, lambda: -g * ((a / b) / b))), keeps=BOTH,
)  # fmt: skip
floor_divide = elementwise(
    "floor_divide",
    "floordiv",
    _integer_divisor(np.floor_divide),
    kinds=REAL,
    grad=zero,
    keeps=NOTHING,
)
remainder = elementwise(
    "remainder", "rem", _integer_divisor(np.remainder), kinds=REAL,
    grad=_quotient(lambda a, b: floor_divide(a, b)), keeps=BOTH,
)  # fmt: skip
fmod = elementwise(
    "fmod", "fmod", _integer_divisor(np.fmod), kinds=REAL,
    grad=_quotient(lambda a, b: trunc(a / b)), keeps=BOTH,
)  # fmt: skip
pow = elementwise(
    "pow", "pow", _power, kinds=NUMBER,
    grad=holomorphic(lambda g, y, a, b: (
        lambda: _power_of_base(g, a, b),
        lambda: _power_of_exponent(g, y, a, b),
    )),
)  # fmt: skip
atan2 = elementwise(
    "atan2", "atan2", np.arctan2, kinds=FLOAT,
    grad=lambda g, y, a, b: (
        lambda: g * (b / (a * a + b * b)),
        lambda: g * (-a / (a * a + b * b)),
    ),
)  # fmt: skip


def _chosen(first: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Return the gradient of a choice between a and b: all to the chosen one, half at a tie."""

    def grad(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, Any]:
        def share(mine: Any, other: Any) -> Any:
            tied = where(eq(mine, other), g * 0.5, g)
            return where(first(mine, other), full_like(g, value=0), tied)

        return lambda: share(a, b), lambda: share(b, a)

    return grad


maximum = elementwise(
    "maximum",
    "max",
    np.maximum,
    kinds=REAL,
    grad=_chosen(lambda mine, other: lt(mine, other)),
    keeps=BOTH,
)
minimum = elementwise(
    "minimum",
    "min",
    np.minimum,
    kinds=REAL,
    grad=_chosen(lambda mine, other: gt(mine, other)),
    keeps=BOTH,
)

# Bits and truth values.

logical_and = elementwise("logical_and", "and", np.logical_and, kinds=("bool",))
logical_or = elementwise("logical_or", "or", np.logical_or, kinds=("bool",))
logical_xor = elementwise("logical_xor", "xor", np.logical_xor, kinds=("bool",))
bitwise_not = elementwise("bitwise_not", "bitnot", np.bitwise_not, kinds=BITS)
bitwise_and = elementwise("bitwise_and", "bitand", np.bitwise_and, kinds=BITS)
bitwise_or = elementwise("bitwise_or", "bitor", np.bitwise_or, kinds=BITS)
bitwise_xor = elementwise("bitwise_xor", "bitxor", np.bitwise_xor, kinds=BITS)
left_shift = elementwise("left_shift", "shl", np.left_shift, kinds=INTEGER)
right_shift = elementwise("right_shift", "shr", np.right_shift, kinds=INTEGER)

# Choice and conversion.


def _where_type(c: TensorType, a: TensorType, b: TensorType) -> TensorType:
    check.kind("where", ("bool",), c)
    check.same_shape("where", c, a, b)
    check.same_dtype("where", a, b)
    return a


def _where_grad(g: Any, y: Any, c: Any, a: Any, b: Any) -> tuple[Any, ...]:
    def nothing() -> Any:
        return full_like(g, value=0)

    return None, lambda: where(c, g, nothing()), lambda: where(c, nothing(), g)


def _cast_type(x: TensorType, *, dtype: DType) -> TensorType:
    return TensorType(dtype, x.shape)


where = Op("where", _where_type, np.where, _where_grad, Pointwise("where"), ARGUMENT, always)
cast: Op = Op(
    "cast",
    type=_cast_type,
    eval=lambda x, *, dtype: convert(x, dtype),
    grad=lambda g, y, x, *, dtype: (g if g.dtype is x.dtype else cast(g, dtype=x.dtype),),
    lower=Pointwise("cast"),
    keeps=NOTHING,
    moves=always,
)

UNARY = (
    neg, abs, sign, exp, exp2, expm1, log, log1p, log2, log10, sqrt, rsqrt, reciprocal,
    sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh,
    erf, erfc, erfinv, sigmoid, floor, ceil, round, trunc,
    logical_not, bitwise_not, isnan, isinf, isfinite,
)  # fmt: skip
BINARY = (
    add, sub, mul, div, floor_divide, remainder, fmod, pow, maximum, minimum, atan2,
    eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_xor,
    bitwise_and, bitwise_or, bitwise_xor, left_shift, right_shift,
)  # fmt: skip
OPS = (*UNARY, *BINARY, where, cast)
