"""How tensors print: as PyTorch prints them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jitnet.runtime.dtype import bool_, convert, float32, int64

from ..device import CPU
from ..tensor import Tensor
from . import making


@dataclass(frozen=True)
class PrintOptions:
    """Digits behind the point, elements until ranges are cut, elements left, columns."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Say how tensors print; profile is "default", "short" or "full"."""
    global _options
    profiles = {
        "default": PrintOptions(),
        "short": PrintOptions(precision=2, edgeitems=2),
        "full": PrintOptions(threshold=math.inf),
    }
    if profile is not None:
        _options = profiles[profile]
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    _options = replace(_options, sci_mode=sci_mode, **chosen)


class _Numbers:
    """How the numbers of one tensor print: their width and form."""

    def __init__(self, array: np.ndarray) -> None:
        self.floating = array.dtype.kind == "f"
        self.whole = True
        self.scientific = False
        self.width = 1
        flat = array.ravel()
        if not self.floating:
            self.width = max((len(str(value)) for value in flat.tolist()), default=1)
            return
        used = flat[np.isfinite(flat) & (flat != 0)].astype(np.float64)
        sizes = np.abs(used)
        if not sizes.size:
            return
        largest, smallest = sizes.max(), sizes.min()
        with np.errstate(over="ignore"):  # to infinity, which is more than 1000 too
            ratio = largest / smallest
        self.whole = bool((sizes == np.ceil(sizes)).all())
        if self.whole:
            self.scientific = ratio > 1000.0 or largest > 1.0e8
        else:
            self.scientific = ratio > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4
        if _options.sci_mode is not None:
            self.scientific = _options.sci_mode
        self.width = max(len(self.text(value)) for value in used.tolist())

    def text(self, value: Any) -> str:
        """Return one number, unpadded."""
        if not self.floating:
            return str(value)
        if self.scientific:
            return f"{value:.{_options.precision}e}"
        if self.whole:
            return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
        return f"{value:.{_options.precision}f}"

    def padded(self, value: Any) -> str:
        """Return one number, as wide as the widest."""
        return self.text(value).rjust(self.width)


class _Complex:
    """How complex numbers print: the forms of their two parts."""

    def __init__(self, array: np.ndarray) -> None:
        self.real, self.imag = _Numbers(array.real), _Numbers(array.imag)
        self.width = self.real.width + self.imag.width + 1

    def text(self, value: Any) -> str:
        """Return one number, unpadded."""
        return self.real.text(value.real) + self._imaginary(value)

    def padded(self, value: Any) -> str:
        """Return one number, its real part as wide as the widest."""
        return self.real.padded(value.real) + self._imaginary(value)

    def _imaginary(self, value: Any) -> str:
        text = self.imag.text(value.imag)
        return (text if text.startswith("-") else "+" + text) + "j"


_Forms = _Numbers | _Complex


def _row(array: np.ndarray, indent: int, cut: bool, numbers: _Forms) -> str:
    """Return a vector in brackets, broken into lines."""
    per_line = max(1, (_options.linewidth - indent) // (numbers.width + 2))
    edge = _options.edgeitems
    if cut and array.size > 2 * edge:
        items = [numbers.padded(value) for value in array[:edge].tolist()]
        items += [" ..."] + [numbers.padded(value) for value in array[-edge:].tolist()]
    else:
        items = [numbers.padded(value) for value in array.tolist()]
    lines = [items[start : start + per_line] for start in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"


def _block(array: np.ndarray, indent: int, cut: bool, numbers: _Forms) -> str:
    """Return an array of any rank in nested brackets."""
    if array.ndim == 0:
        return numbers.text(array.item())
    if array.ndim == 1:
        return _row(array, indent, cut, numbers)
    edge = _options.edgeitems
    if cut and len(array) > 2 * edge:
        parts = [_block(part, indent + 1, cut, numbers) for part in array[:edge]]
        parts += ["..."] + [_block(part, indent + 1, cut, numbers) for part in array[-edge:]]
    else:
        parts = [_block(part, indent + 1, cut, numbers) for part in array]
    between = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + between.join(parts) + "]"


def _shown(array: np.ndarray) -> np.ndarray:
    """Return the elements that a cut print shows."""
    edge = _options.edgeitems
    for axis in range(array.ndim):
        if array.shape[axis] > 2 * edge:
            size = array.shape[axis]
            places = [*range(edge), *range(size - edge, size)]
            array = np.take(array, places, axis)
    return array


def describe(x: Tensor) -> str:
    """Return `tensor([1., 2.], requires_grad=True)`; a traced tensor by its type."""
    if x._array is None:
        return f"tensor(<traced {x._type}>)"
    here = x.detach().cpu()._copied()
    array = convert(here, float32) if x.dtype.narrow else np.asarray(here)
    suffixes = [] if x.device is CPU else [f"device='{x.device}'"]
    floats = making.get_default_dtype()
    usual = (floats, floats.to_complex(), int64, bool_)
    if not array.size:
        body = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if x.dtype is not making.get_default_dtype():
            suffixes.append(f"dtype={x.dtype!r}")
    else:
        if x.dtype not in usual:
            suffixes.append(f"dtype={x.dtype!r}")
        cut = array.size > _options.threshold
        numbers = (_Complex if x.dtype.is_complex else _Numbers)(_shown(array) if cut else array)
        body = _block(array, len("tensor("), cut, numbers)
    if x.grad_fn is not None:
        suffixes.append(f"grad_fn={x.grad_fn!r}")
    elif x.requires_grad:
        suffixes.append("requires_grad=True")
    return _joined(body, suffixes)


def _joined(body: str, suffixes: list[str]) -> str:
    """Put suffixes behind the numbers, on a line of their own where they do not fit."""
    text = "tensor(" + body
    width = len(text) - text.rfind("\n") - 1
    for suffix in suffixes:
        if width + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * len("tensor(") + suffix
            width = len("tensor(") + len(suffix)
        else:
            text += ", " + suffix
            width += len(suffix) + 2
    return text + ")"
