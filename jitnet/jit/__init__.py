"""jitnet.jit: TorchScript's names. There is no script: what was marked runs as the Python it is.

`script` and `trace` return what they are given, so programs that mark functions in passing compute
the same. To compile a function or a model use `jitnet.compile`.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from ..errors import at_line
from ..missing import missing
from ..nn import Module

__all__ = ["Final", "annotate", "export", "ignore", "script", "trace", "unused"]


class ScriptModule(Module):
    """What a scripted module would be: no module is one."""


class ScriptFunction:
    """What a scripted function would be: no function is one."""


def is_scripting() -> bool:
    """Return False."""
    return False


def is_tracing() -> bool:
    """Return False: jitnet.compiler.is_compiling() tells of jitnet's own traces."""
    return False


def script(
    obj: Any,
    optimize: Any = None,
    _frames_up: int = 0,
    _rcb: Any = None,
    example_inputs: Any = None,
) -> Any:
    """Return obj, a function, class or module, as it is."""
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Return func, a function or module, as it is."""
    return func


def script_if_tracing(fn: Any) -> Any:
    """Return fn as it is."""
    return fn


def export(fn: Any) -> Any:
    """Return fn as it is."""
    return fn


def unused(fn: Any) -> Any:
    """Return fn as it is."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """Return the function that it marks as it is."""
    return drop if callable(drop) else lambda fn: fn


def annotate(the_type: Any, the_value: Any) -> Any:
    """Return the value."""
    return the_value


def freeze(mod: Any, preserved_attrs: Any = None, optimize_numerics: bool = True) -> Any:
    """Return the module as it is."""
    return mod


def save(m: Any, f: Any, _extra_files: Any = None) -> NoReturn:
    """Raise NotImplementedError: there is no script to save."""
    raise NotImplementedError(
        at_line("jit.save has no script to write; save model.state_dict() with jitnet.save")
    )


def load(f: Any, map_location: Any = None, _extra_files: Any = None) -> NoReturn:
    """Raise NotImplementedError: scripts cannot be read."""
    raise NotImplementedError(
        at_line("jit.load cannot read scripts; load a state_dict with jitnet.load instead")
    )


__getattr__ = missing(__name__, globals())
