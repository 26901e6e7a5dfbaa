"""Initial values of parameters, written in place: PyTorch's names and distributions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np

from jitnet import creation
from jitnet.generator import Generator
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor by which a nonlinearity wants its weights scaled.

    param: the negative slope of "leaky_relu", 0.01 if not given.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {slope!r} is not a number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"unknown nonlinearity {nonlinearity!r}; known: {known}")
    return _GAINS[nonlinearity]


def calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Return how many inputs feed one output, and how many outputs one input feeds."""
    if tensor.dim() < 2:
        raise ValueError(
            f"fan in and fan out want at least 2 dims, got shape {tuple(tensor.shape)}"
        )
    shape = tuple(tensor.shape)
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


_calculate_fan_in_and_fan_out = calculate_fan_in_and_fan_out  # the name that PyTorch users import


def _fan(tensor: Tensor, mode: str) -> int:
    fans = calculate_fan_in_and_fan_out(tensor)
    modes = ("fan_in", "fan_out")
    if mode.lower() not in modes:
        raise ValueError(f"mode must be one of {modes}, got {mode!r}")
    return fans[modes.index(mode.lower())]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values uniform in [a, b)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with normal values."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal values, those outside [a, b] excluded.

    By the inverse of the normal's distribution function, applied to uniform values.
    """
    low, high = _normal_below((a - mean) / std), _normal_below((b - mean) / std)
    with no_grad():
        tensor.uniform_(2 * low - 1, 2 * high - 1, generator=generator)
        tensor.erfinv_()
        tensor.mul_(std * math.sqrt(2.0)).add_(mean)
        return tensor.clamp_(min=a, max=b)


def _normal_below(x: float) -> float:
    """Return the probability that a standard normal value is below x."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity."""
    if tensor.dim() != 2:
        raise ValueError(f"eye_ wants a 2D tensor, got shape {tuple(tensor.shape)}")
    rows, columns = tensor.shape
    with no_grad():
        return tensor.copy_(creation.eye(rows, columns, device=tensor.device))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill convolution weights so that each channel of the input passes through unchanged."""
    if tensor.dim() not in (3, 4, 5):
        raise ValueError(f"dirac_ wants 3 to 5 dims, got shape {tuple(tensor.shape)}")
    shape = tuple(tensor.shape)
    if shape[0] % groups:
        raise ValueError(f"dim 0 must be divisible by groups, got {shape[0]} and {groups}")
    outs = shape[0] // groups
    centre = tuple(size // 2 for size in shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(outs, shape[1])):
                tensor[(group * outs + channel, channel, *centre)] = 1.0
    return tensor


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill uniformly in +-gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6.0 / sum(calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill normally with std gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    std = gain * math.sqrt(2.0 / sum(calculate_fan_in_and_fan_out(tensor)))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill uniformly in +-gain * sqrt(3 / fan) (He et al., 2015)."""
    if 0 in tuple(tensor.shape):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill normally with std gain / sqrt(fan) (He et al., 2015)."""
    if 0 in tuple(tensor.shape):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with an orthogonal matrix of the dims [0] x [1:], times gain (Saxe et al., 2013)."""
    if tensor.dim() < 2:
        raise ValueError(f"orthogonal_ wants at least 2 dims, got shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    with no_grad():
        flat = creation.empty((rows, columns), dtype=tensor.dtype, device=tensor.device).normal_(
            generator=generator
        )
        tall = flat if rows >= columns else flat.t()
        q, r = np.linalg.qr(tall.numpy())
        q = q * np.sign(np.diagonal(r))  # makes the distribution uniform
        matrix = q if rows >= columns else q.T
        values = creation.from_numpy(np.ascontiguousarray(matrix))
        return tensor.copy_(values.reshape(tensor.shape)).mul_(gain)


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix normally, a share `sparsity` of each column with zeros (Martens, 2010)."""
    if tensor.dim() != 2:
        raise ValueError(f"sparse_ wants a 2D tensor, got shape {tuple(tensor.shape)}")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    with no_grad():
        for column in range(columns):
            chosen = creation.randperm(rows, generator=generator, device=tensor.device)[:zeros]
            tensor[chosen, column] = 0.0
    return tensor


def _older(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return an initialiser as it was before PyTorch 0.4, when names had no underscore."""
    name = function.__name__.rstrip("_")

    def renamed(*args: object, **kwargs: object) -> Tensor:
        warnings.warn(
            f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    renamed.__name__ = name
    renamed.__doc__ = function.__doc__
    return renamed


uniform = _older(uniform_)
normal = _older(normal_)
constant = _older(constant_)
eye = _older(eye_)
dirac = _older(dirac_)
xavier_uniform = _older(xavier_uniform_)
xavier_normal = _older(xavier_normal_)
kaiming_uniform = _older(kaiming_uniform_)
kaiming_normal = _older(kaiming_normal_)
orthogonal = _older(orthogonal_)
sparse = _older(sparse_)
