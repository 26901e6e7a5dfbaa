"""What modules add to their state_dict: hooks, extra state and methods of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .hooks import Hook, RemovableHandle, add_hook
from .loading import EXTRA, Incoming, IncompatibleKeys, load
from .tables import Table

if TYPE_CHECKING:
    from jitnet.tensor import Tensor

    from .module import Module

_HOOKS = ("state_dict_pre", "state_dict", "load_state_dict_pre", "load_state_dict_post")


class Stateful:
    """The state of a module: read into a dict, and loaded from one."""

    _modules: Table[str, Module | None]
    _state_hooks: Mapping[str, Table[int, Hook]] = {}

    def state_dict(
        self,
        *,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Return dotted name -> tensor for parameters and persistent buffers.

        The tensors share memory with the module; they are detached unless keep_vars.
        """
        found = {} if destination is None else destination
        for hook in self._hooks_of("state_dict_pre"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(found, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=found, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._hooks_of("state_dict"):
            changed = hook(self, found, prefix, self._metadata())
            found = found if changed is None else changed
        return found

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Put this module's own state into a state_dict; subclasses may change what that is."""
        for name, value in self._own_state().items():
            destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra_state():
            destination[prefix + EXTRA] = self.get_extra_state()

    def _own_state(self) -> dict[str, Tensor]:
        raise NotImplementedError

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy a state_dict into this module, in place; return missing and unexpected keys.

        Everything is checked first: with a wrong shape, or (strict) a missing or unexpected key,
        a RuntimeError lists all that is wrong and nothing is written. assign=True puts the given
        tensors themselves in place of the old ones.
        """
        return load(cast("Module", self), state_dict, strict, assign)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Take this module's own state from a state_dict.

        Subclasses may change the dict before they call this; what it names is checked and copied
        when all modules have been asked.
        """
        if not isinstance(state_dict, Incoming):
            raise TypeError(
                "_load_from_state_dict wants the dict that load_state_dict gave, got another; "
                "change that one, or call load_state_dict() of the module itself"
            )
        for hook in self._hooks_of("load_state_dict_pre"):
            hook(
                self, state_dict, prefix, local_metadata, strict,
                missing_keys, unexpected_keys, error_msgs,
            )  # fmt: skip
        state_dict.expect(cast("Module", self), prefix)

    def get_extra_state(self) -> Any:
        """Return what else a state_dict is to hold of this module; subclasses define it."""
        raise RuntimeError(f"{type(self).__name__} has no get_extra_state: define it in the class")

    def set_extra_state(self, state: Any) -> None:
        """Take what get_extra_state returned; subclasses define it."""
        raise RuntimeError(f"{type(self).__name__} has no set_extra_state: define it in the class")

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Stateful.get_extra_state

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the module's state is read."""
        return self._add_state_hook("state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after the state was read."""
        return self._add_state_hook("state_dict", hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call a hook before a state_dict is loaded, which it may change.

        `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)`
        """
        return self._add_state_hook("load_state_dict_pre", hook)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], with_module: bool = False
    ) -> RemovableHandle:
        """Do the same; without the module, unless with_module."""
        called = hook if with_module else partial(_without_module, hook)
        return self._add_state_hook("load_state_dict_pre", called)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` after a load; it may change the lists of keys."""
        return self._add_state_hook("load_state_dict_post", hook)

    def _add_state_hook(self, kind: str, hook: Callable[..., Any]) -> RemovableHandle:
        if not self._state_hooks:
            self.__dict__["_state_hooks"] = {name: Table() for name in _HOOKS}
        return add_hook(self._state_hooks[kind], hook, prepend=False, with_kwargs=False)

    def _hooks_of(self, kind: str) -> list[Callable[..., Any]]:
        return [hook.call for hook in self._state_hooks[kind].values()] if self._state_hooks else []

    def _metadata(self) -> dict[str, Any]:
        version = getattr(self, "_version", None)
        return {} if version is None else {"version": version}


def _without_module(hook: Callable[..., Any], module: Any, *given: Any) -> Any:
    return hook(*given)
