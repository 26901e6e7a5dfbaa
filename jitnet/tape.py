"""The dynamic graph: what ops record, and how backward walks it.

Nodes are numbered as they are made, and a node only depends on earlier ones; so backward is one
pass over the reachable nodes from the latest to the earliest, without recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from jitnet.compiler.ops import add, full_like

from . import capture
from . import tensor as tensors
from .capture import set_attribute
from .errors import at_line
from .grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from .modes import mode
from .tensors.nodes import (
    RELEASED,
    STALE,
    AccumulateGrad,
    Gradients,
    Hook,
    OpNode,
    RemovableHandle,
    TapeNode,
    rebase,
)

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = [
    "RELEASED",
    "STALE",
    "AccumulateGrad",
    "Gradients",
    "Hook",
    "OpNode",
    "RemovableHandle",
    "TapeNode",
    "enable_grad",
    "inference_mode",
    "mode",
    "no_grad",
    "rebase",
    "run_backward",
    "set_grad_enabled",
]


class Pass:
    """One walk from the roots: gradients on their way, and those that reached leaves."""

    def __init__(self, keep: bool, create_graph: bool) -> None:
        self.keep = keep
        self.create_graph = create_graph
        self.waiting: dict[TapeNode, list[Tensor | None]] = {}
        self.at_leaf: dict[int, tuple[Tensor, Tensor]] = {}
        self.wanted: dict[tuple[TapeNode, int], Tensor | None] = {}

    def send(self, target: Any, number: int, gradient: Tensor) -> None:
        """Add a gradient to what waits at a node or leaf."""
        if isinstance(target, TapeNode):
            slots = self.waiting.get(target)
            if slots is None:
                slots = self.waiting[target] = [None] * target.outputs
            before = slots[number]
            slots[number] = gradient if before is None else add(before, gradient)
            return
        found = self.at_leaf.get(id(target))
        total = gradient if found is None else add(found[1], gradient)
        self.at_leaf[id(target)] = (target, total)

    def walk(self, order: list[TapeNode], needed: set[Any] | None) -> None:
        """Visit the nodes, latest first, sending gradients on."""
        for node in order:
            grads = self.waiting.pop(node, None)
            if grads is None:
                continue
            if node.tensor_hooks or node.retained:
                _run_tensor_hooks(node, grads)
            for number, gradient in enumerate(grads):
                if (node, number) in self.wanted:
                    self.wanted[node, number] = gradient
            if needed is not None and node not in needed:
                continue
            results = list(node.gradients(grads))
            for position, (target, number) in enumerate(node.edges):
                gradient = results[position]
                if target is None or (needed is not None and not _leads(target, number, needed)):
                    results[position] = None
                    continue
                if callable(gradient):
                    gradient = results[position] = gradient()
                if gradient is not None and not node.hooks:
                    self.send(target, number, gradient)
            if node.hooks:
                self._send_hooked(node, results, grads)
            if not self.keep:
                node.release()

    def _send_hooked(self, node: TapeNode, results: list[Any], grads: list[Any]) -> None:
        """Let the node's hooks replace the gradients, then send them on."""
        assert node.hooks is not None
        for hook in list(node.hooks.values()):
            changed = hook(tuple(results), tuple(grads))
            if changed is not None:
                results = list(changed)
        for (target, number), gradient in zip(node.edges, results, strict=True):
            if target is not None and gradient is not None:
                self.send(target, number, gradient)


def _leads(target: Any, number: int, needed: set[Any]) -> bool:
    """Whether a wanted tensor lies at or behind this place."""
    if isinstance(target, TapeNode):
        return target in needed or (target, number) in needed
    return id(target) in needed


def _run_tensor_hooks(node: TapeNode, grads: list[Tensor | None]) -> None:
    for number, hooks in node.tensor_hooks or ():
        for hook in list(hooks.values()):
            gradient = grads[number]
            if gradient is not None:
                changed = hook(gradient)
                grads[number] = gradient if changed is None else changed
    for number, reference in node.retained or ():
        tensor, gradient = reference(), grads[number]
        if tensor is not None and gradient is not None:
            before = tensor.grad
            total = gradient.clone() if before is None else add(before, gradient)
            set_attribute(tensor, "_grad", total)


def _order(roots: Iterable[TapeNode]) -> list[TapeNode]:
    """Return the nodes reachable from roots, latest first."""
    seen: set[TapeNode] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        for target, _ in node.edges:
            if isinstance(target, TapeNode) and target not in seen:
                stack.append(target)
    return sorted(seen, key=lambda node: node.sequence, reverse=True)


def _needed(order: list[TapeNode], inputs: Sequence[Tensor]) -> set[Any]:
    """Return the nodes with a wanted tensor behind them, and the places of those tensors."""
    found: set[Any] = set()
    for tensor in inputs:
        node = tensor.grad_fn
        found.add(id(tensor) if node is None else (node, tensor._output_nr))
    for node in reversed(order):
        if any(_leads(target, number, found) for target, number in node.edges):
            found.add(node)
    return found


