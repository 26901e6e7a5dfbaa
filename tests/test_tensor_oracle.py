"""Functions, promotion and results' types against PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


def pair(array: np.ndarray, requires_grad: bool = False) -> tuple[Any, Any]:
    """Return the same values as a jitnet and a PyTorch tensor, in separate memory."""
    mine = jitnet.tensor(array)
    other = torch.tensor(array)
    if requires_grad and array.dtype.kind == "f":
        mine.requires_grad_()
        other.requires_grad_()
    return mine, other


def name_of(dtype: Any) -> str:
    """Return "float32" for either library's dtype."""
    return str(dtype).split(".")[-1].rstrip("_")


def assert_same(mine: Any, other: Any, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Assert equal types and close values, in nested results too."""
    if isinstance(other, tuple | list) and not isinstance(other, torch.Size):
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            assert_same(a, b, rtol, atol)
        return
    if not isinstance(other, torch.Tensor):
        assert mine == other
        return
    assert name_of(mine.dtype) == name_of(other.dtype)
    assert tuple(mine.shape) == tuple(other.shape)
    np.testing.assert_allclose(
        mine.detach().numpy(), other.detach().numpy(), rtol=rtol, atol=atol, equal_nan=True
    )


def check(
    function: Callable[..., Any],
    *arrays: np.ndarray,
    other: Callable[..., Any] | None = None,
    grad: bool = True,
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    """Compare results and gradients; function(library, functional, *tensors)."""
    mine, theirs = zip(*(pair(array, grad) for array in arrays), strict=True)
    got = function(jitnet, F, *mine)
    want = (other or function)(torch, torch.nn.functional, *theirs)
    assert_same(got, want, rtol, atol)
    if not grad:
        return
    for y, expected in zip(flat(got), flat(want), strict=True):
        if not getattr(expected, "requires_grad", False):
            continue
        seed = np.cos(np.arange(expected.numel())).reshape(tuple(expected.shape))
        seed = seed.astype(expected.detach().numpy().dtype)
        y.backward(jitnet.tensor(seed), retain_graph=True)
        expected.backward(torch.tensor(seed), retain_graph=True)
    for a, b in zip(mine, theirs, strict=True):
        if b.requires_grad and b.grad is not None:
            found = jitnet.zeros_like(a) if a.grad is None else a.grad
            assert_same(found, b.grad, rtol * 3, atol * 3)


def flat(value: Any) -> list[Any]:
    """Return the tensors of a result."""
    if isinstance(value, tuple | list):
        return [item for part in value for item in flat(part)]
    return [value]


def real(*shape: int, seed: int = 0, low: float = -2, high: float = 2) -> np.ndarray:
    """Return float32 numbers without ties."""
    rng = np.random.default_rng(seed)
    line = np.linspace(low, high, int(np.prod(shape)), dtype=np.float32)
    return rng.permutation(line).reshape(shape)


# -- promotion ----------------------------------------------------------------------------------


def samples(name: str) -> list[tuple[Any, Any]]:
    """Return a vector and a zero-dimensional tensor of a dtype, for both libraries."""
    mine, theirs = getattr(jitnet, name), getattr(torch, name)
    return [
        (jitnet.ones(2, dtype=mine), torch.ones(2, dtype=theirs)),
        (jitnet.ones((), dtype=mine), torch.ones((), dtype=theirs)),
    ]


def outcome(function: Callable[[], Any]) -> str:
    """Return the result's dtype, or that there was an error."""
    try:
        return name_of(function().dtype)
    except (RuntimeError, TypeError, NotImplementedError):
        return "error"


BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "lt": lambda a, b: a < b,
    "eq": lambda a, b: a == b,
    "and": lambda a, b: a & b,
}


@pytest.mark.parametrize("op", BINARY)
def test_promotion(op: str) -> None:
    """The table of dtypes, with dims, without, and Python numbers."""
    function = BINARY[op]
    for first, second in itertools.product(DTYPES, repeat=2):
        for a, b in itertools.product(samples(first), samples(second)):
            want = outcome(lambda a=a, b=b: function(a[1], b[1]))
            got = outcome(lambda a=a, b=b: function(a[0], b[0]))
            assert got == want, (op, first, second, a[0].shape, b[0].shape)
    for first in DTYPES:
        for a, number in itertools.product(samples(first), (True, 2, 2.5)):
            want = outcome(lambda a=a, number=number: function(a[1], number))
            got = outcome(lambda a=a, number=number: function(a[0], number))
            assert got == want, (op, first, number)
            want = outcome(lambda a=a, number=number: function(number, a[1]))
            got = outcome(lambda a=a, number=number: function(number, a[0]))
            assert got == want, (op, number, first)


