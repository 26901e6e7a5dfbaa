"""Module: the base class of layers and models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from jitnet import creation
from jitnet.grad_mode import no_grad
from jitnet.tensor import Tensor

from . import epoch
from .describe import describe
from .hooked import Hookable
from .moving import parse_target
from .parameter import Buffer, Parameter
from .state import Stateful
from .tables import Table
from .walking import Walkable

T = TypeVar("T")

_MISSING = object()


class Module(Walkable, Hookable, Stateful):
    """A function with state: parameters, buffers and submodules that are assigned to it.

    A subclass calls `super().__init__()` first, assigns its layers, and defines `forward`.

    >>> class Net(Module):
    ...     def __init__(self) -> None:
    ...         super().__init__()
    ...         self.layer = Linear(4, 2)
    ...
    ...     def forward(self, x: Tensor) -> Tensor:
    ...         return self.layer(x)
    """

    training: bool
    _non_persistent: set[str]

    # Names of this class's state that a checkpoint may lack (old PyTorch files do).
    _optional_state: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        epoch.bump()
        fields = self.__dict__
        fields["training"] = True
        fields["_parameters"] = Table()
        fields["_buffers"] = Table()
        fields["_modules"] = Table()
        fields["_non_persistent"] = set()
        fields["_forward_pre_hooks"] = Table()
        fields["_forward_hooks"] = Table()
        fields["_backward_pre_hooks"] = Table()
        fields["_backward_hooks"] = Table()

    # Calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's result; every subclass defines it."""
        raise NotImplementedError(
            f"{type(self).__name__} has no forward: define `def forward(self, ...)` in the class"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._has_hooks():
            return self.forward(*args, **kwargs)
        return self._call_with_hooks(args, kwargs)

    def compile(self, **options: Any) -> None:
        """Let calls of this very module run compiled, with the options of jitnet.compile."""
        from jitnet.compile import compile_in_place

        compile_in_place(self, **options)

    # Attributes

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if "_parameters" not in fields:
            if isinstance(value, (Parameter, Buffer, Module)):
                raise AttributeError(
                    f"cannot assign {name!r} before Module.__init__() was called: "
                    f"begin {type(self).__name__}.__init__ with super().__init__()"
                )
            object.__setattr__(self, name, value)
            return
        match value:
            case Parameter():
                self._forget(name, self._parameters)
                self.register_parameter(name, value)
            case Module():
                self._forget(name, self._modules)
                self.register_module(name, value)
            case Buffer():
                self._forget(name, self._buffers)
                self.register_buffer(name, value, persistent=value.persistent)
            case _:
                self._assign_plain(name, value)

    def _assign_plain(self, name: str, value: Any) -> None:
        """Set an attribute to something that is not registered by its own type."""
        for table, wanted, kind in (
            (self._parameters, Parameter, "parameter"),
            (self._modules, Module, "child module"),
            (self._buffers, Tensor, "buffer"),
        ):
            if name not in table:
                continue
            if value is not None and not isinstance(value, wanted):
                raise TypeError(
                    f"cannot assign {type(value).__name__} as {kind} {name!r}: "
                    f"want {wanted.__name__} or None"
                )
            if table[name] is not value:
                table[name] = value
            return
        if self.__dict__.get(name, _MISSING) is value:
            return
        epoch.bump()
        object.__setattr__(self, name, value)

    def _forget(self, name: str, kept: Mapping[str, Any]) -> None:
        """Take `name` out of wherever it was kept but one table, where it keeps its place."""
        self.__dict__.pop(name, None)
        for table in (self._parameters, self._buffers, self._modules):
            if name in table and table is not kept:
                del table[name]
        self._non_persistent.discard(name)

    def __getattr__(self, name: str) -> Any:
        # Reached only when the ordinary look-up fails.
        for kept in ("_parameters", "_buffers", "_modules"):
            table = self.__dict__.get(kept, {})
            if name in table:
                return table[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        epoch.bump()
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    # Registering

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter called `name`; None reserves the name."""
        self._check_name(name, self._parameters, "parameter")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"parameter {name!r} must be an nn.Parameter or None, got {type(param).__name__}"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"parameter {name!r} is the result of a computation; a parameter must be a leaf: "
                "make it from a detached tensor"
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not learned; a persistent one is in state_dict."""
        self._check_name(name, self._buffers, "buffer")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"buffer {name!r} must be a Tensor or None, got {type(tensor).__name__}"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent.discard(name)
        else:
            self._non_persistent.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a submodule called `name` (also spelled add_module)."""
        self._check_name(name, self._modules, "module")
        if module is not None and not isinstance(module, Module):
            raise TypeError(
                f"module {name!r} must be a Module or None, got {type(module).__name__}"
            )
        self._modules[name] = module

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule called `name`."""
        self.register_module(name, module)

    def _check_name(self, name: str, table: Mapping[str, Any], kind: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(
                f"cannot register a {kind} before Module.__init__() was called: "
                f"begin {type(self).__name__}.__init__ with super().__init__()"
            )
        if not isinstance(name, str):
            raise TypeError(f"a {kind} name must be a str, got {type(name).__name__}")
        if name == "" or "." in name:
            raise KeyError(f"a {kind} name must not be empty nor contain '.', got {name!r}")
        if hasattr(self, name) and name not in table:
            raise KeyError(f"{type(self).__name__} already has an attribute {name!r}")

    # State

    def _own_state(self) -> dict[str, Tensor]:
        """Return this module's parameters and persistent buffers, not those below it."""
        found: dict[str, Tensor] = {}
        for name, param in self._parameters.items():
            if param is not None:
                found[name] = param
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent:
                found[name] = buffer
        return found

    # Modes and moves

    def train(self, mode: bool = True) -> Self:
        """Set training mode on this module and all below it (dropout, batch norm ...)."""
        if not isinstance(mode, bool):
            raise ValueError(f"training mode must be a bool, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: train(False)."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call fn on every submodule and then on this one; for initialising weights."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set requires_grad on every parameter."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop every parameter's gradient, or fill it with zeros."""
        for param in self.parameters():
            if set_to_none:
                param.grad = None  # unread, so that a trace does not depend on what it was
                continue
            if param.grad is None:
                continue
            param.grad = param.grad.detach()
            param.grad.zero_()

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move or cast parameters and buffers, by dtype, device, both, or a tensor that has them.

        A dtype applies to the floating-point ones only, and must be floating-point.
        """
        device, dtype = parse_target(*args, **kwargs)

        def convert(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype if tensor.dtype.is_inexact else None)

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Replace every parameter and buffer by memory of its shape and dtype, on a device."""
        if recurse:
            return self._apply(lambda tensor: creation.empty_like(tensor, device=device))
        raise NotImplementedError("to_empty has recurse=True only: call it on the root")

    def _apply(self, convert: Callable[[Tensor], Tensor]) -> Self:
        """Replace the contents of every parameter, its gradient and every buffer."""
        for module in self.children():
            module._apply(convert)
        with no_grad():
            for param in self._parameters.values():
                if param is None:
                    continue
                grad = param.grad
                data = param.data
                changed = convert(data)
                if changed is not data:
                    param.data = changed
                if grad is not None:
                    param.grad = convert(grad.data)
            for name, buffer in list(self._buffers.items()):
                if buffer is not None:
                    setattr(self, name, convert(buffer))
        return self

    def float(self) -> Self:
        """Cast floating-point parameters and buffers to float32."""
        return self._apply(lambda tensor: tensor.float() if tensor.is_floating_point() else tensor)

    def double(self) -> Self:
        """Cast floating-point parameters and buffers to float64."""
        return self._apply(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor)

    def share_memory(self) -> Self:
        """Return the module: its tensors are in memory that forked processes share until writes."""
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.share_memory_()
        return self

    def half(self) -> Self:
        """Cast floating-point parameters and buffers to float16."""
        return self._apply(lambda tensor: tensor.half() if tensor.is_floating_point() else tensor)

    def bfloat16(self) -> Self:
        """Cast floating-point parameters and buffers to bfloat16."""
        return self._apply(
            lambda tensor: tensor.bfloat16() if tensor.is_floating_point() else tensor
        )

    def type(self, dst_type: Any) -> Self:
        """Cast every parameter and buffer to a dtype."""
        return self._apply(lambda tensor: tensor.to(dst_type))

    def cpu(self) -> Self:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self, device: int | str | None = None) -> Self:
        """Move to a CUDA device."""
        return self.to("cuda" if device is None else device)

    # Printing

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of the repr."""
        return ""

    def __repr__(self) -> str:
        return describe(self._get_name(), self.extra_repr(), self._modules.items())

    def _get_name(self) -> str:
        return type(self).__name__