def _first_gradient(tensor: Tensor, gradient: Tensor | None) -> Tensor:
    """Return the gradient to start from: the one given, or 1 for a single element."""
    if not tensor.requires_grad:
        raise RuntimeError(
            at_line("element 0 of tensors does not require grad and does not have a grad_fn")
        )
    if gradient is None:
        if tensor._type.dtype.is_complex:
            raise RuntimeError(
                at_line(
                    "grad can be implicitly created only for real scalar outputs but got "
                    f"{tensor._type.dtype}; take its abs() or real part, or give a gradient"
                )
            )
        if tensor._type.numel != 1:
            raise RuntimeError(
                at_line(
                    "grad can be implicitly created only for scalar outputs, got shape "
                    f"{list(tensor._type.shape)}; reduce it (sum, mean) or give a gradient"
                )
            )
        return full_like(tensor, value=1)
    if gradient._type.shape != tensor._type.shape:
        raise RuntimeError(
            at_line(
                f"Mismatch in shape: the gradient has {list(gradient._type.shape)} and the output "
                f"has {list(tensor._type.shape)}"
            )
        )
    return gradient if gradient._type == tensor._type else gradient.to(tensor._type.dtype)


def run_backward(
    tensors_: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    retain_graph: bool,
    create_graph: bool,
    inputs: Sequence[Tensor] | None = None,
    accumulate: bool = True,
) -> list[Tensor | None]:
    """Walk the tape from tensors; add to leaves' grad, or return the gradients of inputs."""
    before, mode.now = mode.now, mode.now.recording(bool(create_graph))
    try:
        walk = Pass(retain_graph, create_graph)
        given: set[int] = set()
        roots: list[TapeNode] = []
        for tensor, gradient in zip(tensors_, gradients, strict=True):
            first = _first_gradient(tensor, gradient)
            given.add(id(first))
            node = tensor.grad_fn
            walk.send(tensor if node is None else node, tensor._output_nr, first)
            if node is not None:
                roots.append(node)
        order = _order(roots)
        capture.visit(order)
        needed = None if inputs is None else _needed(order, inputs)
        for tensor in inputs or ():
            if tensor.grad_fn is not None:
                walk.wanted[tensor.grad_fn, tensor._output_nr] = None
        walk.walk(order, needed)
        if accumulate:
            _accumulate(walk, inputs, given)
            return []
        return [_reached(walk, tensor) for tensor in inputs or ()]
    finally:
        mode.now = before


def _reached(walk: Pass, tensor: Tensor) -> Tensor | None:
    """Return the gradient that arrived at an input of grad()."""
    if tensor.grad_fn is not None:
        return walk.wanted[tensor.grad_fn, tensor._output_nr]
    found = walk.at_leaf.get(id(tensor))
    return None if found is None else _hooked(tensor, found[1])


def _hooked(leaf: Tensor, gradient: Tensor) -> Tensor:
    """Return what a leaf's hooks make of its gradient."""
    for hook in list((leaf._hooks or {}).values()):
        changed = hook(gradient)
        gradient = gradient if changed is None else changed
    return gradient


def _accumulate(walk: Pass, inputs: Sequence[Tensor] | None, given: set[int]) -> None:
    """Add the gradients that arrived to the leaves' grad."""
    chosen = None if inputs is None else {id(tensor) for tensor in inputs}
    for key, (leaf, arrived) in walk.at_leaf.items():
        if chosen is not None and key not in chosen:
            continue
        gradient = _hooked(leaf, arrived)
        old = capture.gradient_of(leaf)
        if old is None:
            set_attribute(leaf, "_grad", _own(gradient, given))
        elif walk.create_graph or old.requires_grad:
            set_attribute(leaf, "_grad", add(old, gradient))
        else:
            old._assign(add(old, gradient))
        for hook in list((leaf._post_hooks or {}).values()):
            hook(leaf)
    for tensor in inputs or ():
        if tensor.grad_fn is not None:
            gradient = walk.wanted[tensor.grad_fn, tensor._output_nr]  # type: ignore[assignment]
            if gradient is not None:
                old = capture.gradient_of(tensor)
                total = _own(gradient, given) if old is None else add(old, gradient)
                set_attribute(tensor, "_grad", total)


def _own(gradient: Tensor, given: set[int]) -> Tensor:
    """Return the gradient in memory that nothing else uses, and remember that it is taken."""
    if capture.active is not None and capture.current() is not None and not mode.now.enabled:
        return tensors.Tensor._from_node(tensors.node_of(gradient), gradient._device)
    shared = gradient._base is not None or id(gradient._counter) in given or id(gradient) in given
    if shared or (gradient._array is not None and not gradient._array.flags.c_contiguous):
        gradient = gradient.clone()
    given.add(id(gradient._counter))
    return gradient
