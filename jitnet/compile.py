"""`jitnet.compile`: a function, method, module or whole training step as native programs.

A call looks for a variant that was compiled for such arguments and such a state of Python. If
there is none, the function is traced, its graph compiled, and the new variant runs.
"""

from __future__ import annotations

import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from jitnet.compiler.ir.graph import Graph
from jitnet.runtime.routine import MISSED

from . import capture
from .device import CPU, Device
from .guards.signature import Signature, differences, signature_of
from .modes import mode
from .nn import Module
from .trace import trace
from .tracing.exclusive import alone
from .tracing.naming import leaf_names
from .tree import Tree, flatten
from .variants.acting import Executable
from .variants.variant import Variant

DEFAULT_LIMIT = 64  # variants of one function that are kept
_RECENT = 8  # variants that a call tries before it asks which it needs

_BACKENDS = ("jitnet", "inductor")
_MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def _native(graph: Graph, device: Device) -> Executable:
    """Return a graph as a program of a device; the compiler is imported when it is first needed."""
    if device is not CPU:
        from .variants.cuda_native import OnGpu

        return OnGpu(graph, device)
    from .variants.native import Native

    return Native(graph)


@contextmanager
def eager() -> Iterator[None]:
    """Run compiled functions as the Python that they were made of, for debugging.

    The environment variable JITNET_DISABLE=1 does the same for a whole process.

    >>> with jitnet.eager():
    ...     step(x, y)
    """
    before, mode.now = mode.now, mode.now.eagerly
    try:
        yield
    finally:
        mode.now = before