UNARY_TYPES = words(
    "sum prod mean amax argmax any all abs neg exp sqrt sigmoid floor round sign isnan "
    "logical_not bitwise_not cumsum std max min square reciprocal count_nonzero relu"
)


@pytest.mark.parametrize("name", UNARY_TYPES)
def test_result_types(name: str) -> None:
    """What whole numbers and bools become."""
    for dtype in DTYPES:
        if (name, dtype) == ("argmax", "bool"):  # PyTorch has none, jitnet does
            continue
        mine, theirs = samples(dtype)[0]
        args = (0,) if name in ("cumsum", "std") else ()
        want = outcome(lambda t=theirs, args=args: getattr(torch, name)(t, *args))
        got = outcome(lambda m=mine, args=args: getattr(jitnet, name)(m, *args))
        assert got == want, (name, dtype)


# -- functions ----------------------------------------------------------------------------------

X = real(3, 4)
Y = real(3, 4, seed=1, low=0.2, high=3)
SMALL = real(3, 4, low=-0.95, high=0.95)
EVEN = real(2, 4, 6, seed=2)

REAL = "exp exp2 expm1 sin cos tan atan sinh cosh tanh asinh erf erfc sigmoid abs neg sign square"
POSITIVE = "log log2 log10 log1p sqrt rsqrt reciprocal"
UNIT = "asin acos atanh erfinv"


@pytest.mark.parametrize("name", [*REAL.split(), *POSITIVE.split(), *UNIT.split()])
def test_unary(name: str) -> None:
    """Values and gradients of real functions."""
    x = Y if name in POSITIVE.split() else SMALL if name in UNIT.split() else X
    check(lambda lib, f, a: getattr(lib, name)(a), x)


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.5, 1e-40, 3e38], np.float32)


@pytest.mark.parametrize(
    "name",
    [
        *REAL.split(),
        *POSITIVE.split(),
        *UNIT.split(),
        *["floor", "ceil", "round", "trunc", "isnan", "isinf"],
    ],
)
def test_special_values(name: str) -> None:
    """NaN, infinities, zeros, denormals."""
    check(lambda lib, f, a: getattr(lib, name)(a), SPECIAL, grad=False)


TWO: dict[str, Callable[..., Any]] = {
    "add_alpha": lambda lib, f, a, b: lib.add(a, b, alpha=2),
    "sub_alpha": lambda lib, f, a, b: lib.sub(a, b, alpha=3),
    "pow": lambda lib, f, a, b: lib.pow(a.abs() + 0.1, b),
    "pow_scalar": lambda lib, f, a, b: a**3 + b**-1 + b**0.5 + b**2.5 + a**0 + 2**a,
    "atan2": lambda lib, f, a, b: lib.atan2(a, b),
    "maximum": lambda lib, f, a, b: lib.maximum(a, b) + lib.minimum(a, b),
    "maximum_tie": lambda lib, f, a, b: lib.maximum(a, a.clone()) * lib.minimum(b, b * 1),
    "fmax": lambda lib, f, a, b: lib.fmax(a, b) - lib.fmin(a, b),
    "remainder": lambda lib, f, a, b: lib.remainder(a, b) + lib.fmod(a, b) + a % -b,
    "floor_divide": lambda lib, f, a, b: (
        a.detach() // b.detach(), lib.div(a, b, rounding_mode="trunc")
    ),
    "where": lambda lib, f, a, b: lib.where(a > 0, a, b) + lib.where(a > 1, 2.0, b),
    "clamp": lambda lib, f, a, b: lib.clamp(a, -0.5, 0.7) + a.clamp(min=0) + a.clamp(max=b),
    "lerp": lambda lib, f, a, b: lib.lerp(a, b, 0.3),
    "addcmul": lambda lib, f, a, b: lib.addcmul(a, a, b, value=0.5) + lib.addcdiv(a, a, b),
    "logaddexp": lambda lib, f, a, b: lib.logaddexp(a, b),
    "xlogy": lambda lib, f, a, b: lib.xlogy(a, b),
    "hypot": lambda lib, f, a, b: lib.hypot(a, b),
    "compare": lambda lib, f, a, b: (a < b, a <= b, a > b, a >= b, a == b, a != b),
    "reflected": lambda lib, f, a, b: 2 - a + 3 / b + (4 * a) - (1 - b),
    "broadcast": lambda lib, f, a, b: a[:, :1] * b[0] + b.sum(1, keepdim=True),
    "isclose": lambda lib, f, a, b: (lib.isclose(a, b, atol=1.0), lib.allclose(a, b)),
    "nan_to_num": lambda lib, f, a, b: lib.nan_to_num(a / 0 * b),
    "signs": lambda lib, f, a, b: (lib.signbit(a), lib.copysign(b, a),
        lib.heaviside(a.detach(), b.detach())),
}  # fmt: skip


