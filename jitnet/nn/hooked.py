"""Calling a module with its hooks: before and after forward, and around its backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jitnet.autograd.function import Function
from jitnet.grad_mode import is_grad_enabled
from jitnet.tensor import Tensor

from .hooks import Hook, RemovableHandle, add_hook
from .tables import Table

if TYPE_CHECKING:
    from .module import Module


class Hookable:
    """The hooks of a module, by kind."""

    _forward_pre_hooks: Table[int, Hook]
    _forward_hooks: Table[int, Hook]
    _backward_pre_hooks: Table[int, Hook]
    _backward_hooks: Table[int, Hook]
    forward: Callable[..., Any]

    def _has_hooks(self) -> bool:
        return bool(
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
        )

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in tuple(self._forward_pre_hooks.values()):
            if hook.with_kwargs:
                changed = hook.call(self, args, kwargs)
                if changed is not None:
                    args, kwargs = changed
                continue
            changed = hook.call(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        watched = is_grad_enabled() and (self._backward_hooks or self._backward_pre_hooks)
        around = _Around(self, args) if watched else None
        try:
            result = self.forward(*(around.args if around else args), **kwargs)
        except Exception:
            self._after(args, kwargs, None, failed=True)
            raise
        result = self._after(args, kwargs, result, failed=False)
        return around.leave(result) if around else result

    def _after(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, failed: bool
    ) -> Any:
        """Call the forward hooks, after a failure those only that are always called."""
        for hook in tuple(self._forward_hooks.values()):
            if failed and not hook.always:
                continue
            given = (args, kwargs) if hook.with_kwargs else (args,)
            changed = hook.call(self, *given, result)
            if changed is not None:
                result = changed
        return result

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before each forward; what it returns replaces the args."""
        return add_hook(self._forward_pre_hooks, hook, prepend, with_kwargs)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, result)` after each forward; what it returns replaces it.

        always_call: call it with None where forward raises, too.
        """
        return add_hook(self._forward_hooks, hook, prepend, with_kwargs, always_call)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` before each backward; its result replaces them."""
        return add_hook(self._backward_pre_hooks, hook, prepend, False)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` after each backward.

        Both are tuples, with None where there is no gradient; what it returns replaces grad_input.
        """
        return add_hook(self._backward_hooks, hook, prepend, False)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Do what register_full_backward_hook does: an older name."""
        return self.register_full_backward_hook(hook)


class _Around:
    """One call of a module whose backward is watched, from its arguments to its results."""

    def __init__(self, module: Any, args: tuple[Any, ...]) -> None:
        self.module: Module = module
        self.places = [
            place for place, arg in enumerate(args) if isinstance(arg, Tensor) and arg.requires_grad
        ]
        self.count = len(args)
        self.args = list(args)
        self.grad_output: tuple[Any, ...] = ()
        if self.places:
            entered = _Arguments.apply(self, *(args[place] for place in self.places))
            for place, tensor in zip(self.places, _tuple(entered), strict=True):
                self.args[place] = tensor

    def leave(self, result: Any) -> Any:
        """Return the result, with its tensors watched: one, or those of a tuple or list."""
        parts = list(_tuple(result))
        places = [i for i, x in enumerate(parts) if isinstance(x, Tensor) and x.requires_grad]
        if not places:
            return result
        watched = _Results.apply(self, *(parts[place] for place in places))
        for place, tensor in zip(places, _tuple(watched), strict=True):
            parts[place] = tensor
        return type(result)(parts) if isinstance(result, tuple | list) else parts[0]

    def begin(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Note the results' gradients, as the pre-hooks want them."""
        for hook in tuple(self.module._backward_pre_hooks.values()):
            changed = hook.call(self.module, grads)
            grads = grads if changed is None else _tuple(changed)
        self.grad_output = grads
        if not self.places:
            self.end(())
        return grads

    def end(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments' gradients, as the hooks want them."""
        full: list[Any] = [None] * self.count
        for place, grad in zip(self.places, grads, strict=True):
            full[place] = grad
        inputs = tuple(full)
        for hook in tuple(self.module._backward_hooks.values()):
            changed = hook.call(self.module, inputs, self.grad_output)
            inputs = inputs if changed is None else _tuple(changed)
        return tuple(inputs[place] for place in self.places)


def _tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


class _Arguments(Function):
    """Passes arguments on; its backward is the end of the module's."""

    @staticmethod
    def forward(ctx: Any, around: _Around, *tensors: Tensor) -> Any:
        """Return the tensors."""
        ctx.around = around
        return tuple(tensor.clone() for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Return the gradients that the hooks leave."""
        return (None, *ctx.around.end(grads))


class _Results(Function):
    """Passes results on; its backward is the beginning of the module's."""

    @staticmethod
    def forward(ctx: Any, around: _Around, *tensors: Tensor) -> Any:
        """Return the tensors."""
        ctx.around = around
        return tuple(tensor.clone() for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Return the gradients that the pre-hooks leave."""
        return (None, *ctx.around.begin(grads))
