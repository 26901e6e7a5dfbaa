"""Function: a computation with a backward of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import tensor as tensors
from ..errors import at_line
from ..grad_mode import no_grad
from ..modes import mode
from ..tape import RELEASED, STALE, TapeNode
from ..tensor import Tensor
from ..tensors import constants, packing
from ..tensors.size import stamp
from ..tensors.unavailable import Unavailable


class FunctionCtx:
    """What forward hands to backward: saved tensors and any attributes."""

    def __init__(self) -> None:
        self._saved: tuple[Any, ...] = ()
        self._fixed: set[int] = set()
        self._dirty: set[int] = set()
        self._fill = True
        self._released = False
        self._name = "Function"
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *values: Tensor | None) -> None:
        """Keep tensors for backward; a write into one of them before then is an error."""
        self._saved = tuple(
            None if value is None else (value, stamp(value._counter, value._apart))
            for value in values
        )

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors given to save_for_backward."""
        if self._released:
            raise RuntimeError(at_line(RELEASED.format(name=self._name)))
        found: list[Any] = []
        for entry in self._saved:
            if entry is None or type(entry) is packing.Packed:
                found.append(None if entry is None else entry.tensor())
                continue
            value, count = entry
            writes = stamp(value._counter, value._apart) - count
            if writes:
                times = f"{writes} time(s)"
                kind = f"a saved tensor, {value._type},"
                why = partial(STALE.format, kind=kind, name=self._name, times=times)
                found.append(Unavailable.of(value._type, why))
            else:
                found.append(value)
        return tuple(found)

    def mark_non_differentiable(self, *values: Tensor) -> None:
        """Say that these results have no gradient."""
        self._fixed |= {id(value) for value in values}

    def mark_dirty(self, *values: Tensor) -> None:
        """Say that forward wrote into these arguments."""
        self._dirty |= {id(value) for value in values}

    def set_materialize_grads(self, value: bool) -> None:
        """Say whether backward gets zeros (True) or None for results without gradient."""
        self._fill = value


class FunctionNode(TapeNode):
    """The tape's record of a Function."""

    __slots__ = ("ctx", "dtypes", "function", "kinds")

    def __init__(
        self, function: type[Function], ctx: FunctionCtx, args: Any, kinds: list[Any]
    ) -> None:
        super().__init__(args)
        self.function = function
        self.ctx = ctx
        self.dtypes = [arg._type.dtype if isinstance(arg, Tensor) else None for arg in args]
        self.kinds = kinds  # the type of each result; None for what is no tensor

    @property
    def outputs(self) -> int:
        """The number of results."""
        return len(self.kinds)

    def name(self) -> str:
        """Return the class's name, as PyTorch writes it."""
        return f"{self.function.__name__}Backward"

    def gradients(self, grads: list[Tensor | None]) -> list[Any]:
        """Call the class's backward."""
        given: list[Tensor | None] = list(grads)
        if self.ctx._fill:
            for position, kind in enumerate(self.kinds):
                if given[position] is None and kind is not None:
                    given[position] = constants.filled(kind, 0)
        found = self.function.backward(self.ctx, *given)
        results = list(found) if isinstance(found, tuple | list) else [found]
        while len(results) > len(self.edges) and results[-1] is None:
            results.pop()
        if len(results) != len(self.edges):
            raise RuntimeError(
                at_line(
                    f"function {self.name()} returned an incorrect number of gradients (expected "
                    f"{len(self.edges)}, got {len(results)})"
                )
            )
        return [
            value.to(dtype) if isinstance(value, Tensor) and dtype is not None else value
            for value, dtype in zip(results, self.dtypes, strict=True)
        ]

    def release(self) -> None:
        """Let go of the saved tensors."""
        self.ctx._saved, self.ctx._released = (), True


class Function:
    """A computation with a backward of its own: subclass it with static forward and backward.

    >>> class Double(jitnet.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         return grad * 2
    >>> y = Double.apply(x)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; the first argument is the context unless setup_context is there."""
        raise NotImplementedError("a Function wants a static forward")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Return a gradient (or None) for each argument of forward."""
        raise NotImplementedError("a Function wants a static backward")

    setup_context: Callable[..., Any] | None = None

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run forward and record it on the tape."""
        ctx = FunctionCtx()
        ctx._name = cls.__name__
        ctx.needs_input_grad = tuple(isinstance(arg, Tensor) and arg.requires_grad for arg in args)
        with no_grad():
            if cls.setup_context is None:
                result = cls.forward(ctx, *args)
            else:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
        if not mode.now.enabled or not any(ctx.needs_input_grad):
            return result
        return _recorded(cls, ctx, args, result)


def _recorded(cls: type[Function], ctx: FunctionCtx, args: tuple[Any, ...], result: Any) -> Any:
    """Attach a node to the results."""
    single = not isinstance(result, tuple | list)
    results = [result] if single else list(result)
    kinds = [value._type if isinstance(value, Tensor) else None for value in results]
    node = FunctionNode(cls, ctx, args, kinds)
    inputs = {id(arg) for arg in args if isinstance(arg, Tensor)}
    for number, value in enumerate(results):
        if not isinstance(value, Tensor) or id(value) in ctx._fixed:
            continue
        if not value._type.dtype.is_inexact:
            continue
        if id(value) in inputs and id(value) not in ctx._dirty:
            value = results[number] = tensors._alias(value, Tensor)
        value._requires_grad, value._grad_fn, value._output_nr = True, node, number
        value._origin = None
    _saved_results(ctx, results)
    return results[0] if single else type(result)(results)


def _saved_results(ctx: FunctionCtx, results: list[Any]) -> None:
    """Keep saved results without their own node, which would hold itself."""
    mine = {id(value) for value in results if isinstance(value, Tensor)}
    saved = []
    for entry in ctx._saved:
        if entry is not None and id(entry[0]) in mine:
            value, count = entry
            copy = value._snapshot()
            copy._requires_grad, copy._grad_fn = False, None
            entry = (copy, count)
        saved.append(entry)
    if packing.active():
        saved = [entry and packing.Packed(entry[0]) for entry in saved]
    ctx._saved = tuple(saved)


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward that has no second derivative."""

    def run(ctx: FunctionCtx, *grads: Any) -> Any:
        again = mode.now.enabled and any(isinstance(g, Tensor) and g.requires_grad for g in grads)
        with no_grad():
            found = backward(ctx, *grads)
        if not again:
            return found
        results = found if isinstance(found, tuple) else (found,)
        return tuple(
            None if value is None else _Refusing.apply(value.detach().requires_grad_())
            for value in results
        )

    return run


class _Refusing(Function):
    """The identity, with a backward that says that there is no second derivative."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """Return the value."""
        return value.clone()  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Refuse."""
        raise RuntimeError(
            at_line(
                "trying to differentiate twice a function that was marked with @once_differentiable"
            )
        )
