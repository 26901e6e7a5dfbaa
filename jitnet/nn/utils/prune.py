"""Pruning: parts of a tensor multiplied by 0, through a mask that a module keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

import jitnet.functional as F
from jitnet import creation
from jitnet.grad_mode import no_grad
from jitnet.missing import missing
from jitnet.tensor import Tensor

from ..module import Module
from ..parameter import Parameter
from .computed import compute, forget, rule_of


class _Masked:
    """The rule of module.name: the original where its mask is 1, else 0."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Any) -> Tensor:
        mask: Tensor = getattr(module, f"{self.name}_mask")
        return mask * getattr(module, f"{self.name}_orig")


def _apply(module: Module, name: str, mask: Tensor) -> Module:
    """Multiply a tensor by a mask, and by those that it has already."""
    if not is_masked(module, name):
        tensor: Tensor = getattr(module, name)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", tensor)  # type: ignore[arg-type]
        module.register_buffer(f"{name}_mask", mask.to(tensor.dtype))
        compute(module, name, _Masked(name))
        return module
    with no_grad():
        kept: Tensor = getattr(module, f"{name}_mask")
        kept.copy_(kept * mask)
    return module


def is_masked(module: Module, name: str) -> bool:
    """Return whether a tensor of the module itself is pruned."""
    return isinstance(rule_of(module, name), _Masked)


def is_pruned(module: Module) -> bool:
    """Return whether any tensor of the module, or of one inside, is pruned."""
    return any(
        isinstance(rule_of(part, name), _Masked)
        for part in module.modules()
        for name in type(part).__dict__.get("_computed", {})
    )


def remove(module: Module, name: str) -> Module:
    """Make the pruned tensor a plain parameter, for good."""
    if not is_masked(module, name):
        raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before")
    original: Parameter = getattr(module, f"{name}_orig")
    with no_grad():
        value = getattr(module, name).detach()
        original.copy_(value)
    forget(module, name)
    delattr(module, f"{name}_orig")
    delattr(module, f"{name}_mask")
    module.register_parameter(name, original)
    return module


def _count(amount: float, size: int) -> int:
    """Return how many of `size` an amount is: a share in 0 .. 1, or a number."""
    if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
        raise ValueError(f"amount={amount} should be a number >= 0")
    if isinstance(amount, int):
        if amount > size:
            raise ValueError(f"amount={amount} should be smaller than the {size} there are")
        return amount
    if amount > 1.0:
        raise ValueError(f"amount={amount} should be a share between 0.0 and 1.0")
    return round(amount * size)


def _mask_now(module: Module, name: str) -> Tensor:
    if is_masked(module, name):
        return getattr(module, f"{name}_mask")  # type: ignore[no-any-return]
    return creation.ones_like(getattr(module, name).detach())


def _least(scores: np.ndarray, mask: np.ndarray, amount: float) -> np.ndarray:
    """Return the mask with the least of the scores that it still has set to 0."""
    alive = np.flatnonzero(mask)
    order = np.argsort(scores.reshape(-1)[alive], kind="stable")
    result = mask.reshape(-1).copy()
    result[alive[order[: _count(amount, len(alive))]]] = 0
    return result.reshape(mask.shape)


def _scores(tensor: Tensor, given: Tensor | None) -> np.ndarray:
    found = tensor.detach().abs() if given is None else given.detach()
    return found.numpy()  # type: ignore[no-any-return]


def identity(module: Module, name: str) -> Module:
    """Give a tensor a mask of ones."""
    return _apply(module, name, creation.ones_like(getattr(module, name).detach()))


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the elements that are least in size: a share, or a number of them."""
    mask = _mask_now(module, name).numpy()
    scores = _scores(getattr(module, name), importance_scores)
    return _apply(module, name, creation.tensor(_least(scores, mask, amount)))


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements at random: a share, or a number of them."""
    mask = _mask_now(module, name)
    scores = creation.rand_like(mask).numpy()
    return _apply(module, name, creation.tensor(_least(scores, mask.numpy(), amount)))


def _slices(module: Module, name: str, amount: float, dim: int, scores: np.ndarray) -> Module:
    """Prune the slices along dim that have the least scores."""
    mask = _mask_now(module, name).numpy()
    axis = dim % mask.ndim
    others = tuple(other for other in range(mask.ndim) if other != axis)
    alive = mask.any(axis=others).astype(mask.dtype)
    kept = _least(scores, alive, amount)
    shape = [-1 if axis == other else 1 for other in range(mask.ndim)]
    return _apply(module, name, creation.tensor(mask * kept.reshape(shape)))


def ln_structured(
    module: Module,
    name: str,
    amount: float,
    n: float,
    dim: int,
    importance_scores: Tensor | None = None,
) -> Module:
    """Prune the slices along dim of least n-norm: a share, or a number of them."""
    tensor = getattr(module, name).detach() if importance_scores is None else importance_scores
    axes = tuple(axis for axis in range(tensor.dim()) if axis != dim % tensor.dim())
    return _slices(module, name, amount, dim, F.norm(tensor.detach(), n, axes).numpy())


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune slices along dim at random: a share, or a number of them."""
    size = getattr(module, name).shape[dim]
    return _slices(module, name, amount, dim, creation.rand(size, device="cpu").numpy())


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune where a mask is 0."""
    return _apply(module, name, mask)


class L1Unstructured:
    """For global_unstructured: the elements of least size."""

    random = False


class RandomUnstructured:
    """For global_unstructured: elements at random."""

    random = True


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[L1Unstructured] | type[RandomUnstructured],
    importance_scores: Any = None,
    **kwargs: Any,
) -> None:
    """Prune several tensors as if they were one: those elements of all that are least."""
    if set(kwargs) != {"amount"}:
        raise TypeError(f"global_unstructured wants amount=..., got {sorted(kwargs)}")
    pairs, given = list(parameters), importance_scores or {}
    masks = [_mask_now(module, name).numpy() for module, name in pairs]
    if pruning_method.random:
        scores = [creation.rand(mask.size, device="cpu").numpy() for mask in masks]
    else:
        scores = [_scores(getattr(m, name), given.get((m, name))).reshape(-1) for m, name in pairs]
    flat = np.concatenate([mask.reshape(-1) for mask in masks])
    kept = _least(np.concatenate(scores), flat, kwargs["amount"])
    ends = np.cumsum([mask.size for mask in masks])[:-1]
    for (module, name), mask, part in zip(pairs, masks, np.split(kept, ends), strict=True):
        _apply(module, name, creation.tensor(part.reshape(mask.shape)))


__getattr__ = missing(__name__, globals())
