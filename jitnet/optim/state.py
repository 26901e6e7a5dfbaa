"""Optimizer state as plain dicts: parameters by number, so that it can be saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jitnet.grad_mode import no_grad
from jitnet.nn.tables import Table
from jitnet.tensor import Tensor

from .groups import ParamGroup, StateTable


def pack_state(state: StateTable, groups: Sequence[ParamGroup]) -> dict[str, Any]:
    """Return the state_dict; its tensors are the optimizer's own."""
    numbers: dict[int, int] = {}
    packed_groups = []
    for group in groups:
        for param in group["params"]:
            numbers.setdefault(id(param), len(numbers))
        options = {key: value for key, value in group.items() if key != "params"}
        options["params"] = [numbers[id(param)] for param in group["params"]]
        packed_groups.append(options)
    packed_state = {
        numbers[id(param)]: dict(entry) for param, entry in state.items() if id(param) in numbers
    }
    return {"state": packed_state, "param_groups": packed_groups}


def load_state(
    state: StateTable, groups: Sequence[ParamGroup], state_dict: Mapping[str, Any]
) -> None:
    """Put a state_dict into an optimizer's state and groups, after checking all of it.

    A tensor that exists already is overwritten in place, so compiled code goes on with it.
    """
    params = _match(groups, state_dict)
    entries = {params[number]: entry for number, entry in state_dict["state"].items()}
    for group, saved in zip(groups, state_dict["param_groups"], strict=True):
        options = {key: value for key, value in saved.items() if key != "params"}
        for key, value in options.items():
            group[key] = tuple(value) if isinstance(group.get(key), tuple) else value
    for param in [param for param in state if param not in entries]:
        del state[param]
    with no_grad():
        for param, entry in entries.items():
            _load_entry(state[param], entry, param)


def _match(groups: Sequence[ParamGroup], state_dict: Mapping[str, Any]) -> dict[int, Tensor]:
    """Return number -> parameter; ValueError if the state_dict is not for these groups."""
    if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
        raise ValueError(
            "an optimizer's state_dict is a dict with 'state' and 'param_groups', got "
            f"{sorted(state_dict) if isinstance(state_dict, Mapping) else type(state_dict)}"
        )
    saved_groups = state_dict["param_groups"]
    if len(saved_groups) != len(groups):
        raise ValueError(
            f"the loaded state has {len(saved_groups)} parameter groups, "
            f"the optimizer has {len(groups)}"
        )
    numbered: dict[int, Tensor] = {}
    for position, (group, saved) in enumerate(zip(groups, saved_groups, strict=True)):
        if len(saved["params"]) != len(group["params"]):
            raise ValueError(
                f"parameter group {position} of the loaded state has {len(saved['params'])} "
                f"parameters, the optimizer's has {len(group['params'])}"
            )
        numbered.update(zip(saved["params"], group["params"], strict=True))
    unknown = [number for number in state_dict["state"] if number not in numbered]
    if unknown:
        raise ValueError(f"the loaded state has entries for unknown parameters {unknown}")
    for number, entry in state_dict["state"].items():
        _check_shapes(number, numbered[number], entry)
    return numbered


def _check_shapes(number: int, param: Tensor, entry: Mapping[str, Any]) -> None:
    for name, value in entry.items():
        if not isinstance(value, Tensor) or value.dim() == 0:
            continue
        if not _fits(value, param):
            raise ValueError(
                f"{name!r} of parameter {number} has shape {tuple(value.shape)} in the loaded "
                f"state, the parameter has {tuple(param.shape)}"
            )


def _fits(value: Tensor, param: Tensor) -> bool:
    """Return whether value has the parameter's shape, or 1 for some sizes (means over a dim)."""
    if value.dim() != param.dim():
        return False
    sizes = zip(tuple(value.shape), tuple(param.shape), strict=True)
    return all(size in (1, wanted) for size, wanted in sizes)


def _load_entry(own: Table[str, Any], entry: Mapping[str, Any], param: Tensor) -> None:
    """Make one parameter's state what `entry` says; floating-point state takes param's dtype."""
    for name in [name for name in own if name not in entry]:
        del own[name]
    for name, value in entry.items():
        if not isinstance(value, Tensor):
            own[name] = value
            continue
        dtype = param.dtype if name != "step" and param.is_floating_point() else value.dtype
        held = own.get(name)
        if isinstance(held, Tensor) and held.shape == value.shape and held.dtype is dtype:
            held.copy_(value)
        else:
            own[name] = value.detach().to(param.device, dtype, copy=True)
