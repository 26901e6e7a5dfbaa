"""The table of functions has no holes and calls no library; casts, reductions, random bits."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator

import numpy as np
import pytest

from jitnet.compiler.codegen.emitter import F32, I64, PTR, Function, Module, Value
from jitnet.compiler.codegen.math import (
    SCALARS,
    emit_cast,
    emit_scalar,
    horizontal,
    normal,
    philox4x32,
    random_words,
    uniform32,
    uniform64,
)
from jitnet.compiler.ir.identities import REDUCTIONS, identity
from jitnet.runtime.cpu import assembly, compile_object, host_target, load
from jitnet.runtime.dtype import (
    REALS,
    DType,
    bool_,
    convert,
    dtype_named,
    float32,
    float64,
    int32,
    int64,
    uint32,
    uint64,
)
from tests.math_harness import kernel_text, random_bits, run, specials, targets

UNARY_REAL = [
    "neg", "abs", "sign", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "sqrt",
    "rsqrt", "reciprocal", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "sigmoid", "floor", "ceil", "round",
    "trunc", "isnan", "isinf", "isfinite",
]  # fmt: skip
UNARY_WHOLE = ["neg", "abs", "sign", "floor", "ceil", "round", "trunc", "bitnot"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]
BOTH = ["add", "sub", "mul", "floordiv", "rem", "fmod", "pow", "max", "min", *COMPARISONS, "where"]
BITS = ["bitand", "bitor", "bitxor"]
BOOL = ["not", "bitnot", "add", "mul", "max", "min", "and", "or", "xor", "where"]
WANTED = {
    "float": [*UNARY_REAL, *BOTH, "div", "atan2"],
    "int": [*UNARY_WHOLE, *BOTH, *BITS, "shl", "shr"],
    "uint": [*UNARY_WHOLE, *BOTH, *BITS, "shl", "shr"],
    "bool": [*BOOL, *BITS, *COMPARISONS],
}
GIVES_BOOL = (*COMPARISONS, "isnan", "isinf", "isfinite")
COMPUTED = [dtype for dtype in REALS if not dtype.narrow]
INTEGERS = [dtype for dtype in REALS if dtype.kind in ("int", "uint")]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def _text(fn: str, dtype: DType, lanes: int, target: object) -> str:
    args = [dtype] * SCALARS[fn].arity
    if fn == "where":
        args[0] = bool_
    result = bool_ if fn in GIVES_BOOL else dtype
    return kernel_text(
        lambda f, *values: emit_scalar(f, fn, values, dtype),
        args,
        result,
        lanes,
        target,  # type: ignore[arg-type]
    )


# -- the table ----------------------------------------------------------------------------------


def test_every_function_has_a_row_for_every_kind_it_is_asked_for() -> None:
    have = {(kind, name) for name, row in SCALARS.items() for kind in row.emit}
    wanted = {(kind, name) for kind, names in WANTED.items() for name in names}
    assert have == wanted
    assert all(name == row.name for name, row in SCALARS.items())


@pytest.mark.parametrize("fn", SCALARS)
def test_every_row_compiles_for_every_dtype_and_lane_count(fn: str) -> None:
    target = host_target()
    for dtype in REALS:
        if dtype.kind in SCALARS[fn].emit:
            for lanes in (1, 3, target.lanes(dtype.size)):
                assert "kernel" in assembly(_text(fn, dtype, lanes, target), target)


@pytest.mark.parametrize("target", targets(), ids=lambda target: f"{target.vector_bytes}B")
def test_nothing_calls_a_library(target: object) -> None:
    for fn, row in SCALARS.items():
        for dtype in (float32, float64, int64):
            if dtype.kind not in row.emit:
                continue
            text = assembly(_text(fn, dtype, 8, target), target)  # type: ignore[arg-type]
            called = re.findall(r"^\s+(?:callq?|bl|jmp)\s+([\w.@\"]+)", text, re.MULTILINE)
            outside = [name for name in called if not name.strip('"').startswith(("math.", ".L"))]
            assert not outside, (fn, dtype, outside)


@pytest.mark.parametrize("fn", ["exp", "log", "tanh", "erf", "sigmoid", "sin", "pow", "max"])
@pytest.mark.parametrize("dtype", [float32, float64])
def test_the_lane_count_does_not_change_a_bit(fn: str, dtype: DType) -> None:
    numbers = dtype.numpy.type
    x = np.concatenate([specials(numbers), random_bits(numbers, 500)])
    args = [x] if SCALARS[fn].arity == 1 else [x, x[::-1].copy()]

    def emit(f: Function, *values: Value) -> Value:
        return emit_scalar(f, fn, values, dtype)

    one = run(emit, args, dtype, lanes=1)
    for lanes in (2, 3, 7, 16, 64):
        np.testing.assert_array_equal(run(emit, args, dtype, lanes=lanes), one)


def test_what_is_missing_is_refused_by_name() -> None:
    module = Module(host_target())
    f = Function(module, "f", [("x", "float")])
    with pytest.raises(NotImplementedError, match="no scalar function is called 'gamma'"):
        emit_scalar(f, "gamma", f.args, float32)
    with pytest.raises(NotImplementedError, match="exp is not emitted for int32, only for float"):
        emit_scalar(f, "exp", f.args, int32)


# -- casts --------------------------------------------------------------------------------------


def _cast(x: np.ndarray, to: DType, lanes: int = 0) -> np.ndarray:
    source = dtype_named(x.dtype.name)
    return run(lambda f, value: emit_cast(f, value, source, to), [x], to, lanes)


@pytest.mark.parametrize("to", REALS, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("source", REALS, ids=lambda dtype: dtype.name)
def test_casts_are_numpys(source: DType, to: DType) -> None:
    if source.kind == "float":
        low = 0 if to.kind == "uint" else -100
        x = convert(np.random.default_rng(0).uniform(low, 100, 500), source)
        if to.kind in ("float", "bool"):
            x = np.concatenate([x, convert(specials(np.float32), source)])
    elif source is bool_:
        x = np.arange(70) % 3 == 0
    else:
        info = np.iinfo(source.numpy)
        x = np.random.default_rng(0).integers(info.min, info.max, 500, source.numpy, endpoint=True)
        x[:3] = [info.min, info.max, 0]
    for lanes in (1, 3, 16):
        got, want = _cast(x, to, lanes), convert(x, to)
        if to.narrow:  # NumPy does not know that NaN of bfloat16 are equal
            got, want = got.astype(np.float32), want.astype(np.float32)
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("source", [float32, float64], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("to", INTEGERS, ids=lambda dtype: dtype.name)
def test_casts_out_of_range_are_defined(source: DType, to: DType) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 300.7, -1.9, 70000.0], source.numpy)
    wide = np.int64 if to in (int64, uint32, uint64) else np.int32
    least = np.iinfo(wide).min
    whole = np.array([least, least, least, least, least, 300, -1, 70000], wide).astype(to.numpy)
    if to is uint64:
        whole[[1, 3]] = 0  # above 2^63 it is signed no more
    np.testing.assert_array_equal(_cast(x, to), whole)
    if to.size >= 4:  # as eager, on machines where NumPy does so
        np.testing.assert_array_equal(convert(x, to), whole)


@pytest.mark.parametrize("source", [float32, float64], ids=lambda dtype: dtype.name)
def test_large_floats_become_unsigned_numbers(source: DType) -> None:
    x = np.array([2.0**63, 1.5 * 2.0**63, 2.0**64 - 2.0**40, 2.0**64, 2.0**62, -3], source.numpy)
    wanted = [1 << 63, 3 << 62, (1 << 64) - (1 << 40), 0, 1 << 62, (1 << 64) - 3]
    assert _cast(x, uint64).tolist() == convert(x, uint64).tolist() == wanted


# -- reductions ---------------------------------------------------------------------------------


def _reduced(fn: str, x: np.ndarray, lanes: int) -> np.ndarray:
    dtype = dtype_named(x.dtype.name)

    def emit(f: Function, value: Value) -> Value:
        return f.splat(horizontal(f, fn, value, dtype), lanes)

    return run(emit, [x], dtype, lanes)[::lanes]


def _tree(function: np.ufunc, x: np.ndarray) -> np.ndarray:
    """Reduce rows as the documented tree does."""
    if x.shape[1] == 1:
        return x[:, 0]
    if x.shape[1] % 2:
        return function(_tree(function, x[:, :-1]), x[:, -1])
    half = x.shape[1] // 2
    return _tree(function, function(x[:, :half], x[:, half:]))


@pytest.mark.parametrize("lanes", [1, 2, 3, 6, 7, 8, 16, 64])
@pytest.mark.parametrize("dtype", COMPUTED, ids=lambda dtype: dtype.name)
def test_horizontal_is_a_fixed_tree(dtype: DType, lanes: int) -> None:
    random = np.random.default_rng(3)
    kind = dtype.kind
    x = random.normal(0, 30, 10 * lanes).clip(0 if kind == "uint" else -99).astype(dtype.numpy)
    if kind == "float" and lanes > 1:
        x[lanes // 2] = np.nan
    table = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
    if kind != "float":
        table |= {"and": np.bitwise_and, "or": np.bitwise_or}
    for fn, function in table.items():
        got = _reduced(fn, x, lanes)
        np.testing.assert_array_equal(got, _tree(function, x.reshape(10, lanes)), fn)


@pytest.mark.parametrize("dtype", COMPUTED, ids=lambda dtype: dtype.name)
def test_identities_change_nothing(dtype: DType) -> None:
    table = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}
    if dtype.kind != "float":
        table |= {"and": np.bitwise_and, "or": np.bitwise_or}
    assert set(table) <= set(REDUCTIONS)
    if dtype.kind == "float":
        values = specials(dtype.numpy.type)
    elif dtype is bool_:
        values = np.array([False, True])
    else:
        info = np.iinfo(dtype.numpy)
        values = np.array([info.min, 0, 1, info.max], dtype.numpy)
    for fn, function in table.items():
        start = np.array(identity(fn, dtype), dtype.numpy)
        np.testing.assert_array_equal(function(values, start), values)


# -- random bits --------------------------------------------------------------------------------

MASK = (1 << 32) - 1


def _philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in Python's integers."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(second >> 32) ^ c[1] ^ k0, second & MASK, (first >> 32) ^ c[3] ^ k1, first & MASK]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c


def _word(index: int, seed: int, call: int, second: bool) -> int:
    """Return the word of element `index`, as docs/architecture.md says."""
    block, place = (index // 32) * 8 + index % 8, (index % 32) // 8
    high = (call >> 32) | (1 << 31 if second else 0)
    counter = [block & MASK, block >> 32, call & MASK, high]
    return _philox(counter, [seed & MASK, seed >> 32])[place]


@pytest.mark.parametrize(
    ("counter", "key", "wanted"),
    [
        ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([MASK] * 4, [MASK] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_published_answers(
    counter: list[int], key: list[int], wanted: list[int]
) -> None:
    assert _philox(counter, key) == wanted
    columns = [np.full(8, word, np.uint32).view(np.int32) for word in (*counter, *key)]
    for place in range(4):

        def emit(f: Function, *values: Value, place: int = place) -> Value:
            return philox4x32(f, values[:4], values[4:])[place]  # type: ignore[arg-type]

        got = run(emit, columns, int32)
        np.testing.assert_array_equal(got.view(np.uint32), np.full(8, wanted[place], np.uint32))


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_random_words_follow_the_documented_stream(second: bool, lanes: int) -> None:
    seed, call = 0x1234567_89ABCDEF, 0x5_00000007
    index = np.concatenate([np.arange(70), np.array([2**35 + 17, 2**40 + 9])]).astype(np.int64)

    def emit(f: Function, value: Value) -> Value:
        return random_words(f, value, f.i64(seed), f.i64(call), second)

    got = run(emit, [index], int32, lanes).view(np.uint32)
    wanted = [_word(int(i), seed, call, second) for i in index]
    np.testing.assert_array_equal(got, np.array(wanted, np.uint32))


def _random_bits_columns() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(9)
    words = random.integers(0, 1 << 32, (2, 4000), np.uint32)
    words[:, :2] = [[0, MASK], [0, MASK]]
    return words[0].view(np.int32), words[1].view(np.int32)


def test_uniform_numbers_come_from_words() -> None:
    first, second = _random_bits_columns()
    word, rest = (each.view(np.uint32).astype(np.uint64) for each in (first, second))
    got = run(uniform32, [first], float32)
    np.testing.assert_array_equal(got, (word >> 8).astype(np.float32) * np.float32(2.0**-24))
    wide = run(uniform64, [first, second], float64)
    both = ((word << np.uint64(32)) | rest) >> np.uint64(11)
    np.testing.assert_array_equal(wide, both.astype(np.float64) * 2.0**-53)
    assert wide.min() >= 0 and wide.max() < 1


@pytest.mark.parametrize("dtype", [float32, float64])
def test_normal_numbers_come_from_words(dtype: DType) -> None:
    first, second = _random_bits_columns()
    shift = np.uint64(8 if dtype is float32 else 0)
    unit = 2.0**-24 if dtype is float32 else 2.0**-32
    u = ((first.view(np.uint32).astype(np.uint64) >> shift) + np.uint64(1)) * unit
    v = (second.view(np.uint32).astype(np.uint64) >> shift) * unit
    got = run(lambda f, a, b: normal(f, a, b, dtype.llvm), [first, second], dtype)
    wanted = np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-6 if dtype is float32 else 1e-14)
    assert np.isfinite(got).all()


def test_a_rare_branch_may_stand_in_a_reduction() -> None:
    x = np.array([0.5, 1e30, -3.0, 7e20, 2.0, 1e5, -1e10, 0.0] * 4, np.float32)
    module = Module(host_target())
    f = Function(module, "kernel", [("x", PTR), ("out", PTR), ("n", I64)], internal=False)
    with f.loop(f.i64(0), f.args[2], 8, [f.const("<8 x float>", 0.0)]) as loop:
        values = f.load(f.gep(f.args[0], loop.index, F32), "<8 x float>", 4)
        loop.carry = [f.fadd(loop.carried[0], emit_scalar(f, "sin", [values], float32))]
    f.store(horizontal(f, "add", loop.results[0], float32), f.args[1], 4)
    f.finish()
    native = load(compile_object(module.text(), module.target), {})
    out = np.zeros(1, np.float32)
    types = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    ctypes.CFUNCTYPE(None, *types)(native.address("kernel"))(x.ctypes.data, out.ctypes.data, len(x))
    np.testing.assert_allclose(out[0], np.sum(np.sin(x.astype(np.float64))), rtol=1e-5)
