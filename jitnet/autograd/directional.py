"""Derivatives along a direction: how results change as what they were computed from does.

jitnet records what backward needs, so this is the gradient of a gradient: a vector v times the
Jacobian is linear in v, and its gradient with respect to v times a tangent is what is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import creation
from ..grad_mode import enable_grad
from ..tape import run_backward
from ..tensor import Tensor


def directional(
    results: Sequence[Tensor], seeds: Sequence[Tensor], tangents: Sequence[Tensor], keep: bool
) -> list[Tensor | None]:
    """Return each result's change where seeds change by tangents; None where it depends on none.

    keep: the changes have a history themselves.
    """
    recorded = [result for result in results if result.requires_grad]
    if not recorded or not seeds:
        return [None] * len(results)
    vectors = [creation.zeros_like(result.detach()).requires_grad_() for result in recorded]
    pulled = run_backward(recorded, vectors, True, True, seeds, False)
    with enable_grad():
        parts = [_dot(g, t) for g, t in zip(pulled, tangents, strict=True) if g is not None]
    if not any(part.requires_grad for part in parts):
        return [None] * len(results)
    total = parts[0]
    with enable_grad():
        for part in parts[1:]:
            total = total + part
    changes = iter(run_backward([total], [None], True, keep, vectors, False))
    return [next(changes) if result.requires_grad else None for result in results]


def _dot(gradient: Tensor, tangent: Tensor) -> Tensor:
    product = gradient.conj() * tangent
    return (product.real if product.is_complex() else product).sum()
