"""SCALARS: how each scalar function is emitted, by kind of number; a missing entry is refused."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType

from ..emitter import Function, Value
from . import (
    error_function,
    exponential,
    hyperbolic,
    integer,
    inverse_trigonometric,
    logarithm,
    ordering,
    power,
    rounding,
    trigonometric,
)
from .ordering import Emit


@dataclass(frozen=True)
class Scalar:
    """One function: its number of arguments, and emit(f, *args) for each kind of dtype it takes."""

    name: str
    arity: int
    emit: dict[str, Emit]


def _row(name: str, arity: int, **emit: Emit | None) -> Scalar:
    """Return a row; the keywords are kinds, with a _ where Python has a function of that name."""
    rules = {kind.rstrip("_"): rule for kind, rule in emit.items() if rule is not None}
    return Scalar(name, arity, rules)


def _unary(
    name: str, real: Emit | None, signed: Emit | None = None, unsigned: Emit | None = None
) -> Scalar:
    return _row(name, 1, float_=real, int_=signed, uint_=unsigned)


def _binary(
    name: str,
    real: Emit | None,
    signed: Emit | None = None,
    unsigned: Emit | None = None,
    boolean: Emit | None = None,
) -> Scalar:
    return _row(name, 2, float_=real, int_=signed, uint_=unsigned, bool_=boolean)


def _comparison(name: str, real: str, signed: str, unsigned: str) -> Scalar:
    bare = ordering.comparison(f"icmp {unsigned}")
    return _binary(
        name,
        ordering.comparison(f"fcmp {real}"),
        ordering.comparison(f"icmp {signed}"),
        bare,
        bare,
    )


def _bits(name: str, rule: Emit) -> Scalar:
    return _binary(name, None, rule, rule, rule)


def _same(f: Function, x: Value) -> Value:
    return x


def _sqrt(f: Function, x: Value) -> Value:
    return f.intrinsic("llvm.sqrt", [x])


def _abs(f: Function, x: Value) -> Value:
    return f.intrinsic("llvm.fabs", [x])


def _negate(f: Function, x: Value) -> Value:
    return f.fneg(x)


def _reciprocal(f: Function, x: Value) -> Value:
    return f.fdiv(f.const(x.type, 1.0), x)


def _rsqrt(f: Function, x: Value) -> Value:
    return _reciprocal(f, _sqrt(f, x))


def _add(f: Function, a: Value, b: Value) -> Value:
    return f.fadd(a, b)


def _subtract(f: Function, a: Value, b: Value) -> Value:
    return f.fsub(a, b)


def _multiply(f: Function, a: Value, b: Value) -> Value:
    return f.fmul(a, b)


def _divide(f: Function, a: Value, b: Value) -> Value:
    return f.fdiv(a, b)


def _where(f: Function, condition: Value, a: Value, b: Value) -> Value:
    return f.select(condition, a, b)


_AND, _OR, _XOR = (integer.instruction(op) for op in ("and", "or", "xor"))
_PLUS, _MINUS, _TIMES = (integer.instruction(op) for op in ("add", "sub", "mul"))

_ROWS = (
    _unary("neg", _negate, integer.negate, integer.negate),
    _unary("abs", _abs, integer.abs_signed, _same),
    _unary("sign", ordering.sign_float, ordering.sign_signed, ordering.sign_unsigned),
    _unary("exp", exponential.exp),
    _unary("exp2", exponential.exp2),
    _unary("expm1", exponential.expm1),
    _unary("log", logarithm.log),
    _unary("log1p", logarithm.log1p),
    _unary("log2", logarithm.log2),
    _unary("log10", logarithm.log10),
    _unary("sqrt", _sqrt),
    _unary("rsqrt", _rsqrt),
    _unary("reciprocal", _reciprocal),
    _unary("sin", trigonometric.sin),
    _unary("cos", trigonometric.cos),
    _unary("tan", trigonometric.tan),
    _unary("asin", inverse_trigonometric.asin),
    _unary("acos", inverse_trigonometric.acos),
    _unary("atan", inverse_trigonometric.atan),
    _unary("sinh", hyperbolic.sinh),
    _unary("cosh", hyperbolic.cosh),
    _unary("tanh", hyperbolic.tanh),
    _unary("asinh", hyperbolic.asinh),
    _unary("acosh", hyperbolic.acosh),
    _unary("atanh", hyperbolic.atanh),
    _unary("erf", error_function.erf),
    _unary("erfc", error_function.erfc),
    _unary("erfinv", error_function.erfinv),
    _unary("sigmoid", exponential.sigmoid),
    _unary("floor", rounding.floor, _same, _same),
    _unary("ceil", rounding.ceil, _same, _same),
    _unary("round", rounding.round_even, _same, _same),
    _unary("trunc", rounding.trunc, _same, _same),
    _unary("isnan", rounding.is_nan),
    _unary("isinf", rounding.is_infinite),
    _unary("isfinite", rounding.is_finite),
    _row("not", 1, bool=integer.invert),
    _row("bitnot", 1, int_=integer.invert, uint_=integer.invert, bool=integer.invert),
    _binary("add", _add, _PLUS, _PLUS, _OR),
    _binary("sub", _subtract, _MINUS, _MINUS),
    _binary("mul", _multiply, _TIMES, _TIMES, _AND),
    _binary("div", _divide),
    _binary("floordiv", rounding.floor_divide, integer.floordiv_signed, integer.floordiv_unsigned),
    _binary("rem", rounding.remainder, integer.rem_signed, integer.rem_unsigned),
    _binary("fmod", rounding.fmod, integer.fmod_signed, integer.rem_unsigned),
    _binary("pow", power.power, power.power_signed, power.power_unsigned),
    _row("max", 2, **ordering.MAXIMUM),
    _row("min", 2, **ordering.MINIMUM),
    _binary("atan2", inverse_trigonometric.atan2),
    _comparison("eq", "oeq", "eq", "eq"),
    _comparison("ne", "une", "ne", "ne"),
    _comparison("lt", "olt", "slt", "ult"),
    _comparison("le", "ole", "sle", "ule"),
    _comparison("gt", "ogt", "sgt", "ugt"),
    _comparison("ge", "oge", "sge", "uge"),
    _row("and", 2, bool=_AND),
    _row("or", 2, bool=_OR),
    _row("xor", 2, bool=_XOR),
    _bits("bitand", _AND),
    _bits("bitor", _OR),
    _bits("bitxor", _XOR),
    _binary("shl", None, integer.shl, integer.shl),
    _binary("shr", None, integer.shr_signed, integer.shr_unsigned),
    _row("where", 3, float=_where, int=_where, uint=_where, bool=_where),
)

SCALARS: dict[str, Scalar] = {row.name: row for row in _ROWS}


def emit_scalar(f: Function, fn: str, args: Sequence[Value], dtype: DType) -> Value:
    """Emit fn of args in f and return its value; any number of lanes, the same in all args.

    dtype: of the arguments (of the two choices, for "where"). bool is i1, in arguments and results.
    """
    scalar = SCALARS.get(fn)
    if scalar is None:
        raise NotImplementedError(f"no scalar function is called {fn!r}; have {', '.join(SCALARS)}")
    rule = scalar.emit.get(dtype.kind)
    if rule is None:
        have = ", ".join(scalar.emit)
        raise NotImplementedError(f"{fn} is not emitted for {dtype.name}, only for {have} dtypes")
    assert len(args) == scalar.arity, (fn, args)
    return rule(f, *args)