class CompiledFunction:
    """A function that runs as native code; what it was made of is `__wrapped__`."""

    def __init__(self, function: Callable[..., Any], limit: int = DEFAULT_LIMIT) -> None:
        self.__wrapped__ = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__doc__ = getattr(function, "__doc__", None)
        self.__module__ = getattr(function, "__module__", __name__)
        self._limit = limit
        self._variants: dict[Signature, list[Variant]] = {}
        self._order: list[Variant] = []
        self._recent: tuple[Variant, ...] = ()  # used last, the latest first
        self._takes: tuple[Callable[..., Any], ...] = ()  # of those whose leaves are the arguments
        self._has_warned = False
        self._by_value: dict[Tree, frozenset[int]] = {}
        for listener in _listeners:
            listener(self)

    # -- calling ---------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            for take in self._takes:
                result = take(*args)
                if result is not MISSED:
                    return result
        return self._call(args, kwargs)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Carry out a call that no recent variant could take as it was given."""
        inside_trace = capture.active is not None and capture.current() is not None
        if inside_trace or mode.now.eager:
            return self.__wrapped__(*args, **kwargs)
        leaves, tree = flatten((args, kwargs))
        for variant in self._recent:
            take = variant.launch.take
            if take is not None and not variant.is_flat and variant.signature.tree == tree:
                result = take(*leaves)
                if result is not MISSED:
                    return result
        return self._variant(leaves, tree).launch.run(leaves)

    def _variant(self, leaves: list[Any], tree: Tree) -> Variant:
        """Return a variant for such arguments and the present state of Python."""
        signature = signature_of(leaves, tree, self._by_value.get(tree, frozenset()))
        found = self._find(signature, leaves)
        if found is not None:
            return found
        with alone():
            # Another thread may have compiled it meanwhile.
            return self._find(signature, leaves) or self._compile(leaves, tree, signature)

    def _find(self, signature: Signature, leaves: list[Any]) -> Variant | None:
        for variant in self._variants.get(signature, ()):
            if variant.fits(leaves):
                self._prefer(variant)
                return variant
        return None

    def _prefer(self, variant: Variant) -> None:
        """Try this variant first in the calls to come."""
        others = [other for other in self._recent if other is not variant and other in self._order]
        self._recent = (variant, *others)[:_RECENT]
        takes = [each.launch.take for each in self._recent if each.is_flat]
        self._takes = tuple(take for take in takes if take is not None)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Return the compiled function of one instance, as a method is."""
        if instance is None:
            return self
        if isinstance(instance, type):  # a class method
            return types.MethodType(self, instance)
        return method_of(self, instance)

    def _compile(self, leaves: list[Any], tree: Tree, signature: Signature) -> Variant:
        """Trace and compile for this call, and keep the variant."""
        reason = self._reason(leaves, tree, signature)
        started = time.perf_counter()
        known = self._by_value.get(tree, frozenset())
        traced, by_value = trace(self.__wrapped__, leaves, tree, known)
        seconds = time.perf_counter() - started
        if by_value != known:
            self._by_value[tree] = by_value
            signature = signature_of(leaves, tree, by_value)
        variant = Variant(traced, signature, _native, reason, seconds)
        if len(self._order) == self._limit:
            self._make_room(reason)
        self._variants.setdefault(signature, []).insert(0, variant)
        self._order.append(variant)
        self._prefer(variant)
        return variant

    def _make_room(self, reason: str) -> None:
        """Drop the oldest variant; the first time, say what keeps changing."""
        oldest = self._order.pop(0)
        for signature, group in list(self._variants.items()):
            if oldest in group:
                group.remove(oldest)
                if not group:
                    del self._variants[signature]
        if not self._has_warned:
            self._has_warned = True
            self._warn(reason)

    def _reason(self, leaves: list[Any], tree: Tree, signature: Signature) -> str:
        """Return in one line why a variant is needed."""
        if not self._order:
            return "the first call"
        for variant in self._variants.get(signature, ()):
            return variant.misfit(leaves)
        names = partial(leaf_names, self.__wrapped__, tree)
        found: list[list[str]] = [
            differences(known, signature, names) for known in reversed(self._variants)
        ]
        return "; ".join(min(found, key=len))

    def _warn(self, reason: str) -> None:
        warnings.warn(
            f"{self.__qualname__} has been compiled more than {self._limit} times, the last time "
            f"because {reason}; the oldest variants are dropped. Keep what changes in a tensor, "
            "pass it as a float, or bring shapes to few sizes; "
            f"{self.__name__}.explain() lists the reason of every variant",
            stacklevel=7,
        )

    # -- looking ---------------------------------------------------------------------------------

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants so far, in the order in which they were compiled."""
        return tuple(self._order)

    def explain(self) -> str:
        """Return what was compiled and why: variants, guards, times, memory, kernels."""
        from .variants.explain import explain

        return explain(self.__qualname__, self._order)

    def dump(self, stage: str = "graph") -> str:
        """Return what the function became: trace, graph, kernels, llvm, asm, call, or all."""
        from .variants.dump import dump

        return dump(self, stage)

    def __repr__(self) -> str:
        return f"<compiled {self.__qualname__}: {len(self._order)} variants>"

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledFunction:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            f"compiled function {self.__qualname__} cannot be pickled; pickle what it was made of "
            "and compile again"
        )


_listeners: list[Callable[[CompiledFunction], None]] = []  # told of each compiled function


@contextmanager
def listening(listener: Callable[[CompiledFunction], None]) -> Iterator[None]:
    """Tell listener of every function that is compiled inside the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


