"""Short-time Fourier transforms: of overlapping windows of a signal, and back."""

from __future__ import annotations

import warnings

import numpy as np

from jitnet.compiler import ops

from .. import creation
from ..errors import at_line
from ..tensor import Tensor
from .complex_numbers import view_as_real
from .fourier import complex_to_complex, complex_to_real, real_to_complex
from .padding import pad
from .patches import windows
from .promote import as_tensor_like, to_dtype

_LEAST = 1e-11  # of a sum of squared windows that can be divided by


def _checked_window(
    window: Tensor | None, like: Tensor, n_fft: int, win_length: int, name: str
) -> Tensor:
    """Return the window in the middle of n_fft places; ones if there is none."""
    if not 0 < win_length <= n_fft:
        raise RuntimeError(
            at_line(f"{name} expects 0 < win_length <= n_fft, got win_length {win_length}")
        )
    if window is None:
        window = creation.ones(win_length, dtype=like._type.dtype.to_real(), device=like.device)
    if window._type.shape != (win_length,):
        raise RuntimeError(
            at_line(
                f"{name} expects a 1D window tensor of size equal to win_length={win_length}, "
                f"got {window._type}"
            )
        )
    left = (n_fft - win_length) // 2
    return pad(window, (left, n_fft - win_length - left)) if win_length < n_fft else window


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
) -> Tensor:
    """Return the transforms of windows hop_length apart: [(batch), frequencies, windows].

    The defaults of hop_length and win_length are n_fft // 4 and n_fft. With center, the signal is
    padded so that window t is centered at t * hop_length.  See PyTorch's torch.stft.
    """
    x = as_tensor_like(input, "stft")
    if x.ndim not in (1, 2) or not x._type.dtype.is_inexact:
        raise RuntimeError(
            at_line(f"stft expects a 1D or 2D tensor of floating point or complex, got {x._type}")
        )
    is_complex = x.is_complex() or (window is not None and window.is_complex())
    onesided = _one_sided(onesided, is_complex, return_complex)
    hop, width = _hop(hop_length, n_fft, "stft"), n_fft if win_length is None else win_length
    taper = _checked_window(window, x, n_fft, width, "stft")
    signal = x if x.ndim == 2 else x.unsqueeze(0)
    if center:
        signal = pad(signal, (n_fft // 2, n_fft // 2), pad_mode)
    if not 0 < n_fft <= signal._type.shape[-1]:
        raise RuntimeError(
            at_line(f"stft expects 0 < n_fft <= {signal._type.shape[-1]}, got n_fft={n_fft}")
        )
    found = _transformed(windows(signal, 1, n_fft, hop) * taper, n_fft, normalized, onesided)
    found = found if x.ndim == 2 else found.squeeze(0)
    return found if return_complex is not False else view_as_real(found)


def _one_sided(onesided: bool | None, is_complex: bool, return_complex: bool | None) -> bool:
    """Return whether half of the frequencies are wanted; errors for what cannot be."""
    if return_complex is None and not is_complex:
        raise RuntimeError(
            at_line("stft requires the return_complex parameter be given for real inputs")
        )
    if onesided and is_complex:
        raise RuntimeError(
            at_line("Cannot have onesided output if window or input is complex; say onesided=False")
        )
    return (not is_complex) if onesided is None else onesided


def _transformed(pieces: Tensor, n_fft: int, normalized: bool, onesided: bool) -> Tensor:
    """Return the frequencies of [batch, windows, n_fft]: [batch, frequencies, windows]."""
    plan, norm = [(2, n_fft)], "ortho" if normalized else "backward"
    if onesided:
        return real_to_complex(pieces, plan, norm).transpose(1, 2)  # type: ignore[no-any-return]
    complete = to_dtype(pieces, pieces._type.dtype.to_complex())
    return complex_to_complex(complete, plan, norm, False).transpose(1, 2)  # type: ignore[no-any-return]


def _hop(hop_length: int | None, n_fft: int, name: str) -> int:
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop <= 0:
        raise RuntimeError(at_line(f"{name} expects hop_length > 0, got hop_length={hop}"))
    return hop


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Return the signal whose stft is input: windows added up, divided by their squares' sum.

    RuntimeError where no window says anything of an element.  See PyTorch's torch.istft.
    """
    spectrum = as_tensor_like(input, "istft")
    if spectrum.ndim not in (2, 3) or not spectrum.is_complex():
        raise RuntimeError(
            at_line(f"istft expects a 2D or 3D complex tensor from stft, got {spectrum._type}")
        )
    hop, width = _hop(hop_length, n_fft, "istft"), n_fft if win_length is None else win_length
    z = spectrum if spectrum.ndim == 3 else spectrum.unsqueeze(0)
    frequencies, count = z._type.shape[1:]
    _check_frequencies(frequencies, n_fft, onesided, return_complex)
    taper = _checked_window(window, z, n_fft, width, "istft")
    if taper.is_complex() and not return_complex:
        raise RuntimeError(at_line("a complex window wants return_complex=True"))
    signal = _added(_pieces(z, n_fft, normalized, return_complex) * taper, hop)
    start = n_fft // 2 if center else 0
    stop = n_fft + hop * (count - 1)
    stop = start + length if length is not None else stop - start
    weight = _added((taper * taper).expand(1, count, n_fft), hop)[:, start:stop]
    _check_weight(weight)
    found = signal[:, start:stop] / weight
    if length is not None and found._type.shape[-1] < length:
        warnings.warn("istft: the length is longer than what the windows cover", stacklevel=2)
        found = pad(found, (0, length - found._type.shape[-1]))
    return found if spectrum.ndim == 3 else found.squeeze(0)  # type: ignore[no-any-return]


def _check_frequencies(found: int, n_fft: int, onesided: bool | None, return_complex: bool) -> None:
    half = found != n_fft if onesided is None else onesided
    wanted = n_fft // 2 + 1 if half else n_fft
    if found != wanted:
        raise RuntimeError(
            at_line(
                f"istft expects {wanted} frequencies for n_fft={n_fft} and onesided={half}, "
                f"got {found}"
            )
        )
    if return_complex and half:
        raise RuntimeError(at_line("complex output wants onesided=False: cannot be onesided"))


def _pieces(z: Tensor, n_fft: int, normalized: bool, return_complex: bool) -> Tensor:
    """Return the signals of [batch, frequencies, windows]: [batch, windows, n_fft]."""
    plan, norm = [(2, n_fft)], "ortho" if normalized else "backward"
    turned = z.transpose(1, 2)
    if return_complex:
        return complex_to_complex(turned, plan, norm, True)
    return complex_to_real(turned, plan, norm)  # reads the first half of the frequencies


def _added(pieces: Tensor, hop: int) -> Tensor:
    """Return the sum of [batch, count, n] with each piece `hop` elements behind the one before."""
    batch, count, size = pieces._type.shape
    places = np.arange(count)[:, None] * hop + np.arange(size)
    empty = creation.zeros(
        batch, size + hop * (count - 1), dtype=pieces._type.dtype, device=pieces.device
    )
    return ops.put(empty, creation.literal(places), pieces, axis=1, accumulate=True)


def _check_weight(weight: Tensor) -> None:
    """Raise where a sum of squared windows is 0: in a trace nobody knows yet."""
    if weight._array is not None and weight._type.numel:
        least = float(np.abs(weight._array).min())
        if least < _LEAST:
            raise RuntimeError(
                at_line(f"istft: window overlap add min: {least}; choose a window without gaps")
            )
