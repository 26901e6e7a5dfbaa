"""weight_norm and spectral_norm as they were before parametrizations: weight_g, weight_orig ..."""

from __future__ import annotations

from typing import Any

from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from ..module import Module
from ..parameter import Parameter
from .computed import compute, forget, rule_of
from .norms import by_spectrum, improve, norm_except_dim, rows, start, with_norm
from .parametrizations import output_dim


class _WeightNorm:
    """The rule of module.name: v with its norms set to g."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def __call__(self, module: Any) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return with_norm(v, g, self.dim)


class _SpectralNorm:
    """The rule of module.name: the original by its largest singular value."""

    def __init__(self, name: str, steps: int, eps: float, dim: int) -> None:
        self.name = name
        self.steps = steps
        self.eps = eps
        self.dim = dim

    def __call__(self, module: Any) -> Tensor:
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        if module.training:
            improve(rows(weight, self.dim).t(), v, u, self.steps, self.eps)  # v comes first here
        return by_spectrum(weight, u, v, self.dim)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Learn `name_g`, a tensor's norms along dim, and `name_v`, its directions; return module."""
    if rule_of(module, name) is not None:
        raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
    rule = _WeightNorm(name, dim)
    weight: Tensor = getattr(module, name)
    delattr(module, name)
    norms = norm_except_dim(weight.detach(), 2, rule.dim)
    module.register_parameter(f"{name}_g", Parameter(norms))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    compute(module, name, rule)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the tensor a plain parameter again; return the module."""
    return _removed(module, name, _WeightNorm, ("g", "v"))


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a tensor by its largest singular value, which training follows; return the module."""
    if rule_of(module, name) is not None:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    if n_power_iterations <= 0:
        raise ValueError(
            "Expected n_power_iterations to be positive, but got "
            f"n_power_iterations={n_power_iterations}"
        )
    chosen = output_dim(module) if dim is None else dim
    weight: Tensor = getattr(module, name)
    delattr(module, name)
    u, v = start(weight, chosen, eps, steps=0)
    kept = weight if isinstance(weight, Parameter) else Parameter(weight.detach())
    module.register_parameter(f"{name}_orig", kept)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    compute(module, name, _SpectralNorm(name, n_power_iterations, eps, chosen))
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the tensor a plain parameter again; return the module."""
    return _removed(module, name, _SpectralNorm, ("orig", "u", "v"))


def _removed(module: Module, name: str, kind: type, parts: tuple[str, ...]) -> Module:
    if not isinstance(rule_of(module, name), kind):
        what = "weight_norm" if kind is _WeightNorm else "spectral_norm"
        raise ValueError(f"{what} of {name!r} not found in {module}")
    with no_grad():
        value = getattr(module, name).detach()
    forget(module, name)
    for part in parts:
        delattr(module, f"{name}_{part}")
    module.register_parameter(name, Parameter(value))
    return module
