"""jitnet.fft: discrete Fourier transforms under the names of torch.fft.

See https://pytorch.org/docs/stable/fft.html. norm is "backward" (the default), "ortho" or
"forward"; n and s cut the input off, or pad it with zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jitnet.runtime.dtype import DType

from . import creation, keywords
from .functional import fourier
from .functional.fourier import Sizes, as_complex, as_real
from .functional.joining import roll
from .functional.out import with_out
from .tensor import Tensor

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft",
    "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip

Norm = str | None


# -- one dim ------------------------------------------------------------------------------------


@with_out
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: Norm = None) -> Tensor:
    """Return the transform along a dim."""
    z = as_complex(input, "fft")
    return fourier.complex_to_complex(z, fourier.one(z, n, dim), norm, False)


@with_out
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: Norm = None) -> Tensor:
    """Return the inverse transform along a dim."""
    z = as_complex(input, "ifft")
    return fourier.complex_to_complex(z, fourier.one(z, n, dim), norm, True)


@with_out
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: Norm = None) -> Tensor:
    """Return the first n // 2 + 1 frequencies of real numbers, which say all."""
    x = as_real(input, "rfft")
    return fourier.real_to_complex(x, fourier.one(x, n, dim), norm)


@with_out
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: Norm = None) -> Tensor:
    """Return n real numbers from what rfft gives; n is even unless it is said."""
    z = as_complex(input, "irfft")
    plan = fourier.to_full_size(z, fourier.one(z, n, dim), n is not None)
    return fourier.complex_to_real(z, plan, norm)


@with_out
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: Norm = None) -> Tensor:
    """Return the n real frequencies of a Hermitian signal, given as its first half."""
    z = as_complex(input, "hfft")
    plan = fourier.to_full_size(z, fourier.one(z, n, dim), n is not None)
    return fourier.complex_to_real(z, plan, norm, inverse=False)


@with_out
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: Norm = None) -> Tensor:
    """Return the first half of the Hermitian signal with these real frequencies."""
    x = as_real(input, "ihfft")
    return fourier.real_to_half(x, fourier.one(x, n, dim), norm)


# -- several dims -------------------------------------------------------------------------------


@with_out
def fftn(input: Tensor, s: Sizes = None, dim: Sizes = None, norm: Norm = None) -> Tensor:
    """Return the transform along several dims: all, or the last ones that s has sizes for."""
    z = as_complex(input, "fftn")
    return fourier.complex_to_complex(z, fourier.planned(z, s, dim), norm, False)


@with_out
def ifftn(input: Tensor, s: Sizes = None, dim: Sizes = None, norm: Norm = None) -> Tensor:
    """Return the inverse transform along several dims."""
    z = as_complex(input, "ifftn")
    return fourier.complex_to_complex(z, fourier.planned(z, s, dim), norm, True)


@with_out
def rfftn(input: Tensor, s: Sizes = None, dim: Sizes = None, norm: Norm = None) -> Tensor:
    """Return the transform of real numbers; of the last dim the first half."""
    x = as_real(input, "rfftn")
    return fourier.real_to_complex(x, fourier.planned(x, s, dim), norm)


@with_out
def irfftn(input: Tensor, s: Sizes = None, dim: Sizes = None, norm: Norm = None) -> Tensor:
    """Return the real numbers of which rfftn gives input."""
    z = as_complex(input, "irfftn")
    plan = fourier.to_full_size(z, fourier.planned(z, s, dim), _last_is_given(s))
    return fourier.complex_to_real(z, plan, norm)


@with_out
def hfftn(input: Tensor, s: Sizes = None, dim: Sizes = None, norm: Norm = None) -> Tensor:
    """Return the real frequencies of a Hermitian signal, given as the half of its last dim."""
    z = as_complex(input, "hfftn")
    plan = fourier.to_full_size(z, fourier.planned(z, s, dim), _last_is_given(s))
    return fourier.complex_to_real(z, plan, norm, inverse=False)


@with_out
def ihfftn(input: Tensor, s: Sizes = None, dim: Sizes = None, norm: Norm = None) -> Tensor:
    """Return the half of the Hermitian signal with these real frequencies."""
    x = as_real(input, "ihfftn")
    return fourier.real_to_half(x, fourier.planned(x, s, dim), norm)


def _last_is_given(s: Sizes) -> bool:
    sizes = [s] if isinstance(s, int) else s
    return bool(sizes) and sizes[-1] != -1  # type: ignore[index]


def _of_two(function: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    """Return the transform along two dims."""

    def apply(
        input: Tensor,
        s: Sequence[int] | None = None,
        dim: Sequence[int] = (-2, -1),
        norm: Norm = None,
        *,
        out: Tensor | None = None,
    ) -> Tensor:
        return function(input, s, dim, norm, out=out)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"Do {function.__name__} along two dims, the last ones if none are named."
    return apply


fft2 = _of_two(fftn, "fft2")
ifft2 = _of_two(ifftn, "ifft2")
rfft2 = _of_two(rfftn, "rfft2")
irfft2 = _of_two(irfftn, "irfft2")
hfft2 = _of_two(hfftn, "hfft2")
ihfft2 = _of_two(ihfftn, "ihfft2")


# -- frequencies and their order ----------------------------------------------------------------


def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies that fft gives of n samples d apart: 0 and up, then the negative."""
    order = [*range((n + 1) // 2), *range(-(n // 2), 0)]
    return _frequencies(order, n * d, dtype, device, requires_grad)


def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies that rfft gives of n samples d apart."""
    return _frequencies(list(range(n // 2 + 1)), n * d, dtype, device, requires_grad)


def _frequencies(
    order: list[int], span: float, dtype: DType | None, device: Any, requires_grad: bool
) -> Tensor:
    values = [place / span for place in order]
    kind = dtype or creation.get_default_dtype()
    return creation.tensor(values, kind, device, requires_grad)


def _shifted(x: Tensor, dim: Sizes, forth: bool) -> Tensor:
    dims = list(range(x.ndim)) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    halves = [x.shape[axis] // 2 for axis in dims]
    if not dims:
        return x.clone()  # type: ignore[no-any-return]
    return roll(x, halves if forth else [-half for half in halves], dims)


def fftshift(input: Tensor, dim: Sizes = None) -> Tensor:
    """Return frequencies in their natural order, 0 in the middle."""
    return _shifted(input, dim, True)


def ifftshift(input: Tensor, dim: Sizes = None) -> Tensor:
    """Return frequencies in the order of fft again."""
    return _shifted(input, dim, False)


keywords.install(globals())
