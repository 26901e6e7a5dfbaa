"""jitnet.serialization: save and load, and what load may make of a file's whole modules."""

from .missing import missing
from .serialize import load, save
from .serialize.objects import (
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    safe_globals,
)

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "safe_globals",
    "save",
]

__getattr__ = missing(__name__, globals())
