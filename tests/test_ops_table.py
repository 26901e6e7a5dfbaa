"""Ring two: every op's record agrees with itself, and its gradients with finite differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.autograd import gradcheck, gradgradcheck
from jitnet.compiler import ops
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import (
    DTYPES,
    bool_,
    complex128,
    float32,
    float64,
    from_numpy_dtype,
    int64,
)

rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Case:
    """Arguments and params for one op; smooth where its gradient is checked."""

    op: Op
    args: tuple[np.ndarray, ...]
    params: dict[str, Any] = field(default_factory=dict)
    fixed: tuple[int, ...] = ()  # arguments by which the op says that it has no derivative

    def __str__(self) -> str:
        return self.op.name


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    """Return float64 numbers without ties."""
    return rng.permutation(np.linspace(low, high, int(np.prod(shape)))).reshape(shape)


def whole(*shape: int, low: int = 0, high: int = 5) -> np.ndarray:
    """Return int64 numbers."""
    return rng.integers(low, high, shape)


RANGES = {  # where a unary op is defined and smooth
    "log": (0.3, 3), "log2": (0.3, 3), "log10": (0.3, 3), "log1p": (-0.5, 3), "sqrt": (0.3, 3),
    "rsqrt": (0.3, 3), "reciprocal": (0.3, 3), "asin": (-0.9, 0.9), "acos": (-0.9, 0.9),
    "acosh": (1.2, 3), "atanh": (-0.9, 0.9), "erfinv": (-0.9, 0.9), "tan": (-1.2, 1.2),
    "abs": (0.1, 3), "sign": (0.1, 3),
}  # fmt: skip


def elementwise_cases() -> Iterator[Case]:
    """Yield a case for every elementwise op."""
    for op in ops.elementwise.UNARY:
        if op.name == "logical_not":
            yield Case(op, (whole(3, 4, high=2).astype(bool),))
        elif op.name == "bitwise_not":
            yield Case(op, (whole(3, 4),))
        else:
            low, high = RANGES.get(op.name, (-2.03, 1.97))
            yield Case(op, (real(3, 4, low=low, high=high),))
    for op in ops.elementwise.BINARY:
        if op.name.startswith("logical"):
            yield Case(op, (whole(9, high=2).astype(bool), whole(9, high=2).astype(bool)))
        elif op.name.startswith("bitwise") or op.name.endswith("shift"):
            yield Case(op, (whole(9), whole(9)))
        else:
            yield Case(op, (real(3, 4, low=0.31, high=2.9), real(3, 4, low=0.4, high=2.7)))
    yield Case(ops.where, (whole(3, 4, high=2).astype(bool), real(3, 4), real(3, 4)))
    yield Case(ops.cast, (real(3, 4),), {"dtype": float64})


CONV = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2), "groups": 2}
POOL = {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "ceil": True}
SUM_POOL = {**POOL, "dilation": (1, 1)}
PART = {"starts": (1, 0), "stops": (3, 4), "steps": (1, 2)}


def structural_cases() -> Iterator[Case]:
    """Yield a case for every other op with arguments."""
    yield Case(ops.full_like, (real(2, 3),), {"value": 1.5})
    yield Case(ops.iota_like, (real(2, 3),), {"axis": 1})
    yield Case(ops.copy, (real(2, 3),))
    for op in ops.reduce.REDUCTIONS:
        x = whole(2, 3, 4, high=2).astype(bool) if op.name in ("any", "all") else real(2, 3, 4)
        yield Case(op, (x,), {"axes": (0, 2)})
    yield Case(ops.prod, (np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0]]),), {"axes": (1,)})
    yield Case(ops.argmax, (real(3, 4),), {"axis": 1})
    yield Case(ops.argmin, (real(3, 4),), {"axis": 0})
    yield Case(ops.reshape, (real(2, 6),), {"shape": (3, 4)})
    yield Case(ops.permute, (real(2, 3, 4),), {"axes": (2, 0, 1)})
    yield Case(ops.expand, (real(2, 1, 3),), {"shape": (2, 4, 3)})
    yield Case(ops.slice, (real(4, 5),), PART)
    yield Case(ops.flip, (real(2, 3),), {"axes": (1,)})
    yield Case(ops.pad, (real(2, 3),), {"low": (1, 0), "high": (0, 2), "value": 0.5})
    yield Case(ops.concat, (real(2, 3), real(2, 1)), {"axis": 1})
    yield Case(ops.slice_assign, (real(4, 5), real(2, 2)), PART)
    yield Case(ops.matmul, (real(2, 3, 4), real(2, 4, 2)))
    x, w = real(2, 4, 5, 6), real(4, 2, 3, 2)
    g = ops.conv.eval(x, w, **CONV)
    yield Case(ops.conv, (x, w), CONV)
    yield Case(ops.conv_input_grad, (g, w), {"shape": x.shape, **CONV})
    yield Case(ops.conv_weight_grad, (g, x), {"shape": w.shape, **CONV})
    image = real(2, 5, 6)
    pooled = ops.max_pool.eval(image, **POOL)
    yield Case(ops.max_pool, (image,), POOL)
    yield Case(ops.max_pool_index, (image,), POOL)
    yield Case(ops.max_pool_grad, (real(*pooled.shape), image), POOL)
    yield Case(ops.max_pool_gather, (real(*image.shape), image), POOL)
    yield Case(ops.sum_pool, (image,), SUM_POOL)
    summed = ops.sum_pool.eval(image, **SUM_POOL)
    yield Case(ops.sum_pool_grad, (summed,), {"shape": image.shape, **SUM_POOL})
    yield Case(ops.pick, (real(3, 4, 2), whole(3, 2, high=4)), {"axis": 1})
    yield Case(ops.take, (real(5, 2), whole(2, 3)), {"axis": 0})
    yield Case(ops.take, (real(2, 5, 3), whole(2, 2)), {"axis": 1})
    yield Case(
        ops.put, (real(2, 5), np.array([1, 4]), real(2, 2)), {"axis": 1, "accumulate": False}
    )
    yield Case(
        ops.put, (real(5, 2), np.array([4, 0, 2]), real(3, 2)), {"axis": 0, "accumulate": False}
    )
    yield Case(ops.put, (real(5, 2), whole(2, 3), real(2, 3, 2)), {"axis": 0, "accumulate": True})
    state = np.array([5, 7])
    for op in (ops.random_uniform, ops.random_normal):
        yield Case(op, (state,), {"shape": (3, 5), "dtype": float32})
        yield Case(op, (state,), {"shape": (3, 5), "dtype": float64})
    yield Case(ops.argsort, (real(3, 4),), {"axis": 0, "descending": True})
    yield Case(ops.searchsorted, (np.sort(real(2, 5)), real(2, 3)), {"right": True})
    yield Case(ops.topk, (real(3, 4),), {"count": 2, "axis": 0, "largest": True})
    yield Case(ops.topk, (real(3, 40),), {"count": 3, "axis": 1, "largest": False})
    yield Case(ops.kth, (real(3, 40),), {"place": 7, "axis": 1})
    yield Case(ops.mode, (whole(3, 7),), {"axis": 1})
    yield Case(ops.histogram, (real(3, 4),), {"bins": 4, "low": -1.0, "high": 1.5})
    for reduce in ("prod", "amax", "amin"):
        at = (real(2, 5), np.array([1, 4, 1]), real(2, 3))
        yield Case(ops.combine, at, {"axis": 1, "reduce": reduce})
    yield Case(ops.gcd, (whole(3, 4, high=30), whole(3, 4, high=12)))
    yield Case(ops.lcm, (whole(3, 4, high=30), whole(3, 4, high=12)))
    yield Case(ops.nextafter, (real(3, 4), real(3, 4, low=-1.9, high=2.1)))  # without ties
    yield Case(ops.exponent, (real(3, 4),))
    for op in ops.bessel.OPS:
        yield Case(op, (real(3, 4, low=0.2, high=40.0),))
    for op in ops.gammas.OPS:
        both = real(3, 4, low=1.2, high=9.0), real(3, 4, low=0.2, high=20.0)
        yield Case(op, both, fixed=(0,))
    degrees = whole(3, 4).astype(np.float64)
    yield Case(ops.polynomial, (real(3, 4), degrees), {"family": "laguerre_l"})
    yield Case(ops.random_bits, (state,), {"shape": (70,), "dtype": int64})


def complex_(*shape: int) -> np.ndarray:
    """Return complex128 numbers away from the places where functions jump."""
    return real(*shape, low=0.3, high=1.7) + 1j * real(*shape, low=0.2, high=0.9)


def accepts_complex(op: Op, count: int) -> bool:
    """Return whether an op has a meaning for complex numbers."""
    try:
        op.type(*[TensorType(complex128, (2,))] * count)
    except jitnet.DTypeError:
        return False
    return True


def complex_cases() -> Iterator[Case]:
    """Yield a case for the ops on parts, and for every op with a meaning for complex numbers."""
    for op in ops.complex_parts.PARTS:
        args = {ops.complex: (real(2, 3), real(2, 3)), ops.view_as_complex: (real(3, 2),)}
        yield Case(op, args.get(op, (complex_(2, 3),)))
    for op in ops.elementwise.UNARY:
        if accepts_complex(op, 1):
            yield Case(op, (complex_(2, 3),))
    for op in ops.elementwise.BINARY:
        if accepts_complex(op, 2):
            yield Case(op, (complex_(2, 3), complex_(2, 3)))
    mask = np.array([[True, False, True], [False, False, True]])
    yield Case(ops.where, (mask, complex_(2, 3), complex_(2, 3)))
    yield Case(ops.cast, (complex_(2, 3),), {"dtype": float64})
    yield Case(ops.cast, (real(2, 3),), {"dtype": complex128})
    yield Case(ops.sum, (complex_(2, 3),), {"axes": (1,)})
    yield Case(ops.prod, (complex_(2, 3),), {"axes": (1,)})
    yield Case(ops.matmul, (complex_(2, 3), complex_(3, 2)))
    yield Case(ops.take, (complex_(5, 2), whole(2, 3)), {"axis": 0})
    yield Case(ops.pick, (complex_(3, 4, 2), whole(3, 2, high=4)), {"axis": 1})


def fourier_cases() -> Iterator[Case]:
    """Yield transforms of even and odd sizes."""
    for inverse in (False, True):
        yield Case(ops.fourier, (complex_(3, 4),), {"axes": (1, 0), "inverse": inverse})
    for size in (1, 2, 5, 6):
        yield Case(ops.half_fourier, (real(2, size),), {"axis": 1})
        yield Case(ops.half_inverse, (complex_(2, size // 2 + 1),), {"axis": 1, "size": size})
    params = {"function": "asin", "complex": (True,), "params": ()}
    yield Case(ops.on_pairs, (real(2, 3, 2),), params)


def linalg_cases() -> Iterator[Case]:
    """Yield cases for every op on matrices: square, tall and wide, in batches."""
    near_one = real(2, 4, 4) + 3 * np.eye(4)
    for op in (ops.inv, ops.det, ops.cofactors, ops.slogdet, ops.matrix_exp):
        yield Case(op, (near_one,))
    yield Case(ops.matrix_exp, (3 * real(3, 3),))
    yield Case(ops.solve, (near_one, real(2, 4, 3)))
    for upper, unit in ((True, False), (False, True)):
        params = {"upper": upper, "unitriangular": unit}
        yield Case(ops.solve_triangular, (near_one, real(2, 4, 3)), params)
    for shape in ((2, 3, 5), (1, 5, 3)):
        nothing = np.full(shape[:-2], 1e-6)
        yield Case(ops.pinv, (real(*shape), nothing, nothing), {"hermitian": False})
    for shape in ((2, 4, 4), (4, 3), (2, 3, 4)):
        yield Case(ops.qr, (real(*shape),), {"mode": "reduced"})
        yield Case(ops.lu, (real(*shape, high=1.9),), {"pivot": True})
        yield Case(ops.svdvals, (real(*shape),))
    yield Case(ops.lu, (near_one,), {"pivot": False})
    yield Case(ops.bad_minor, (np.stack([np.eye(3), np.diag([1.0, 1.0, 0.0])]),))
    yield Case(ops.geqrf, (real(4, 3),))
    yield Case(ops.permutation, (np.array([[3, 2, 3], [1, 3, 3]]),), {"rows": 4})


CASES = [
    *elementwise_cases(),
    *structural_cases(),
    *complex_cases(),
    *fourier_cases(),
    *linalg_cases(),
]

# Whose results' signs, or whose symmetric arguments, finite differences do not keep: see
# test_linalg.py.
GAUGED = {ops.svd, ops.eigh, ops.eigvalsh, ops.eig, ops.eigvals, ops.cholesky}


def test_every_op_has_a_case() -> None:
    """A new op is tested at birth."""
    leaves = {ops.constant, ops.full, ops.iota}
    assert {case.op.name for case in CASES} | {op.name for op in leaves} == {
        op.name for op in ops.OPS if op not in GAUGED
    }
    assert len({op.name for op in ops.OPS}) == len(ops.OPS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_eval_gives_the_announced_type(case: Case) -> None:
    """Shape and dtype of the result are what `type` says, for strided arguments too."""
    for args in (case.args, tuple(np.asfortranarray(arg) for arg in case.args)):
        before = [arg.copy() for arg in args]
        kinds = [TensorType(from_numpy_dtype(arg.dtype), arg.shape) for arg in args]
        wanted = case.op.type(*kinds, **case.params)
        got = np.asarray(case.op.eval(*args, **case.params))
        assert TensorType(from_numpy_dtype(got.dtype), got.shape) == wanted
        again = np.asarray(case.op.eval(*case.args, **case.params))
        np.testing.assert_allclose(got, again, rtol=1e-12)
        for arg, old in zip(args, before, strict=True):
            np.testing.assert_array_equal(arg, old)
    hash(tuple(case.params.items()))


def leaves_of(case: Case) -> tuple[Callable[..., Any], list[Any]]:
    """Return the op as a function of leaf tensors, and those."""
    inputs = [jitnet.tensor(arg) for arg in case.args]
    for number, value in enumerate(inputs):
        if value.dtype.is_inexact and number not in case.fixed:
            value.requires_grad_()
    return (lambda *args: case.op(*args, **case.params)), inputs


SMOOTH = [
    case for case in CASES
    if case.op.grad is not None and any(arg.dtype.kind in "fc" for arg in case.args)
]  # fmt: skip


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_gradients(case: Case) -> None:
    """First derivatives agree with finite differences."""
    function, inputs = leaves_of(case)
    assert gradcheck(function, inputs)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_records_say_what_gradients_read(case: Case) -> None:
    """A gradient never reads a value that its record does not keep; what it keeps exists."""
    function, inputs = leaves_of(case)
    y = function(*inputs)
    keeps = case.op.keeps
    assert keeps is None or all(-1 <= number < len(inputs) for number in keeps)
    if y.requires_grad:
        y.backward(jitnet.ones_like(y), create_graph=True)  # an error would say which


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_second_gradients(case: Case) -> None:
    """Derivatives of derivatives agree with finite differences."""
    function, inputs = leaves_of(case)
    assert gradgradcheck(function, inputs, atol=1e-4)


@pytest.mark.parametrize("op", ops.elementwise.OPS, ids=lambda op: op.name)
def test_elementwise_edges(op: Op) -> None:
    """Zero-dimensional, empty and special values keep the announced type, without warnings."""
    for dtype in DTYPES:
        count = {ops.where: 3, ops.cast: 1}.get(op, 2 if op in ops.elementwise.BINARY else 1)
        for shape in ((), (0, 3), (4,)):
            args = [np.ones(shape, dtype.numpy) for _ in range(count)]
            if dtype.is_inexact and shape == (4,):
                args[0] = np.array([np.nan, np.inf, -np.inf, -0.0], dtype.numpy)
            if op is ops.where:
                args[0] = np.ones(shape, bool)
            kinds = [TensorType(from_numpy_dtype(arg.dtype), arg.shape) for arg in args]
            params = {"dtype": int64} if op is ops.cast else {}
            try:
                wanted = op.type(*kinds, **params)
            except jitnet.DTypeError:
                continue
            got = np.asarray(op.eval(*args, **params))
            assert TensorType(from_numpy_dtype(got.dtype), got.shape) == wanted


def test_special_functions_are_accurate() -> None:
    """erf, erfc and erfinv agree with 40-digit arithmetic to 1e-15."""
    mpmath = pytest.importorskip("mpmath", reason="the oracle for special functions")
    points = np.concatenate([np.linspace(-6, 6, 241), np.geomspace(1e-300, 25, 60)])
    with mpmath.workdps(40):
        for name in ("erf", "erfc"):
            exact = np.array([float(getattr(mpmath, name)(mpmath.mpf(p))) for p in points])
            got = getattr(ops, name).eval(points)
            np.testing.assert_allclose(got, exact, rtol=2e-15, atol=1e-320)
        inner = np.concatenate([np.linspace(-0.999, 0.999, 101), 1 - np.geomspace(1e-15, 0.1, 20)])
        exact = np.array([float(mpmath.erfinv(mpmath.mpf(p))) for p in inner])
        np.testing.assert_allclose(ops.erfinv.eval(inner), exact, rtol=4e-15, atol=0)
    assert ops.erfinv.eval(np.array([1.0, -1.0])).tolist() == [np.inf, -np.inf]
    assert np.isnan(ops.erfinv.eval(np.array([1.5, np.nan]))).all()
    ends = np.array([np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(ops.erf.eval(ends), [1, -1, np.nan])
    np.testing.assert_array_equal(ops.erfc.eval(ends), [0, 2, np.nan])


def test_philox_known_answers() -> None:
    """The generator is Philox4x32-10: the test vectors of its authors' Random123."""
    from jitnet.compiler.ops.random import philox

    def run(key: tuple[int, int], counter: tuple[int, ...]) -> list[str]:
        words = philox(key, tuple(np.array([word], np.uint64) for word in counter))
        return [f"{int(word[0]):08x}" for word in words]

    assert run((0, 0), (0, 0, 0, 0)) == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]
    ones = 0xFFFFFFFF
    assert run((ones, ones), (ones,) * 4) == ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]
    digits = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    found = run((0xA4093822, 0x299F31D0), digits)
    assert found == ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]