@pytest.mark.parametrize("name", TWO)
def test_binary(name: str) -> None:
    """Values and gradients of functions of two arguments."""
    check(TWO[name], X, Y)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda lib, f, a: (
        (a + 1).sum(), a.sum(1), a.sum((0, 2), keepdim=True), (a + 1).sum([]),
    ),
    "mean": lambda lib, f, a: (a.mean(), a.mean(-1), a.mean((0, 1), keepdim=True)),
    "var": lambda lib, f, a: (a.var(), a.var(1), a.var((0, 2), correction=0), a.std(-1)),
    "var_unbiased": lambda lib, f, a: (lib.var(a, 1, False), lib.std(a, unbiased=False)),
    "std_mean": lambda lib, f, a: (*lib.std_mean(a, 1), *lib.var_mean(a, 0, keepdim=True)),
    "prod": lambda lib, f, a: (a.prod(), a.prod(1), a.prod(-1, keepdim=True)),
    "amax": lambda lib, f, a: (a.amax(), a.amax(1), a.amin((0, 2)), lib.amax(a * 0, 1)),
    "max": lambda lib, f, a: (a.max(), *a.max(1), *a.min(-1, keepdim=True), a.min()),
    "arg": lambda lib, f, a: (a.argmax(), a.argmax(1), a.argmin(-1, keepdim=True)),
    "logsumexp": lambda lib, f, a: (a.logsumexp(1), lib.logsumexp(a, (0, 2), keepdim=True)),
    "norm": lambda lib, f, a: (a.norm(), a.norm(1), a.norm(2, 1), a.norm(3, -1, keepdim=True)),
    "norms": lambda lib, f, a: (a.norm(float("inf")), a.detach().norm(0), lib.norm(a, dim=(0, 1))),
    "cumsum": lambda lib, f, a: (a.cumsum(1), a.cumsum(-1), a.cumprod(0)),
    "any": lambda lib, f, a: ((a > 0).any(), (a > 0).all(1), a.any(1), lib.count_nonzero(a)),
    "softmax": lambda lib, f, a: (lib.softmax(a, 1), lib.log_softmax(a, -1), f.softmin(a, 0)),
    "median": lambda lib, f, a: (a.median(),),
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    """Values and gradients of reductions."""
    check(REDUCTIONS[name], EVEN, rtol=2e-5)


def test_reductions_of_few() -> None:
    """Zero-dimensional and empty tensors."""
    one = np.array(1.5, np.float32)
    check(lambda lib, f, a: (a.sum(), a.sum(0), a.mean(), *a.max(0), a.argmax(), a.prod()), one)
    none = np.zeros((0, 3), np.float32)
    check(lambda lib, f, a: (a.sum(), a.sum(0), a.sum(1), a.prod(0), a.mean(0), a.mean(1)), none)
    check(lambda lib, f, a: (a.any(), a.all(), a.any(0), lib.softmax(a, 1)), none)
    for function in (lambda a: a.max(), lambda a: a.argmax(0), lambda a: a.amax(0)):
        with pytest.raises((RuntimeError, IndexError)):
            function(jitnet.zeros(0, 3))


