"""NumPy's words for PyTorch's arguments: `axis` for dim, `keepdims` for keepdim, and their kin.

PyTorch takes the first two everywhere; the others are the array API standard's. They hold for the
functions of `jitnet` and the methods of Tensor, not inside the package. So do Python's types as
dtypes: `dtype=int`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from functools import wraps
from types import FunctionType
from typing import Any

from jitnet.runtime.dtype import of_python

WORDS = {
    "dim": "axis",
    "dims": "axis",
    "keepdim": "keepdims",
    "diagonal": "k",
    "shifts": "shift",
    "end": "stop",
    "steps": "num",
    "size": "shape",
}
_OF_SEVERAL_DIMS = (  # of jitnet.fft
    *("fftn", "ifftn", "rfftn", "irfftn", "hfftn", "ihfftn", "fftshift", "ifftshift"),
    *("fft2", "ifft2", "rfft2", "irfft2", "hfft2", "ihfft2"),
)
OWN: dict[str, dict[str, str]] = {  # functions whose words differ
    "tensordot": {"dims": "axes"},
    "permute": {"dims": "axes"},
    "tile": {},
    "lerp": {},
    "split": {**WORDS, "split_size_or_sections": "split_size"},  # the method's word
    "transpose": {"dim0": "axis0", "dim1": "axis1"},  # swapaxes, too
    **{name: {"A": "input"} for name in ("det", "logdet", "slogdet", "cholesky")},
    **{name: {"dim": "axes"} for name in _OF_SEVERAL_DIMS},
}
_LISTED = ("size", "shape", "dims")  # parameters that take f(2, 3), f((2, 3)) and f(size=(2, 3))

_MEMORIES = ("strided", "contiguous_format", "preserve_format", "channels_last", "channels_last_3d")

_made: dict[Any, Any] = {}


def with_words(function: Any) -> Any:
    """Return a function that takes NumPy's words too; itself where none applies."""
    if not isinstance(function, FunctionType):
        return function
    if function not in _made:
        code = inspect.unwrap(function).__code__
        named = code.co_argcount + code.co_kwonlyargcount
        words = OWN.get(function.__name__, WORDS)
        renamed = {words[name]: name for name in code.co_varnames[:named] if name in words}
        together: set[str] = set()
        if code.co_flags & inspect.CO_VARARGS and code.co_varnames[named] in _LISTED:
            listed = code.co_varnames[named]
            together = {listed, words.get(listed, listed)}
        has_dtype = "dtype" in code.co_varnames[:named] or code.co_flags & inspect.CO_VARKEYWORDS
        change = renamed or together or has_dtype
        _made[function] = _renaming(function, renamed, together) if change else function
        if set(code.co_varnames[:named]) >= {"device", "requires_grad"}:
            _made[function] = _in_any_memory(_made[function], code.co_varnames[:named])
    return _made[function]


def _in_any_memory(function: Callable[..., Any], known: Sequence[str]) -> Any:
    """Return a function that makes tensors, taking words for kinds of memory.

    Of them pin_memory=True says something; all else there is one kind of.
    """
    unknown = {"pin_memory", "layout", "memory_format"}.difference(known)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        pin = options.get("pin_memory") is True
        for word in unknown & options.keys():
            if options.pop(word) not in (None, True, False, *_MEMORIES):
                raise NotImplementedError(
                    f"{function.__name__}() makes strided tensors only; leave {word!r} out"
                )
        made = function(*args, **options)
        return made.pin_memory() if pin else made

    return call


def _renaming(function: Callable[..., Any], words: Mapping[str, str], together: Set[str]) -> Any:
    """Return function with other words for its arguments, and its *arguments as a keyword.

    A dtype may be one of Python's types.
    """

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if not options:
            return function(*args)
        for word in words.keys() & options.keys():
            name = words[word]
            if name in options:
                raise TypeError(f"{function.__name__}() got both {name!r} and {word!r}")
            options[name] = options.pop(word)
        for word in together & options.keys():
            value = options.pop(word)
            args = (*args, value) if value is not None else args
        if "dtype" in options:
            options["dtype"] = of_python(options["dtype"])
        return function(*args, **options)

    call.__signature__ = _signature(function, words, together)  # type: ignore[attr-defined]
    return call


def _signature(
    function: Callable[..., Any], words: Mapping[str, str], together: Set[str]
) -> inspect.Signature:
    """Return a function's signature with NumPy's words at its end; None stands for "not given"."""
    own = inspect.signature(function)
    *before, last = own.parameters.values()
    after = [last] if last.kind is last.VAR_KEYWORD else []
    before = before if after else [*before, last]
    added = []
    for word in sorted({*words, *together} - own.parameters.keys()):
        default = own.parameters[words[word]].default if word in words else None
        default = None if default is inspect.Parameter.empty else default
        added.append(inspect.Parameter(word, inspect.Parameter.KEYWORD_ONLY, default=default))
    return own.replace(parameters=[*before, *added, *after])


def install(namespace: dict[str, Any]) -> None:
    """Make the functions of a namespace take NumPy's words."""
    for name, value in namespace.items():
        if isinstance(value, FunctionType) and not name.startswith("_"):
            namespace[name] = with_words(value)
