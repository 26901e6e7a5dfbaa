"""Walking a module: its submodules, parameters and buffers, and what stands at a dotted name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jitnet.tensor import Tensor

from .tables import Table

if TYPE_CHECKING:
    from .module import Module
    from .parameter import Parameter


class Walkable:
    """What a module holds, and the ways to go through it and all below it."""

    _parameters: Table[str, Parameter | None]
    _buffers: Table[str, Tensor | None]
    _modules: Table[str, Module | None]

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Yield (dotted name, module) for this module and all below it."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                below = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, below, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """Yield this module and all below it, each once unless remove_duplicate is False."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield (name, module) for the direct submodules, each once."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def _named_members(
        self,
        table_of: Callable[[Module], Mapping[str, Any]],
        prefix: str,
        recurse: bool,
        once: bool,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        if recurse:
            owners = list(self.named_modules(prefix=prefix, remove_duplicate=once))
        else:
            owners = [(prefix, self)]
        for owner_name, owner in owners:
            for name, member in table_of(owner).items():
                if member is None or id(member) in seen:
                    continue
                if once:
                    seen.add(id(member))
                yield (f"{owner_name}.{name}" if owner_name else name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield (dotted name, parameter), each parameter once unless told otherwise."""
        return self._named_members(
            lambda module: module._parameters, prefix, recurse, remove_duplicate
        )

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield the parameters, each once; what optimizers are given."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield (dotted name, buffer), each buffer once unless told otherwise."""
        return self._named_members(
            lambda module: module._buffers, prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield the buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """Return the module at a dotted name; "" is this one."""
        module: Module = self
        for name in target.split(".") if target else ():
            child = module._modules.get(name)
            if child is None:
                raise AttributeError(
                    f"{type(module).__name__} has no submodule {name!r} (looking for {target!r}); "
                    f"it has {', '.join(module._modules) or 'none'}"
                )
            module = child
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted name; strict: there must be one already."""
        owner, _, name = target.rpartition(".")
        if not target:
            raise ValueError("set_submodule cannot replace the module itself: name one below it")
        place = self.get_submodule(owner)
        if strict and name not in place._modules:
            raise AttributeError(f"{type(place).__name__} has no submodule {name!r} to replace")
        setattr(place, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter at a dotted name."""
        owner, _, name = target.rpartition(".")
        param = self.get_submodule(owner)._parameters.get(name)
        if param is None:
            raise AttributeError(f"{type(self).__name__} has no parameter {target!r}")
        return param

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer at a dotted name."""
        owner, _, name = target.rpartition(".")
        buffer = self.get_submodule(owner)._buffers.get(name)
        if buffer is None:
            raise AttributeError(f"{type(self).__name__} has no buffer {target!r}")
        return buffer
