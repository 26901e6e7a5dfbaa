"""uint16, uint32 and uint64: what they meet in, what computes with them, eager and compiled."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet

NAMES = pytest.mark.parametrize("name", ["uint16", "uint32", "uint64"])
WHOLE = "uint8 int8 int16 int32 int64 uint16 uint32 uint64".split()
OTHERS = "bool float16 bfloat16 float32 float64 complex64 complex128".split()


def _pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Small and the greatest numbers of a dtype, and others, of which none is 0."""
    top = int(np.iinfo(name).max)
    first = np.array([0, 1, 2, 7, top, top - 1, top // 2 + 1, top // 3, 12345], name)
    return first, np.array([3, 1, top, 2, 5, top // 2 + 2, 3, 7, 15], name)


def _either(name: str) -> Callable[[Any, Any], Any]:
    """Return jitnet's function of tensors and NumPy's of arrays."""
    return lambda a, b: getattr(jitnet if isinstance(a, jitnet.Tensor) else np, name)(a, b)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    **{
        name: getattr(operator, name)
        for name in "add sub mul truediv floordiv mod pow and_ or_ xor lshift rshift".split()
    },
    **{name: getattr(operator, name) for name in "eq ne lt le gt ge".split()},
    **{name: _either(name) for name in ("maximum", "minimum", "fmod")},
}  # fmt: skip


@NAMES
@pytest.mark.parametrize("function", BINARY.values(), ids=BINARY)
def test_two_arguments(name: str, function: Callable[[Any, Any], Any]) -> None:
    """Numbers above the signed ones' greatest, compiled and eager, as NumPy computes."""
    a, b = _pair(name)
    x, y = jitnet.from_numpy(a), jitnet.from_numpy(b)
    with np.errstate(all="ignore"):
        wanted = function(a, b)
    for got in (function(x, y), jitnet.compile(function)(x, y)):
        if got.is_floating_point():
            np.testing.assert_allclose(got.numpy(), wanted, rtol=1e-6)
        else:
            assert got.dtype.name == wanted.dtype.name
            np.testing.assert_array_equal(got.numpy(), wanted)


UNARY: dict[str, Callable[[Any], Any]] = {
    "invert": operator.invert,
    "neg": operator.neg,
    "abs": abs,
    "max": lambda x: x.max(),
    "min": lambda x: x.min(),
    "argmax": lambda x: x.argmax(),
    "argmin": lambda x: x.argmin(),
    "cumsum": lambda x: x.cumsum(0),
    "sum": lambda x: x.sum(),
    "prod": lambda x: x.prod(),
    "any": lambda x: x.any(),
    "slice": lambda x: x[1::2],
    "with numbers": lambda x: (x + 1) // 3 * 2 % 100 & 60,
    "with a number before": lambda x: 7 - x,
}


@NAMES
@pytest.mark.parametrize("function", UNARY.values(), ids=UNARY)
def test_one_argument(name: str, function: Callable[[Any], Any]) -> None:
    a, _ = _pair(name)
    x = jitnet.from_numpy(a)
    with np.errstate(all="ignore"):
        wanted = function(a)
    for got in (function(x), jitnet.compile(function)(x)):
        assert got.dtype.name == wanted.dtype.name or got.dtype is jitnet.int64  # sums, as PyTorch
        np.testing.assert_array_equal(got.numpy().astype(wanted.dtype), wanted)


@pytest.mark.filterwarnings("ignore:Casting complex")
@NAMES
def test_conversions(name: str) -> None:
    """To and from every dtype, compiled as eager."""
    dtype = getattr(jitnet, name)
    a, _ = _pair(name)
    x = jitnet.from_numpy(a)
    every = [getattr(jitnet, other) for other in (*WHOLE, *OTHERS)]

    def convert(x: Any) -> Any:
        there = [x.to(other) for other in every]
        small = [(x % 100).to(other).to(dtype) for other in every]
        return there, small

    with np.errstate(all="ignore"):
        eager, compiled = convert(x), jitnet.compile(convert)(x)
    for mine, other in zip([*eager[0], *eager[1]], [*compiled[0], *compiled[1]], strict=True):
        assert mine.dtype is other.dtype and mine.tolist() == other.tolist()
    assert eager[0][every.index(jitnet.float64)].tolist() == [float(value) for value in a.tolist()]


def _meet(one: str, other: str) -> str | None:
    """What NumPy makes of two dtypes of whole numbers; None for a float."""
    found = np.promote_types(one, other)
    return found.name if found.kind in "iu" else None


@pytest.mark.parametrize("one", WHOLE)
@pytest.mark.parametrize("other", WHOLE)
def test_whole_numbers_meet_as_the_standard_says(one: str, other: str) -> None:
    a = jitnet.ones(2, dtype=getattr(jitnet, one))
    b = jitnet.ones(2, dtype=getattr(jitnet, other))
    wanted = _meet(one, other)
    if wanted is None:
        with pytest.raises(jitnet.DTypeError, match=r"cast one first"):
            a + b
        return
    assert jitnet.result_type(a.dtype, b.dtype).name == (a + b).dtype.name == wanted
    assert (a + 1).dtype is a.dtype and (2 * a).dtype is a.dtype


@NAMES
@pytest.mark.parametrize("other", [*WHOLE, *OTHERS])
def test_promote_types_is_pytorchs(name: str, other: str) -> None:
    torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")
    for one, two in ((name, other), (other, name)):
        try:
            wanted = str(torch.promote_types(getattr(torch, one), getattr(torch, two)))
        except RuntimeError as error:
            said = str(error).split(",")[0]
            with pytest.raises(RuntimeError, match=said):
                jitnet.promote_types(getattr(jitnet, one), getattr(jitnet, two))
            continue
        got = jitnet.promote_types(getattr(jitnet, one), getattr(jitnet, two))
        assert str(got).removeprefix("jitnet.") == wanted.removeprefix("torch.")


PYTORCHS = (
    "x * x", "x / y", "x & y", "x ^ y", "x == y", "x * 2.5", "x.sum()", "x.prod()", "x.cumsum(0)",
    "x.sort().values", "x.argsort()", "torch.unique(x)", "torch.sqrt(y)", "torch.floor(x)",
    "x.roll(1)", "torch.cat([x, y])", "x.repeat_interleave(2)", "x.any()", "x.to(torch.float32)",
    "torch.tensor([3.7, -1.5]).to(x.dtype)", "torch.full((2,), -1, dtype=x.dtype)", "x[y != 7]",
    "torch.ones_like(x)", "torch.outer(x, y)", "torch.copysign(x, y)", "torch.nan_to_num(x)",
    "x[torch.tensor([1, 0])]", "x.reshape(3, 3).T", "x.int()", "x.bool()", "x.clone().fill_(7)",
    "x.to(torch.int64).to(x.dtype)", "x.view(3, -1)[1]",
)  # fmt: skip


@NAMES
@pytest.mark.parametrize("text", PYTORCHS)
def test_what_pytorch_computes(name: str, text: str) -> None:
    torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")
    a, b = _pair(name)
    mine, theirs = (
        eval(text, {"torch": library, "x": library.from_numpy(a), "y": library.from_numpy(b)})
        for library in (jitnet, torch)
    )
    assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6)


def test_the_greatest_numbers() -> None:
    top = 2**64 - 1
    x = jitnet.tensor([top, 1], dtype=jitnet.uint64)
    assert x.tolist() == [top, 1] and x[0].item() == top and int(x[0]) == top
    assert (x == top).tolist() == [True, False] and (x < top).tolist() == [False, True]
    assert jitnet.full((1,), top, dtype=jitnet.uint64).tolist() == [top]
    assert repr(x) == f"tensor([{top},{' ' * 20}1], dtype=jitnet.uint64)"
    assert jitnet.iinfo(jitnet.uint64).max == top and jitnet.iinfo(jitnet.uint32).bits == 32
    assert x.type() == "jitnet.UInt64Tensor"
    compiled = jitnet.compile(lambda x: (x == top, jitnet.where(x > 1, x, top - 1)))
    equal, chosen = compiled(x)
    assert equal.tolist() == [True, False] and chosen.tolist() == [top, top - 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("int8", 128), ("int8", -129), ("uint8", -300), ("uint16", 65536), ("uint64", -1),
     ("uint64", 2**64), ("int64", 2**63), ("int8", float("nan")), ("int64", 1e40),
     ("int64", [2**63, -1])],
)  # fmt: skip
def test_numbers_that_a_dtype_cannot_hold(name: str, value: Any) -> None:
    with pytest.raises(RuntimeError, match=f"type {name} without overflow"):
        jitnet.tensor(value, dtype=getattr(jitnet, name))


def test_numbers_at_the_edges() -> None:
    assert jitnet.tensor([-1, -255, 255], dtype=jitnet.uint8).tolist() == [255, 1, 255]
    assert jitnet.tensor([2**63 - 1, -(2**63)]).tolist() == [2**63 - 1, -(2**63)]
    assert jitnet.tensor([2.0**63, 2**63]).tolist() == [2.0**63] * 2
    assert jitnet.tensor(2**70, dtype=jitnet.float64).item() == 2.0**70
    assert jitnet.tensor(2**70, dtype=jitnet.bool).item() is True
    assert jitnet.tensor([127.9, -128.9], dtype=jitnet.int8).tolist() == [127, -128]
    with pytest.raises(RuntimeError, match=r"type int64 without overflow"):
        jitnet.tensor([1, 2**63])


def test_closeness_is_exact() -> None:
    x = jitnet.tensor([2**64 - 1], dtype=jitnet.uint64)
    jitnet.testing.assert_close(x, x.clone())
    with pytest.raises(AssertionError, match="Greatest absolute difference: 1 "):
        jitnet.testing.assert_close(x, x - 1)


@NAMES
def test_indices_and_random_numbers(name: str) -> None:
    dtype = getattr(jitnet, name)
    x = jitnet.arange(5, dtype=dtype)
    assert x[x[1:3]].tolist() == [1, 2]
    made = jitnet.randint(0, 5, (50,), dtype=dtype)
    assert made.dtype is dtype and made.max() < 5
    assert made.sort(descending=True).values[0] == made.max()