def test_random_streams_are_sane() -> None:
    """Numbers lie in their ranges, have the right moments, and depend on seed and call."""
    state = np.array([3, 0])
    for dtype in (float32, float64):
        u = ops.random_uniform.eval(state, shape=(20000,), dtype=dtype)
        assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.01
        z = ops.random_normal.eval(state, shape=(20000,), dtype=dtype)
        assert abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.02 and np.isfinite(z).all()
    bits = ops.random_bits.eval(state, shape=(1000,), dtype=int64)
    assert bits.min() >= 0 and bits.max() < 1 << 32
    shorter = ops.random_bits.eval(state, shape=(3, 50), dtype=int64).ravel()
    np.testing.assert_array_equal(shorter, bits[:150])
    for other in (np.array([3, 1]), np.array([4, 0]), np.array([3 + (1 << 40), 0])):
        assert (ops.random_bits.eval(other, shape=(1000,), dtype=int64) != bits).mean() > 0.99


REFUSED: list[tuple[Op, tuple[TensorType, ...], dict[str, Any], str]] = [
    (ops.add, (TensorType(float32, (2,)), TensorType(float32, (3,))), {}, "equal shapes"),
    (ops.add, (TensorType(float32, (2,)), TensorType(float64, (2,))), {}, "equal dtypes"),
    (ops.exp, (TensorType(int64, (2,)),), {}, "floating point"),
    (ops.where, (TensorType(int64, (2,)),) * 3, {}, "bool"),
    (ops.matmul, (TensorType(float32, (2, 3)), TensorType(float32, (4, 2))), {}, "inner dims"),
    (ops.reshape, (TensorType(float32, (2, 3)),), {"shape": (4,)}, "6 elements"),
    (ops.sum, (TensorType(bool_, (2,)),), {"axes": (0,)}, "sum wants"),
    (ops.sum, (TensorType(float32, (2,)),), {"axes": (1,)}, "dims from 0"),
    (ops.max, (TensorType(float32, (0, 2)),), {"axes": (0,)}, "no elements"),
    (
        ops.take,
        (TensorType(float32, (2,)), TensorType(float32, (2,))),
        {"axis": 0},
        "signed integers",
    ),
]


@pytest.mark.parametrize("op, kinds, params, words", REFUSED, ids=lambda v: getattr(v, "name", ""))
def test_wrong_arguments_are_refused(
    op: Op, kinds: tuple[TensorType, ...], params: dict[str, Any], words: str
) -> None:
    """The error says what was wanted."""
    with pytest.raises((jitnet.ShapeError, jitnet.DTypeError), match=words):
        op.type(*kinds, **params)


def test_indices_are_checked() -> None:
    """take and put name the first wrong index."""
    for bad in (-1, 5):
        index = np.array([0, bad])
        with pytest.raises(IndexError, match=f"index {bad} is out of bounds .* size 5"):
            ops.take.eval(np.zeros(5), index, axis=0)
        with pytest.raises(IndexError, match=f"index {bad} is out of bounds"):
            ops.put.eval(np.zeros(5), index, np.zeros(2), axis=0, accumulate=True)
