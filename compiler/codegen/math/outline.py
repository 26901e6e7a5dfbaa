"""Functions of the module that hold what is too long, or too rare, to be inlined."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..emitter import Function, Value, mangle

Build = Callable[..., Value]


def outline(f: Function, base: str, args: Sequence[Value], returns: str, build: Build) -> str:
    """Return the name of a function of these argument types; build(g, *args) writes it once."""
    name = ".".join(["math", base, *(mangle(arg.type) for arg in args)])
    if name not in f.module.helpers:
        f.module.helpers.add(name)
        g = Function(f.module, name, [(f"x{i}", arg.type) for i, arg in enumerate(args)], returns)
        g.finish(build(g, *g.args))
    return name


def call_pure(f: Function, base: str, args: Sequence[Value], returns: str, build: Build) -> Value:
    """Call an outlined function as a pure instruction: shared and hoisted as any other."""
    name = outline(f, base, args, returns, build)
    return f.emit(f"call {returns} @{name}({', '.join(map(str, args))})", returns, args)
