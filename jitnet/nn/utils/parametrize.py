"""Parametrizations: a parameter as a function of others, which are what is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Buffer, Parameter
from .computed import compute, forget

_values: dict[tuple[int, str], Tensor] | None = None


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once within the block, not at every reading."""
    global _values
    before, _values = _values, {}
    try:
        yield
    finally:
        _values = before


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, and what they start from: original, or original0 ..."""

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        given: Any = original
        with no_grad():
            for module in reversed(modules):
                if hasattr(module, "right_inverse"):
                    with suppress(NotImplementedError):  # as in PyTorch: then it starts anew
                        given = module.right_inverse(given)
        self.is_tensor = isinstance(given, Tensor)
        parts = (
            {"original": given}
            if self.is_tensor
            else {f"original{i}": part for i, part in enumerate(given)}
        )
        self.ntensors = len(parts)
        learned = isinstance(original, Parameter)
        for name, part in parts.items():
            data = part.detach() if part is not original else original
            if learned:
                kept = (
                    data
                    if isinstance(data, Parameter)
                    else Parameter(data, original.requires_grad and data.dtype.is_inexact)
                )
                self.register_parameter(name, kept)
            else:
                self.register_buffer(name, data)

    def forward(self) -> Tensor:
        """Return the tensor that the parametrizations make of the originals."""
        if self.is_tensor:
            value = self[0](self.original)
        else:
            value = self[0](*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        for module in list(self)[1:]:
            value = module(value)
        return value  # type: ignore[no-any-return]


def _read(module: Module, name: str) -> Tensor:
    making = module.parametrizations[name]
    if _values is None:
        return making()  # type: ignore[no-any-return]
    key = (id(module), name)
    if key not in _values:
        _values[key] = making()
    return _values[key]


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make module.tensor_name the result of parametrization(original); return the module.

    Its right_inverse, where it has one, gives the original of the value that is there now.
    """
    if is_parametrized(module, tensor_name):
        making = module.parametrizations[tensor_name]
        with no_grad():
            if hasattr(parametrization, "right_inverse") and making.is_tensor:
                value = parametrization.right_inverse(making())
                for inner in reversed(list(making)):
                    value = inner.right_inverse(value) if hasattr(inner, "right_inverse") else value
                making.original.copy_(value)
        making.append(parametrization)
        return module
    tensor = getattr(module, tensor_name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(
            f"Module {module} does not have a parameter, a buffer, or a parametrized element "
            f"with name {tensor_name!r}"
        )
    making = ParametrizationList([parametrization], tensor, unsafe)
    with no_grad():
        made = making()
    if not unsafe and tuple(made.shape) != tuple(tensor.shape):
        raise ValueError(
            f"a parametrization must keep the shape {tuple(tensor.shape)}, got "
            f"{tuple(made.shape)}; pass unsafe=True to change it"
        )
    delattr(module, tensor_name)
    if not hasattr(module, "parametrizations"):
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = making
    compute(module, tensor_name, lambda owner: _read(owner, tensor_name), "Parametrized")
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a tensor of the module, or any, has a parametrization."""
    making = module._modules.get("parametrizations")
    if not isinstance(making, ModuleDict):
        return False
    return len(making) > 0 if tensor_name is None else tensor_name in making


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make the tensor plain again: as computed, or (leave_parametrized=False) the original."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    making = module.parametrizations[tensor_name]
    learned = bool(making._parameters)
    if leave_parametrized:
        with no_grad():
            value = making().detach()
        kept: Any = Parameter(value) if learned else Buffer(value)
    elif making.is_tensor:
        kept = making.original if learned else Buffer(making.original)
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    del module.parametrizations[tensor_name]
    forget(module, tensor_name)
    if not len(module.parametrizations):
        del module.parametrizations
    setattr(module, tensor_name, kept)
    return module
