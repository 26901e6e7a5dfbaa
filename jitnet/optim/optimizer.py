"""Optimizer: the base class; it holds the groups and the state, subclasses say how to update."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jitnet import capture, creation
from jitnet.functional import view_as_real, where
from jitnet.grad_mode import enable_grad, no_grad
from jitnet.nn.hooks import Hook, RemovableHandle, add_hook
from jitnet.nn.tables import Table
from jitnet.tensor import Tensor

from .groups import ParamGroup, StateTable
from .state import load_state, pack_state

Closure = Callable[[], Any]


class Optimizer:
    """Update parameters from their gradients.

    params: tensors, (name, tensor) pairs, or dicts {"params": ..., option: value} of groups.
    A subclass defines `_update`, and `_state` if it keeps any; a step is tensor operations only, so
    that it can be compiled. State starts as zeros, at the first step that sees a gradient.
    """

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "an optimizer wants an iterable of tensors or of dicts, such as "
                "model.parameters(), got one Tensor: put it into a list"
            )
        self.defaults = dict(defaults)
        self.state = StateTable()
        self.param_groups: list[ParamGroup] = []
        self._pre_hooks: Table[int, Hook] = Table()
        self._post_hooks: Table[int, Hook] = Table()
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # What subclasses define

    def _check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError if an option of a group makes no sense."""

    def _state(self, param: Tensor, group: Mapping[str, Any]) -> dict[str, Callable[[], Tensor]]:
        """Return, for each name in a parameter's state, how to make it."""
        return {}

    def _update(
        self, param: Tensor, grad: Tensor, state: Mapping[str, Any], group: ParamGroup
    ) -> None:
        """Change one parameter and its state in place."""
        raise NotImplementedError(f"{type(self).__name__} must define _update or step")

    # Stepping

    def step(self, closure: Closure | None = None) -> Any:
        """Update every parameter that has a gradient.

        closure: computes the loss again, with gradients enabled; its result is returned.
        """
        for hook in tuple(self._pre_hooks.values()):
            hook.call(self, (closure,), {})
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        self._update_all(None)
        for hook in tuple(self._post_hooks.values()):
            hook.call(self, (closure,), {})
        return loss

    def step_unless(self, skip: Tensor) -> None:
        """Update as step() does where skip, a bool without dims, is false; else change nothing.

        What a compiled function calls, which cannot know skip's value.
        """
        if type(self).step is not Optimizer.step:
            raise NotImplementedError(
                f"{type(self).__name__}'s steps cannot be skipped in a compiled function"
            )
        for hook in tuple(self._pre_hooks.values()):
            hook.call(self, (None,), {})
        self._update_all(skip)
        for hook in tuple(self._post_hooks.values()):
            hook.call(self, (None,), {})

    @no_grad()
    def _update_all(self, skip: Tensor | None) -> None:
        """Update every parameter that has a gradient, where skip is false."""
        for group in self.param_groups:
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    continue
                state = self._state_of(param, group)
                held = [param, *(value for value in state.values() if isinstance(value, Tensor))]
                before = [] if skip is None else [each.detach().clone() for each in held]
                if param.is_complex():  # its parts are two parameters
                    parts = {name: _parts(value) for name, value in state.items()}
                    self._update(_parts(param), _parts(grad), parts, group)
                else:
                    self._update(param, grad, state, group)
                for tensor, value in zip(held, before, strict=False):
                    tensor.copy_(where(skip, value, tensor))

    def _state_of(self, param: Tensor, group: Mapping[str, Any]) -> Table[str, Any]:
        """Return a parameter's state, with what it lacks made, outside any trace."""
        wanted = self._state(param, group)
        if not wanted:
            return self.state.get(param, Table())
        state = self.state[param]
        for name, make in wanted.items():
            if state.get(name) is None:
                with capture.suspended():
                    state[name] = creation.on_device(make(), param.device)
        return state

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the parameters' gradients, or fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None  # unread, so that a trace does not depend on what it was
                    continue
                if param.grad is None:
                    continue
                param.grad = param.grad.detach()
                param.grad.zero_()

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) before each step."""
        return add_hook(self._pre_hooks, hook, prepend=False, with_kwargs=True)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return add_hook(self._post_hooks, hook, prepend=False, with_kwargs=True)

    # Groups and state

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with options of their own; what is not given comes from the defaults."""
        if not isinstance(param_group, Mapping):
            raise TypeError(f"param_group must be a dict, got {type(param_group).__name__}")
        if "params" not in param_group:
            raise ValueError(f"param_group must have 'params', got {sorted(param_group)}")
        group = ParamGroup(param_group)
        group["params"], names = _parameters(param_group["params"])
        if names:
            group["param_names"] = names
        if any(bool(names) != ("param_names" in known) for known in self.param_groups):
            raise ValueError("give names to the parameters of all groups or of none")
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        self._check(group)
        held = {id(param) for other in self.param_groups for param in other["params"]}
        if any(id(param) in held for param in group["params"]):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def state_dict(self) -> dict[str, Any]:
        """Return {"state": {index: {name: tensor}}, "param_groups": [options]}, as PyTorch does."""
        return pack_state(self.state, self.param_groups)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over the state and options of a state_dict; nothing changes if it does not fit."""
        load_state(self.state, self.param_groups, state_dict)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for position, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {position}")
            options = sorted(key for key in group if key != "params")
            lines.extend(f"    {key}: {group[key]}" for key in options)
        return "\n".join([*lines, ")"])


def _parameters(given: Any) -> tuple[list[Tensor], list[str]]:
    """Return a group's parameters, checked, and their names if (name, tensor) pairs were given."""
    if isinstance(given, (set, frozenset)):
        raise TypeError("parameters must come in an order, got a set: use a list")
    params: list[Tensor] = []
    names: list[str] = []
    for item in [given] if isinstance(given, Tensor) else list(given):
        param = item
        if isinstance(item, tuple) and len(item) == 2:
            names.append(item[0])
            param = item[1]
        if not isinstance(param, Tensor):
            raise TypeError(f"optimizers update Tensors, got {type(param).__name__}")
        if param.grad_fn is not None:
            raise ValueError("cannot optimize a tensor that is the result of a computation")
        params.append(param)
    if names and len(names) != len(params):
        raise ValueError("give names to all parameters of a group or to none")
    if len({id(param) for param in params}) != len(params):
        warnings.warn("optimizer has duplicate parameters in one group", stacklevel=4)
    return params, names


def _parts(value: Any) -> Any:
    """Return a view of complex values as pairs of floats; anything else as it is."""
    return view_as_real(value) if isinstance(value, Tensor) and value.is_complex() else value