SHAPES: dict[str, Callable[..., Any]] = {
    "reshape": lambda lib, f, a: (a.reshape(8, -1), a.reshape((48,)), a.view(2, 24), a.ravel()),
    "permute": lambda lib, f, a: (a.permute(2, 0, 1), a.permute((1, 0, -1)), a.transpose(0, 2)),
    "T": lambda lib, f, a: (a[0].T, a.mT, a[0].t(), a.swapaxes(0, 1)),
    "movedim": lambda lib, f, a: (a.movedim(0, 2), lib.movedim(a, (0, 1), (2, 0))),
    "squeeze": lambda lib, f, a: (a[:1].squeeze(), a[:, :1].squeeze(1), a.squeeze(0)),
    "unsqueeze": lambda lib, f, a: (a.unsqueeze(0), a.unsqueeze(-1), a.unsqueeze(2)),
    "flatten": lambda lib, f, a: (a.flatten(), a.flatten(1), a.flatten(0, 1), a.flatten(1, 1)),
    "unflatten": lambda lib, f, a: (a.unflatten(2, (2, 3)), a.unflatten(-1, (-1, 2))),
    "expand": lambda lib, f, a: (a[:1].expand(5, -1, 6), a[0, 0].expand(2, 3, 6)),
    "repeat": lambda lib, f, a: (a.repeat(2, 1, 3), a.repeat(2, 1, 1, 2), lib.tile(a, (2,))),
    "interleave": lambda lib, f, a: (a.repeat_interleave(2), a.repeat_interleave(3, 1)),
    "cat": lambda lib, f, a: (lib.cat([a, a[:1]]), lib.cat((a, a), -1), lib.concat([a], 1)),
    "stack": lambda lib, f, a: (lib.stack([a, a * 2]), lib.stack([a, a], -1), lib.vstack([a, a])),
    "split": lambda lib, f, a: (a.split(4, 2), a.split([1, 3], 1), a.chunk(4, -1), a.unbind(1)),
    "tensor_split": lambda lib, f, a: (a.tensor_split(4, 2), a.tensor_split((1, 3), 2)),
    "narrow": lambda lib, f, a: (a.narrow(1, 1, 2), a.select(0, -1), a.narrow(2, -3, 2)),
    "flip": lambda lib, f, a: (a.flip(0), a.flip(0, 2), a.flip((1,)), lib.fliplr(a)),
    "roll": lambda lib, f, a: (a.roll(2), a.roll(-1, 1), a.roll((1, 2), (0, 2)), a.roll(7, 2)),
    "rot90": lambda lib, f, a: tuple(lib.rot90(a, k, (1, 2)) for k in range(-2, 3)),
    "tri": lambda lib, f, a: (a.tril(), a.triu(1), lib.tril(a, -1), a[0].triu()),
    "diagonal": lambda lib, f, a: (a.diagonal(), a.diagonal(1, 1, 2), a.diagonal(-2, 2, 0)),
    "diag": lambda lib, f, a: (lib.diag(a[0]), lib.diag(a[0, 0], 1), lib.diag_embed(a)),
    "trace": lambda lib, f, a: (lib.trace(a[0]),),
    "pad": lambda lib, f, a: (f.pad(a, (1, 2)), f.pad(a, (1, 0, 0, 2), value=3.5)),
    "pad_cut": lambda lib, f, a: (f.pad(a, (-1, 2, 1, -1)),),
    "pad_modes": lambda lib, f, a: tuple(
        f.pad(a, (2, 1), mode) for mode in ("reflect", "replicate", "circular")
    ),
    "broadcast": lambda lib, f, a: (
        *lib.broadcast_tensors(a, a[:1]), lib.broadcast_to(a, (2, 2, 4, 6)),
    ),
    "meshgrid": lambda lib, f, a: (
        *lib.meshgrid(a[0, 0], a[0, :, 0], indexing="ij"),
        *lib.meshgrid(a[0, 0], a[0, :, 0], indexing="xy"),
    ),
    "dims": lambda lib, f, a: (a.size(), a.size(-1), a.dim(), a.numel(), len(a), a.stride()),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    """Values and gradients of rearrangements."""
    check(SHAPES[name], EVEN, grad=name != "dims")


M = real(4, 3, seed=5)
N = real(3, 5, seed=6)
B = real(2, 4, 3, seed=7)
C = real(2, 3, 5, seed=8)
PRODUCTS: dict[str, Callable[..., Any]] = {
    "mm": lambda lib, f, m, n, b, c: (m @ n, lib.mm(m, n), m.t().contiguous().t() @ n),
    "matmul": lambda lib, f, m, n, b, c: (b @ c, b @ n, m @ c, lib.matmul(b[:, None], c)),
    "vectors": lambda lib, f, m, n, b, c: (m @ n[:, 0], n[:, 0] @ n, b @ n[:, 0], m[0] @ n[:, 0]),
    "more": lambda lib, f, m, n, b, c: (lib.bmm(b, c), lib.mv(m, n[:, 0]), lib.dot(m[0], m[1])),
    "outer": lambda lib, f, m, n, b, c: (lib.outer(m[0], n[0]), lib.inner(m, n.t())),
    "addmm": lambda lib, f, m, n, b, c: (
        lib.addmm(n[0], m, n, beta=0.5, alpha=2), lib.baddbmm(c[:, :1], b, c),
        lib.addmv(m[:, 0], m, n[:, 0]), lib.addr(n, m[0], n[0]),
    ),
    "linear": lambda lib, f, m, n, b, c: (f.linear(m, n.t()), f.linear(b, n.t(), n[0])),
    "bilinear": lambda lib, f, m, n, b, c: (f.bilinear(m, m[:, :2], b[:, :3, :2]),),
    "tensordot": lambda lib, f, m, n, b, c: (
        lib.tensordot(b, c, ([0, 2], [0, 1])), lib.tensordot(m, n, 1),
    ),
    "einsum": lambda lib, f, m, n, b, c: (
        lib.einsum("ij,jk->ik", m, n), lib.einsum("bij,bjk->bik", b, c),
        lib.einsum("bij,jk", b, n), lib.einsum("...ij,...jk->...ik", b, c),
        lib.einsum("ij->ji", m), lib.einsum("ij->", m), lib.einsum("bij,bjk,ik->b", b, c, m @ n),
        lib.einsum("i,j->ij", m[0], n[0]), lib.einsum("ii->i", m[:3]), lib.einsum("ii", m[:3]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str) -> None:
    """Values and gradients of matrix products."""
    check(PRODUCTS[name], M, N, B, C, rtol=1e-4, atol=1e-5)


def named(name: str) -> Callable[..., Any]:
    """Return the function of nn.functional with this name."""
    return lambda lib, f, a: getattr(f, name)(a)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    name: named(name)
    for name in words(
        "relu relu6 leaky_relu elu celu selu gelu silu mish hardsigmoid hardswish hardtanh "
        "logsigmoid softplus softsign softshrink hardshrink tanhshrink sigmoid tanh"
    )
}
ACTIVATIONS |= {
    "gelu_tanh": lambda lib, f, a: f.gelu(a, approximate="tanh"),
    "leaky": lambda lib, f, a: f.leaky_relu(a, 0.3),
    "elu_alpha": lambda lib, f, a: f.elu(a, 0.3) + f.celu(a, 2.0),
    "softplus_beta": lambda lib, f, a: f.softplus(a, 3.0, 4.0),
    "hardtanh_range": lambda lib, f, a: f.hardtanh(a, -0.5, 1.5),
    "threshold": lambda lib, f, a: f.threshold(a, 0.2, -1.0),
    "glu": lambda lib, f, a: (f.glu(a), f.glu(a, 1)),
    "softmax_dtype": lambda lib, f, a: f.softmax(a, -1, dtype=lib.float64),
    "normalize": lambda lib, f, a: (f.normalize(a), f.normalize(a, p=1, dim=-1)),
    "prelu": lambda lib, f, a: (f.prelu(a, a[0, :, 0].detach()), f.prelu(a, a[0, 0, :1].detach())),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    """Values and gradients of activations, at kinks and far out too."""
    check(ACTIVATIONS[name], EVEN * 2, rtol=2e-5)
    kinks = np.array([-3, -1, -0.5, 0, 0.5, 1, 3, 6, 30, -30, 100, -100], np.float32)
    if name not in ("glu", "prelu", "normalize", "softmax_dtype"):
        check(ACTIVATIONS[name], kinks, rtol=2e-5)
        check(ACTIVATIONS[name], np.array([np.nan], np.float32), grad=False)


def test_dtypes_of_sums_in_float64() -> None:
    """float64 stays float64, with its digits."""
    check(lambda lib, f, a: (lib.softmax(a, 0), a.mean(), f.gelu(a)), X.astype(float), rtol=1e-12)
