"""functional_call: a module with other parameters for one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import at_line
from ..functional import stack
from ..nn.module import Module
from ..tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return module(*args, **kwargs) with tensors, by their dotted names, in place of its own."""
    given: dict[str, Tensor] = {}
    several = isinstance(parameter_and_buffer_dicts, Sequence)
    for part in parameter_and_buffer_dicts if several else [parameter_and_buffer_dicts]:
        given.update(part)  # type: ignore[arg-type]
    held: list[tuple[Any, str, Any]] = []
    try:
        for name, value in given.items():
            owner, _, own = name.rpartition(".")
            table = _table(module.get_submodule(owner), own, name)
            held.append((table, own, table[own]))
            dict.__setitem__(table, own, value)
        called = args if isinstance(args, tuple) else () if args is None else (args,)
        return module(*called, **(kwargs or {}))
    finally:
        for table, own, value in reversed(held):
            dict.__setitem__(table, own, value)


def _table(module: Module, own: str, name: str) -> Any:
    for table in (module._parameters, module._buffers):
        if own in table:
            return table
    raise KeyError(at_line(f"{name!r} names no parameter or buffer of the module"))


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the parameters and the buffers of models of one kind, stacked by name."""
    if not models:
        raise RuntimeError(at_line("stack_module_state wants at least one model, got none"))
    found: list[dict[str, Tensor]] = []
    for kind in ("named_parameters", "named_buffers"):
        tables = [dict(getattr(model, kind)()) for model in models]
        found.append(
            {
                name: stack([table[name].detach() for table in tables]).requires_grad_(
                    tables[0][name].requires_grad
                )
                for name in tables[0]
            }
        )
    return found[0], found[1]