class _Methods:
    """The compiled methods of one instance, kept in its __dict__ so that they live as long.

    A copy of the instance gets none of them.
    """

    def __init__(self) -> None:
        self.made: dict[int, tuple[CompiledFunction, CompiledFunction]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> _Methods:
        return _Methods()

    def __copy__(self) -> _Methods:
        return _Methods()

    def __reduce__(self) -> Any:
        return _Methods, ()


_METHODS = "_jitnet_methods"


def method_of(function: CompiledFunction, instance: Any) -> CompiledFunction:
    """Return the compiled function for one instance: its variants know that instance."""
    fields = getattr(instance, "__dict__", None)
    if fields is None:
        raise TypeError(
            f"cannot compile a method of {type(instance).__name__}, whose instances have no "
            "__dict__; compile a function that calls it"
        )
    methods = fields.get(_METHODS)
    if methods is None:
        methods = fields[_METHODS] = _Methods()
    known = methods.made.get(id(function))
    if known is not None and known[1].__wrapped__.__self__ is instance:
        return known[1]  # type: ignore[no-any-return]
    bound = CompiledFunction(types.MethodType(function.__wrapped__, instance), function._limit)
    methods.made[id(function)] = function, bound
    return bound


def _compile_class(cls: type[Module], limit: int) -> type[Module]:
    """Let calls of the class's instances run compiled."""
    cls.__call__ = CompiledFunction(cls.__call__, limit)  # type: ignore[assignment,method-assign]
    return cls


def _compile_module(module: Module, limit: int) -> Module:
    """Return a module with the same state (the very same __dict__) whose calls run compiled."""
    cls = type(module)
    compiled = CompiledFunction(module, limit)

    class Compiled(cls):  # type: ignore[misc,valid-type]
        __call__ = staticmethod(compiled)

        def explain(self) -> str:
            """Return what was compiled and why."""
            return compiled.explain()

        def dump(self, stage: str = "graph") -> str:
            """Return what the module became."""
            return compiled.dump(stage)

        def __reduce__(self) -> Any:
            raise TypeError("a compiled module cannot be pickled; save its state_dict()")

        def __deepcopy__(self, memo: dict[int, Any]) -> Module:
            import copy

            return _compile_module(copy.deepcopy(module, memo), limit)

    Compiled.__name__, Compiled.__qualname__ = cls.__name__, cls.__qualname__
    Compiled.__module__, Compiled.__doc__ = cls.__module__, cls.__doc__
    wrapper = object.__new__(Compiled)
    object.__setattr__(wrapper, "__dict__", module.__dict__)
    return wrapper  # type: ignore[no-any-return]


def compile(
    model: Any = None,
    *,
    fullgraph: bool = True,
    dynamic: bool | None = None,
    backend: str = "jitnet",
    mode: str | None = None,
    options: Mapping[str, Any] | None = None,
    disable: bool = False,
    limit: int = DEFAULT_LIMIT,
) -> Any:
    """Compile a function, method, module, module class, or whole training step.

    >>> @jitnet.compile
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = F.cross_entropy(model(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss

    Also `jitnet.compile(model)`, and with options `@jitnet.compile(limit=8)`.

    limit: so many variants are kept; one more, and a warning says what keeps changing.
    disable: return model as it is. fullgraph, backend, mode: taken for PyTorch's sake; the whole
    function is always one graph. dynamic=True and options are refused.
    """
    _check_options(fullgraph, dynamic, backend, mode, options, limit)
    if model is None:
        return partial(_compile_any, disable=disable, limit=limit)
    return _compile_any(model, disable=disable, limit=limit)


def _compile_any(model: Any, *, disable: bool, limit: int) -> Any:
    if disable:
        return model
    if isinstance(model, type):
        if not issubclass(model, Module):
            raise TypeError(
                f"compile wants a function, a module or a module class, got the class "
                f"{model.__name__}; decorate its method instead"
            )
        return _compile_class(model, limit)
    if isinstance(model, Module):
        return _compile_module(model, limit)
    if isinstance(model, (CompiledFunction, staticmethod, classmethod)):
        if isinstance(model, CompiledFunction):
            return model
        kind = type(model).__name__
        raise TypeError(f"write @{kind} above @jitnet.compile, not below it")
    if not callable(model):
        raise TypeError(f"compile wants a function or a module, got {type(model).__name__}")
    return CompiledFunction(model, limit)


def compile_in_place(module: Module, **options: Any) -> None:
    """Let calls of this very module run compiled."""
    plain = object.__new__(type(module))
    object.__setattr__(plain, "__dict__", module.__dict__)
    object.__setattr__(module, "__class__", type(compile(plain, **options)))


def _check_options(
    fullgraph: bool,
    dynamic: bool | None,
    backend: str,
    mode: str | None,
    options: Mapping[str, Any] | None,
    limit: int,
) -> None:
    if not isinstance(fullgraph, bool):
        raise TypeError(f"fullgraph must be True or False, got {fullgraph!r}")
    if dynamic not in (None, False):
        raise ValueError(
            "dynamic=True is not possible: each set of shapes compiles a variant of its own; "
            "leave dynamic out"
        )
    if backend not in _BACKENDS:
        raise ValueError(f"the only backend is 'jitnet', got {backend!r}")
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, _MODES))}, got {mode!r}")
    if options:
        raise ValueError(f"there are no options, got {', '.join(map(repr, options))}")
    if not isinstance(limit, int) or limit < 1:
        raise ValueError(f"limit must be a whole number from 1, got {limit!r}")
