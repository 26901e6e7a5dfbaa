"""Load a state_dict into a module: check everything, then copy everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from .parameter import Parameter, Uninitialized

if TYPE_CHECKING:
    from .module import Module


class IncompatibleKeys(NamedTuple):
    """What load_state_dict returns: keys that the module wanted, and keys that it did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        missing, unexpected = self
        return f"IncompatibleKeys(missing_keys={missing}, unexpected_keys={unexpected})"


@dataclass(frozen=True)
class Slot:
    """A place in a module that a checkpoint fills."""

    module: Module
    name: str
    tensor: Tensor
    optional: bool


def slots(module: Module, prefix: str = "") -> dict[str, Slot]:
    """Return dotted name -> place, for every parameter and persistent buffer."""
    found = {
        prefix + name: Slot(module, name, tensor, name in module._optional_state)
        for name, tensor in module._own_state().items()
    }
    for name, child in module._modules.items():
        if child is not None:
            found.update(slots(child, f"{prefix}{name}."))
    return found


def load(
    module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Do what Module.load_state_dict promises."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict must be a dict of names to tensors, got {type(state_dict).__name__}"
        )
    places = slots(module)
    required = [name for name, place in places.items() if not place.optional]
    keys = IncompatibleKeys(
        missing_keys=[name for name in required if name not in state_dict],
        unexpected_keys=[name for name in state_dict if name not in places],
    )
    errors = _key_errors(keys) if strict else []
    matched = {name: place for name, place in places.items() if name in state_dict}
    for name, place in matched.items():
        errors.extend(_value_errors(name, place.tensor, state_dict[name]))
    if errors:
        listed = "\n\t".join(errors)
        raise RuntimeError(
            f"Error(s) in loading state_dict for {type(module).__name__}, nothing was loaded:"
            f"\n\t{listed}"
        )
    with no_grad():
        for name, place in matched.items():
            _fill(place, state_dict[name], assign)
    return keys


def _key_errors(keys: IncompatibleKeys) -> list[str]:
    errors = []
    for what, names in (("Missing", keys.missing_keys), ("Unexpected", keys.unexpected_keys)):
        if names:
            quoted = ", ".join(f'"{name}"' for name in names)
            errors.append(f"{what} key(s) in state_dict: {quoted}.")
    return errors


def _value_errors(name: str, own: Tensor, value: Any) -> list[str]:
    if not isinstance(value, Tensor):
        return [f'"{name}" must be a Tensor, got {type(value).__name__}.']
    if isinstance(own, Uninitialized):
        return []
    if tuple(value.shape) != tuple(own.shape):
        return [
            f"size mismatch for {name}: the checkpoint has shape {tuple(value.shape)}, "
            f"the model has {tuple(own.shape)}."
        ]
    return []


def _fill(place: Slot, value: Tensor, assign: bool) -> None:
    if not assign:
        if isinstance(place.tensor, Uninitialized):
            place.tensor.materialize(tuple(value.shape))
        place.tensor.copy_(value)
        return
    if isinstance(place.tensor, Parameter):
        value = Parameter(value.detach(), requires_grad=place.tensor.requires_grad)
    setattr(place.module, place.name, value)
