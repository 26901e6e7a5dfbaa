"""Windows under the names of torch.signal.windows, and PyTorch's older `hann_window` and kin.

Each is symmetric, or, with sym=False, one period of a periodic function. Values are computed in
double precision and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jitnet.runtime.dtype import DType, float64

from .. import creation, keywords
from ..errors import at_line
from ..tensor import Tensor

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip

Array = np.ndarray[Any, np.dtype[np.float64]]


def _made(
    shape: Callable[[Array, int], Any],
    M: int,  # noqa: N803
    sym: bool,
    dtype: DType | None,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    """Return shape(places, last place) at M places; of a period, the last one is left out."""
    kind = dtype or creation.get_default_dtype()
    if M < 0:
        raise ValueError(at_line(f"a window wants a length >= 0, got {M}"))
    if kind.kind != "float" or kind.narrow:
        raise RuntimeError(at_line(f"a window expects float32 or float64 dtypes, got: {kind}"))
    last = M - 1 if sym else M
    values = np.ones(M) if M <= 1 else shape(np.arange(M, dtype=np.float64), last)
    return creation.tensor(values.astype(np.float64), kind, device, requires_grad)


def general_cosine(
    M: int,  # noqa: N803
    *,
    a: Sequence[float],
    sym: bool = True,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the sum of (-1)^i a_i cos(2 pi i k / (M - 1))."""
    if not a:
        raise ValueError(at_line("general_cosine wants at least one coefficient"))

    def shape(k: Array, last: int) -> Any:
        terms = [(-1) ** i * c * np.cos(2 * math.pi * i * k / last) for i, c in enumerate(a)]
        return np.sum(terms, axis=0)

    return _made(shape, M, sym, dtype, device, requires_grad)


def general_hamming(M: int, *, alpha: float = 0.54, **options: Any) -> Tensor:  # noqa: N803
    """Return alpha - (1 - alpha) cos(2 pi k / (M - 1))."""
    return general_cosine(M, a=(alpha, 1 - alpha), **options)


def hann(M: int, **options: Any) -> Tensor:  # noqa: N803
    """Return one raised cosine: 0 at both ends."""
    return general_hamming(M, alpha=0.5, **options)


def hamming(M: int, **options: Any) -> Tensor:  # noqa: N803
    """Return a raised cosine that is 0.08 at both ends."""
    return general_hamming(M, alpha=0.54, **options)


def blackman(M: int, **options: Any) -> Tensor:  # noqa: N803
    """Return Blackman's sum of three cosines."""
    return general_cosine(M, a=(0.42, 0.5, 0.08), **options)


def nuttall(M: int, **options: Any) -> Tensor:  # noqa: N803
    """Return Nuttall's sum of four cosines."""
    return general_cosine(M, a=(0.3635819, 0.4891775, 0.1365995, 0.0106411), **options)


def bartlett(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a triangle."""

    def shape(k: Array, last: int) -> Any:
        return 1 - np.abs(2 * k / last - 1)

    return _made(shape, M, sym, dtype, device, requires_grad)


def cosine(
    M: int,  # noqa: N803
    *,
    sym: bool = True,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return half a wave of a sine."""

    def shape(k: Array, last: int) -> Any:
        return np.sin(math.pi * (k + 0.5) / (last + 1))

    return _made(shape, M, sym, dtype, device, requires_grad)


def exponential(
    M: int,  # noqa: N803
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return exp(-|k - center| / tau)."""
    if tau <= 0:
        raise ValueError(at_line(f"exponential wants tau > 0, got {tau}"))
    if sym and center is not None:
        raise ValueError(at_line("a symmetric window has its own center; say sym=False"))

    def shape(k: Array, last: int) -> Any:
        return np.exp(-np.abs(k - (last / 2 if center is None else center)) / tau)

    return _made(shape, M, sym, dtype, device, requires_grad)


def gaussian(
    M: int,  # noqa: N803
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return exp(-((k - middle) / std)^2 / 2)."""
    if std <= 0:
        raise ValueError(at_line(f"gaussian wants std > 0, got {std}"))

    def shape(k: Array, last: int) -> Any:
        return np.exp(-(((k - last / 2) / std) ** 2) / 2)

    return _made(shape, M, sym, dtype, device, requires_grad)


def kaiser(
    M: int,  # noqa: N803
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return Kaiser's window of Bessel functions."""
    if beta < 0:
        raise ValueError(at_line(f"kaiser wants beta >= 0, got {beta}"))

    def shape(k: Array, last: int) -> Any:
        return np.i0(beta * np.sqrt(np.maximum(0, 1 - (2 * k / last - 1) ** 2))) / np.i0(beta)

    return _made(shape, M, sym, dtype, device, requires_grad)


def _rounded(
    window: Callable[..., Tensor],
    length: int,
    periodic: bool,
    dtype: DType | None = None,
    requires_grad: bool = False,
    **options: Any,
) -> Tensor:
    """Return a window as PyTorch's older functions do: of 16 bits, too."""
    kind = dtype or creation.get_default_dtype()
    if kind.kind != "float":
        raise RuntimeError(at_line(f"a window wants floating point, got {kind}"))
    made = window(length, sym=not periodic, dtype=float64, **options)
    return made.to(kind).requires_grad_(requires_grad)  # type: ignore[no-any-return]


def _older(window: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """Return PyTorch's older function of a window: periodic by default."""

    def apply(window_length: int, periodic: bool = True, **options: Any) -> Tensor:
        return _rounded(window, window_length, periodic, **options)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Return {window.__name__}(window_length), periodic unless told otherwise."
    return apply


hann_window = _older(hann, "hann_window")
blackman_window = _older(blackman, "blackman_window")
bartlett_window = _older(bartlett, "bartlett_window")


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, **options: Any
) -> Tensor:
    """Return Kaiser's window, periodic unless told otherwise."""
    return _rounded(kaiser, window_length, periodic, beta=beta, **options)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    **options: Any,
) -> Tensor:
    """Return alpha - beta cos(2 pi k / window_length), periodic unless told otherwise."""
    return _rounded(general_cosine, window_length, periodic, a=(alpha, beta), **options)


keywords.install(globals())
