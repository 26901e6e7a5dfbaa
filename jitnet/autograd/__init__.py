"""Gradients on demand: backward, grad, custom functions, checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import at_line
from ..grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from ..tape import run_backward
from ..tensor import Tensor
from . import forward_ad, functional, graph, profiler, variable
from .anomaly import detect_anomaly, set_detect_anomaly
from .function import Function
from .gradcheck import gradcheck, gradgradcheck
from .variable import Variable

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "forward_ad",
    "functional",
    "grad",
    "graph",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
    "variable",
]


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, Tensor) or value is None else list(value)


def _matched(tensors: list[Tensor], gradients: Any) -> list[Tensor | None]:
    given = [None] * len(tensors) if gradients is None else _listed(gradients)
    if len(given) != len(tensors):
        raise RuntimeError(
            at_line(f"got {len(tensors)} tensors and {len(given)} gradients for them")
        )
    return given


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of tensors with respect to the leaves to the leaves' grad."""
    roots = _listed(tensors)
    keep = create_graph if retain_graph is None else retain_graph
    chosen = None if inputs is None else _listed(inputs)
    if chosen is not None and not chosen:
        raise RuntimeError(at_line("`inputs` argument to `backward()` cannot be empty"))
    run_backward(roots, _matched(roots, grad_tensors), keep, create_graph, chosen)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Return the gradients of outputs with respect to inputs; no grad attribute changes.

    only_inputs must be True, as in PyTorch: backward() is for the others.
    """
    if not only_inputs:
        raise ValueError(at_line("only_inputs must be True; call backward() for all leaves"))
    if is_grads_batched:
        raise NotImplementedError(at_line("grad has no is_grads_batched; call it in a loop"))
    roots, wanted = _listed(outputs), _listed(inputs)
    keep = create_graph if retain_graph is None else retain_graph
    for tensor in wanted:
        if not tensor.requires_grad:
            raise RuntimeError(at_line("One of the differentiated Tensors does not require grad"))
    found = run_backward(
        roots, _matched(roots, grad_outputs), keep, create_graph, wanted, accumulate=False
    )
    if materialize_grads:
        from ..creation import zeros_like

        return tuple(zeros_like(x) if g is None else g for g, x in zip(found, wanted, strict=True))
    if not allow_unused and any(gradient is None for gradient in found):
        raise RuntimeError(
            at_line(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        )
    return tuple(found)
