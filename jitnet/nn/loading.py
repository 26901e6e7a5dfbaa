"""Load a state_dict into a module: check everything, then copy everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from .parameter import Parameter, Uninitialized

if TYPE_CHECKING:
    from .module import Module


EXTRA = "_extra_state"  # the key of what a module's get_extra_state returns


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


class Incoming(dict[str, Any]):
    """A state_dict that is being loaded, and the places that modules expect it to fill."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        super().__init__(state)
        self.places: dict[str, Slot] = {}
        self.extra: dict[str, Module] = {}

    def expect(self, module: Module, prefix: str) -> None:
        """Note the parameters, persistent buffers and extra state of one module."""
        for name, tensor in module._own_state().items():
            optional = name in module._optional_state
            self.places[prefix + name] = Slot(module, name, tensor, optional)
        if module._has_extra_state():
            self.extra[prefix + EXTRA] = module


def load(
    module: Module, state_dict: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Do what Module.load_state_dict promises."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict must be a dict of names to tensors, got {type(state_dict).__name__}"
        )
    given, keys, errors = Incoming(state_dict), IncompatibleKeys([], []), list[str]()
    asked = list(_ask(module, "", given, strict, keys, errors))
    places = given.places
    required = [name for name, place in places.items() if not place.optional]
    keys.missing_keys.extend(name for name in (*required, *given.extra) if name not in given)
    keys.unexpected_keys.extend(
        name for name in given if name not in places and name not in given.extra
    )
    matched = {name: place for name, place in places.items() if name in given}
    for name, place in matched.items():
        errors.extend(_value_errors(name, place.tensor, given[name]))
    if strict and not any(each._hooks_of("load_state_dict_post") for each in asked):
        errors = [*_key_errors(keys), *errors]
    _refuse(module, errors, ", nothing was loaded")
    with no_grad():
        for name, place in matched.items():
            _fill(place, given[name], assign)
    for name, owner in given.extra.items():
        if name in given:
            owner.set_extra_state(given[name])
    for each in reversed(asked):
        for hook in each._hooks_of("load_state_dict_post"):
            hook(each, keys)
    _refuse(module, _key_errors(keys) if strict else [], "")  # which hooks may have forgiven
    return keys


def _ask(
    module: Module,
    prefix: str,
    given: Incoming,
    strict: bool,
    keys: IncompatibleKeys,
    errors: list[str],
) -> Iterator[Module]:
    """Let a module and those below it say what they expect; yield them."""
    metadata = module._metadata()
    module._load_from_state_dict(given, prefix, metadata, strict, *keys, errors)
    yield module
    for name, child in module._modules.items():
        if child is not None:
            yield from _ask(child, f"{prefix}{name}.", given, strict, keys, errors)


def _refuse(module: Module, errors: list[str], state: str) -> None:
    if errors:
        listed = "\n\t".join(errors)
        name = type(module).__name__
        raise RuntimeError(f"Error(s) in loading state_dict for {name}{state}:\n\t{listed}")


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
