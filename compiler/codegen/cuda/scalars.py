"""CUDA_SCALARS: how each scalar function is written, by kind of number; LLVM's table has the same.

In a template {0}, {1} are arguments, {t} is the numbers' Numba type and {bits} their width.
`@name` is a function of CUDA's libdevice, which has an f at its end for float32, and `$name` one of
prelude.py. Numba makes a float64 of an unsigned number and a signed one, such as 1: functions of
unsigned numbers get uint64 and say so of every number in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType

from .types import computed

_CALL = re.compile(r"([@$])(\w+)")


@dataclass(frozen=True)
class CudaScalar:
    """One function: its templates by kind of dtype."""

    name: str
    templates: dict[str, str]


@dataclass(frozen=True)
class Written:
    """An expression's text, and what it calls of libdevice and of the prelude."""

    text: str
    libdevice: tuple[str, ...] = ()
    prelude: tuple[str, ...] = ()


def _real(name: str, template: str) -> CudaScalar:
    return CudaScalar(name, {"float": template})


def _same(name: str, template: str, kinds: str = "float int uint bool") -> CudaScalar:
    return CudaScalar(name, dict.fromkeys(kinds.split(), template))


def _numbers(
    name: str, real: str, integer: str, boolean: str | None = None, unsigned: str | None = None
) -> CudaScalar:
    templates = {"float": real, "int": integer, "uint": unsigned or integer}
    return CudaScalar(name, templates if boolean is None else {**templates, "bool": boolean})


def _kinds(name: str, **templates: str) -> CudaScalar:
    """Return a row; the keywords are kinds, with a _ where Python has a function of that name."""
    return CudaScalar(name, {kind.rstrip("_"): text for kind, text in templates.items()})


def _extreme(name: str, real: str, boolean: str) -> CudaScalar:
    return _numbers(name, real, f"{name}({{0}}, {{1}})", boolean)


def _library(*names: str) -> list[CudaScalar]:
    return [_real(name, f"@{name}({{0}})") for name in names]


_ROWS = (
    *_library("exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt"),
    *_library("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh"),
    *_library("asinh", "acosh", "atanh", "erf", "erfc", "erfinv"),
    _numbers("neg", "(-{0})", "(-{0})"),
    _kinds("abs", float_="@fabs({0})", int_="abs({0})", uint_="{0}"),
    _same("sign", "({t}(1) if {0} > 0 else {t}(-1) if {0} < 0 else {t}(0))", "float int uint"),
    _real("reciprocal", "({t}(1) / {0})"),
    _real("sigmoid", "$sigmoid_{t}({0})"),
    _numbers("floor", "@floor({0})", "{0}"),
    _numbers("ceil", "@ceil({0})", "{0}"),
    _numbers("round", "@rint({0})", "{0}"),
    _numbers("trunc", "@trunc({0})", "{0}"),
    _real("isnan", "math.isnan({0})"),
    _real("isinf", "math.isinf({0})"),
    _real("isfinite", "math.isfinite({0})"),
    _same("not", "(not {0})", "bool"),
    _kinds("bitnot", int_="(~{0})", uint_="(~{0})", bool_="(not {0})"),
    _numbers("add", "({0} + {1})", "({0} + {1})", "({0} | {1})"),
    _numbers("sub", "({0} - {1})", "({0} - {1})"),
    _numbers("mul", "({0} * {1})", "({0} * {1})", "({0} & {1})"),
    _real("div", "({0} / {1})"),
    _numbers(
        "floordiv", "$floordiv_{t}({0}, {1})", "$floordiv_int({0}, {1})",
        unsigned="$floordiv_uint(uint64({0}), uint64({1}))",
    ),
    _numbers(
        "rem", "$rem_{t}({0}, {1})", "$rem_int({0}, {1})",
        unsigned="$rem_uint(uint64({0}), uint64({1}))",
    ),
    _numbers(
        "fmod", "@fmod({0}, {1})", "$fmod_int({0}, {1})",
        unsigned="$rem_uint(uint64({0}), uint64({1}))",
    ),
    _numbers(
        "pow", "@pow({0}, {1})", "$power({0}, {1})",
        unsigned="$power_unsigned(uint64({0}), uint64({1}))",
    ),
    _extreme("max", "$maximum({0}, {1})", "({0} | {1})"),
    _extreme("min", "$minimum({0}, {1})", "({0} & {1})"),
    _real("atan2", "@atan2({0}, {1})"),
    _same("eq", "({0} == {1})"),
    _same("ne", "({0} != {1})"),
    _same("lt", "({0} < {1})"),
    _same("le", "({0} <= {1})"),
    _same("gt", "({0} > {1})"),
    _same("ge", "({0} >= {1})"),
    _same("and", "({0} & {1})", "bool"),
    _same("or", "({0} | {1})", "bool"),
    _same("xor", "({0} ^ {1})", "bool"),
    _same("bitand", "({0} & {1})", "int uint bool"),
    _same("bitor", "({0} | {1})", "int uint bool"),
    _same("bitxor", "({0} ^ {1})", "int uint bool"),
    _kinds(
        "shl",
        int_="$shift_left({0}, {1}, {bits})",
        uint_="$shift_left_unsigned(uint64({0}), uint64({1}), uint64({bits}))",
    ),
    _kinds(
        "shr",
        int_="$shift_right({0}, {1}, {bits})",
        uint_="$shift_right_unsigned(uint64({0}), uint64({1}), uint64({bits}))",
    ),
    _same("where", "({1} if {0} else {2})"),
)  # fmt: skip

CUDA_SCALARS: dict[str, CudaScalar] = {row.name: row for row in _ROWS}

_LOGICAL = frozenset(
    {"isnan", "isinf", "isfinite", "not", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "xor"}
)


def write_scalar(fn: str, args: Sequence[str], dtype: DType) -> Written:
    """Return fn of args, numbers of a dtype (the two choices, of "where")."""
    dtype = computed(dtype)
    template = CUDA_SCALARS[fn].templates.get(dtype.kind)
    if template is None:
        raise NotImplementedError(f"{fn} is not written in CUDA for {dtype.name}")
    number = dtype.name if dtype.kind != "bool" else "boolean"
    text = template.format(*args, t=number, bits=8 * dtype.size)
    written = resolved(text, dtype)
    if fn in _LOGICAL or dtype.kind in ("float", "bool") or template == "{0}":
        return written
    return Written(wrapped(written.text, dtype), written.libdevice, written.prelude)


def wrapped(text: str, dtype: DType) -> str:
    """Return an integer modulo 2^bits: Numba computes with 64 of them."""
    if dtype.name == "int64":
        return text
    return f"{dtype.name}{text}" if text.startswith("(") else f"{dtype.name}({text})"


def resolved(text: str, dtype: DType) -> Written:
    """Return a template's text with the marks of what it calls taken away."""
    libdevice: list[str] = []
    prelude: list[str] = []

    def name(match: re.Match[str]) -> str:
        mark, plain = match.groups()
        if mark == "$":
            prelude.append(plain)
            return plain
        full = plain + ("f" if computed(dtype).size == 4 else "")
        libdevice.append(full)
        return full

    return Written(_CALL.sub(name, text), tuple(libdevice), tuple(prelude))
