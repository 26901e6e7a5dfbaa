"""Derivatives along a direction: how results change as what they were computed from does.

jitnet records what backward needs, so this is the gradient of a gradient: a vector v times the
Jacobian is linear in v, and its gradient, weighted by tangents, is what is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence

from .. import creation
from ..tape import TapeNode, run_backward
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
    used = [
        (gradient, tangent)
        for gradient, tangent in zip(pulled, tangents, strict=True)
        if gradient is not None and gradient.requires_grad
    ]
    if not used:
        return [None] * len(results)
    gradients, weights = zip(*used, strict=True)
    changes = iter(run_backward(gradients, weights, True, keep, vectors, False))
    return [next(changes) if result.requires_grad else None for result in results]


def watched_outside(results: Sequence[Tensor], seeds: Sequence[Tensor]) -> bool:
    """Whether results come from leaves that are not these seeds, and so have a use for history."""
    own = {id(seed) for seed in seeds}
    stack = [result if result.grad_fn is None else result.grad_fn for result in results]
    seen = set()
    while stack:
        target = stack.pop()
        if not isinstance(target, TapeNode):
            if target.requires_grad and id(target) not in own:
                return True
        elif target not in seen:
            seen.add(target)
            stack.extend(behind for behind, _ in target.edges if behind is not None)
    return False
