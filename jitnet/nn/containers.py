"""Modules that hold modules or parameters: Sequential, lists and dicts."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from jitnet.tensor import Tensor

from .describe import describe_list
from .module import Module
from .parameter import Parameter


def _position(index: int, length: int, owner: Module) -> str:
    """Return the name of the index-th entry, counted from the end when negative."""
    index = operator.index(index)
    if not -length <= index < length:
        raise IndexError(
            f"index {index} is out of range for a {type(owner).__name__} of {length} entries"
        )
    return str(index % length)


class _Chain(Module):
    """What Sequential and ModuleList share: modules named "0", "1", ..."""

    def _rename(self, modules: Iterable[Module | None]) -> None:
        """Hold exactly these modules, named by position."""
        kept = list(modules)
        self._modules.clear()
        for position, module in enumerate(kept):
            self.add_module(str(position), module)

    def _key(self, index: int) -> str:
        position = int(_position(index, len(self), self))
        return list(self._modules)[position]

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(index)
        return self._modules[self._key(index)]

    def _slice(self, index: slice) -> Any:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        keys = list(self._modules)
        drop = keys[index] if isinstance(index, slice) else [self._key(index)]
        for key in drop:
            del self._modules[key]
        self._rename(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(module is held for held in self._modules.values())

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before position `index`."""
        length = len(self)
        if not -length <= index <= length:
            raise IndexError(f"index {index} is out of range for {length} entries")
        kept = list(self._modules.values())
        kept.insert(index, module)
        self._rename(kept)
        return self

    def pop(self, index: int) -> Module:
        """Take a module out and return it."""
        module: Module = self[index]
        del self[index]
        return module


class Sequential(_Chain):
    """Modules called one after another: Sequential(a, b) or Sequential({"name": a, ...})."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
            return
        for position, module in enumerate(args):
            self.add_module(str(position), module)

    def forward(self, input: Any) -> Any:
        """Pass the input through every module in order."""
        for module in self:
            input = module(input)
        return input

    def _slice(self, index: slice) -> Sequential:
        return Sequential(dict(list(self._modules.items())[index]))

    def __delitem__(self, index: int | slice) -> None:
        keys = list(self._modules)
        named = any(key != str(position) for position, key in enumerate(keys))
        drop = keys[index] if isinstance(index, slice) else [self._key(index)]
        for key in drop:
            del self._modules[key]
        if not named:
            self._rename(self._modules.values())

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)


class ModuleList(_Chain):
    """A list of modules whose parameters are registered; it has no forward of its own."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _slice(self, index: slice) -> ModuleList:
        return ModuleList(list(self._modules.values())[index])

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        return describe_list(self._get_name(), self)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]


class ModuleDict(Module):
    """A dict of modules whose parameters are registered; it has no forward of its own."""

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module | None:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """Return the modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the (name, module) pairs."""
        return self._modules.items()

    def clear(self) -> None:
        """Take every module out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        module: Module = self._modules.pop(key)
        return module

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace many modules."""
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules
        for key, module in list(pairs):
            self.add_module(key, module)


def _as_parameter(value: Any) -> Any:
    """Return a plain tensor as a Parameter, anything else as it is."""
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


class ParameterList(Module):
    """A list of parameters that is registered; plain tensors become parameters.

    It holds other values, too: lists of this kind are registered, all else is only kept.
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return getattr(self, _position(index, len(self), self))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, _position(index, len(self), self), _as_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[place] for place in range(len(self)))

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end."""
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def extra_repr(self) -> str:
        """Return one line for each value that is no list."""
        values = enumerate(self)
        return "\n".join(
            f"({place}): {_summary(value)}"
            for place, value in values
            if not isinstance(value, Module)
        )


class ParameterDict(Module):
    """A dict of parameters that is registered; plain tensors become parameters."""

    def __init__(self, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        return self._parameters[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Any]:
        """Return the parameters."""
        return self._parameters.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return the (name, parameter) pairs."""
        return self._parameters.items()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the parameter of a name, or the default."""
        return self._parameters.get(key, default)

    def pop(self, key: str) -> Any:
        """Take a parameter out and return it."""
        return self._parameters.pop(key)

    def popitem(self) -> tuple[str, Any]:
        """Take the last (name, parameter) pair out."""
        return self._parameters.popitem()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the parameter of a name, which becomes the default if there is none."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Take all parameters out."""
        self._parameters.clear()

    def copy(self) -> ParameterDict:
        """Return another dict of the same parameters."""
        return ParameterDict(dict(self._parameters))

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace many parameters."""
        is_mapping = isinstance(parameters, (Mapping, ParameterDict))
        for key, value in list(parameters.items() if is_mapping else parameters):
            self[key] = value

    def extra_repr(self) -> str:
        """Return one line for each parameter."""
        return "\n".join(f"({key}): {_summary(value)}" for key, value in self._parameters.items())


def _summary(value: Any) -> str:
    if not isinstance(value, Tensor):
        return "None" if value is None else f"Object of type: {type(value).__name__}"
    sizes = "x".join(map(str, value.shape))
    return f"Parameter containing: [{value.dtype} of size {sizes}]"
