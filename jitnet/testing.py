"""jitnet.testing: assertions about tensors, and tensors to test with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType

from . import creation
from .tensor import Tensor

# dtype name -> how far two values may be apart: (relative, absolute)
_CLOSE = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise AssertionError unless tensors, numbers or containers of them are nearly equal.

    |actual - expected| <= atol + rtol |expected|; give both or neither: then they follow from the
    less precise of the two dtypes, and are 0 for whole numbers.
    """
    if (rtol is None) != (atol is None):
        raise ValueError("give both rtol and atol, or neither of them")
    given = None if rtol is None or atol is None else (rtol, atol)
    wrong = _difference(actual, expected, given, equal_nan, check_dtype)
    if wrong:
        raise AssertionError(msg(wrong) if callable(msg) else msg or wrong)


def _difference(
    actual: Any, expected: Any, given: tuple[float, float] | None, nan: bool, dtypes: bool
) -> str:
    """Return how two values differ; "" if they do not."""
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping) or actual.keys() != expected.keys():
            return f"The keys of the mappings do not match: {actual} and {expected}"
        pairs = [(key, actual[key], expected[key]) for key in expected]
    elif isinstance(expected, Sequence):
        if not isinstance(actual, Sequence) or len(actual) != len(expected):
            return f"The length of the sequences mismatch: {actual} and {expected}"
        pairs = list(zip(range(len(expected)), actual, expected, strict=True))
    else:
        return _apart(actual, expected, given, nan, dtypes)
    for key, one, other in pairs:
        found = _difference(one, other, given, nan, dtypes)
        if found:
            return f"{found}\n\nThe failure occurred for item [{key!r}]"
    return ""


def _apart(
    actual: Any, expected: Any, given: tuple[float, float] | None, nan: bool, dtypes: bool
) -> str:
    a, b = (
        creation.as_tensor(value, device=None if isinstance(value, Tensor) else "cpu").detach()
        for value in (actual, expected)
    )
    if a.shape != b.shape:
        return f"The values for attribute 'shape' do not match: {a.shape} != {b.shape}."
    both = isinstance(actual, Tensor) and isinstance(expected, Tensor)
    if dtypes and both and a.dtype is not b.dtype:
        return f"The values for attribute 'dtype' do not match: {a.dtype} != {b.dtype}."
    names = (a.dtype.name, b.dtype.name)
    rtol, atol = given or map(max, zip(*(_CLOSE.get(name, (0, 0)) for name in names), strict=True))
    one, other = _values(a), _values(b)
    near = np.isclose(one, other, rtol, atol, equal_nan=nan)
    if rtol == atol == 0:  # NumPy compares whole numbers as floats
        near &= (one == other) | (one != one)
    if near.all():
        return ""
    with np.errstate(all="ignore"):
        unsigned = one.dtype.kind == other.dtype.kind == "u"
        far = np.where(one > other, one - other, other - one) if unsigned else np.abs(one - other)
        share = far / np.abs(other)
    return (
        f"Tensor-likes are not close!\n\nMismatched elements: {near.size - near.sum()} / "
        f"{near.size}\nGreatest absolute difference: {far.max()} (up to {atol} allowed)\n"
        f"Greatest relative difference: {share.max()} (up to {rtol} allowed)"
    )


def _values(tensor: Tensor) -> np.ndarray:
    """Return a tensor's values in the widest dtype of their kind."""
    if tensor.is_complex():
        return tensor.numpy().astype(np.complex128)
    if tensor.dtype.kind == "uint":
        return tensor.numpy().astype(np.uint64)
    return tensor.double().numpy() if tensor.is_floating_point() else tensor.long().numpy()  # type: ignore[no-any-return]


def make_tensor(
    *shape: Any,
    dtype: DType,
    device: Any = None,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Return random values from low to high: -9 to 9 for numbers, 0 or 1 for bools."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    least, most = (0, 2) if dtype.name == "bool" else (-9, 9 if dtype.is_floating_point else 10)
    if dtype.kind == "uint":
        least = 0
    least, most = least if low is None else low, most if high is None else high
    if dtype.is_floating_point or dtype.is_complex:
        made = creation.rand(*sizes, dtype=dtype, device=device) * (most - least) + least
    else:
        made = creation.randint(int(least), int(most), sizes, dtype=dtype, device=device)
    if exclude_zero:
        made[made == 0] = 1
    return made.requires_grad_() if requires_grad else made
