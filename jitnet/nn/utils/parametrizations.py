"""Ready parametrizations: weight_norm, spectral_norm and orthogonal."""

from __future__ import annotations

from jitnet import creation
from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.linalg import householder_product, matrix_exp, qr, solve
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


class _Orthogonal(Module):
    """A matrix with orthonormal columns (or rows, if it is wide), from any matrix.

    matrix_exp: exp(A), cayley: (I + A / 2) (I - A / 2)^-1, of the skew A made of what is below the
    diagonal; householder: the product of reflections along the columns. With use_trivialization,
    times the matrix that there was at first, `base`.
    """

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = tuple(weight.shape)
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        """Return the matrix."""
        wide = X.shape[-2] < X.shape[-1]
        tall = X.mT if wide else X
        if self.orthogonal_map == "householder":
            made = self._reflected(tall)
        else:
            made = self._rotated(tall)
        if hasattr(self, "base"):
            made = self.base @ made
        return made.mT if wide else made

    def _rotated(self, x: Tensor) -> Tensor:
        rows, columns = x.shape[-2:]
        lower = F.pad(x.tril(), (0, rows - columns))
        skew = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            return matrix_exp(skew)[..., :columns]  # type: ignore[no-any-return]
        unit = creation.eye(rows, dtype=x.dtype, device=x.device)
        return solve(unit - 0.5 * skew, unit + 0.5 * skew)[..., :columns]  # type: ignore[no-any-return]

    def _reflected(self, x: Tensor) -> Tensor:
        below = x.tril(-1)
        tau = 2.0 / (1.0 + (below * below).sum(-2))
        signs = x.detach().diagonal(0, -2, -1).sign()
        return householder_product(below, tau) * signs.unsqueeze(-2)

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:  # noqa: N803
        """Return what gives Q, or the orthogonal matrix that QR makes of it."""
        if tuple(Q.shape) != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {tuple(Q.shape)}."
            )
        if not hasattr(self, "base"):
            raise NotImplementedError(
                "the inverse of these maps is not known; leave use_trivialization=True"
            )
        tall = Q.mT if Q.shape[-2] < Q.shape[-1] else Q
        rows, columns = tall.shape[-2:]
        found, upper = qr(tall, "complete")
        signs = upper.diagonal(0, -2, -1).sign()
        signs = F.where(signs == 0, 1.0, signs)  # so that an orthogonal Q stays what it is
        self.base = found * F.pad(signs, (0, rows - columns), value=1.0).unsqueeze(-2)
        return -creation.eye(*Q.shape[-2:], dtype=Q.dtype, device=Q.device).expand(Q.shape).clone()


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a matrix orthogonal while it is trained; return the module.

    orthogonal_map: "matrix_exp" (for square ones by default), "cayley" or "householder".
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module {module} has no parameter or buffer with name {name!r}")
    if weight.dim() < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions."
        )
    square = weight.shape[-2] == weight.shape[-1]
    chosen = orthogonal_map or ("matrix_exp" if square else "householder")
    if chosen not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    made = _Orthogonal(weight, chosen, use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)


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
