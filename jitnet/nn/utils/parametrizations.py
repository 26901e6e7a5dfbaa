"""Ready parametrizations: weight_norm and spectral_norm."""

from __future__ import annotations

from jitnet.missing import missing
from jitnet.tensor import Tensor

from ..conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from ..module import Module
from .norms import by_spectrum, improve, norm_except_dim, rows, start, with_norm
from .parametrize import register_parametrization

_TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


def output_dim(module: Module) -> int:
    """Return the dim of a layer's outputs in its weight: 1 in transposed convolutions."""
    return 1 if isinstance(module, _TRANSPOSED) else 0


class _WeightNorm(Module):
    """A tensor as norms g times directions v."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Return the tensor."""
        return with_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return norms and directions of a tensor."""
        return norm_except_dim(weight, 2, self.dim), weight


class _SpectralNorm(Module):
    """A tensor divided by its largest singular value; each reading in training improves it."""

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % weight.dim()
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        u, v = start(weight, self.dim, eps)
        self.register_buffer("_u", u)
        self.register_buffer("_v", v)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the divided tensor."""
        if self.training:
            matrix = rows(weight, self.dim)
            improve(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        return by_spectrum(weight, self._u, self._v, self.dim)

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return the value: its own norm is divided away at the next reading."""
        return value


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn a tensor's norms along dim, and its directions, apart; return the module."""
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Keep a tensor's largest singular value at 1; return the module."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module {module} has no parameter or buffer with name {name!r}")
    chosen = output_dim(module) if dim is None else dim
    made = _SpectralNorm(weight, n_power_iterations, chosen, eps)
    return register_parametrization(module, name, made)


__getattr__ = missing(__name__, globals())
