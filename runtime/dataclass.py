"""dataclasses.dataclass, quick to define and to make.

Python writes each method of a dataclass as text and compiles it, in every process anew: 0.27 ms for
a frozen one, of which the compiler has 110, most of them in the way of a first result. Here only
`__init__` is made so; the others are closures over the names of the fields, which takes 0.07 ms.

That nobody assigns to a frozen one's fields is left to mypy, which takes this for Python's own: so
`__init__` can, and making an instance takes a third of the time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls=None, /, *, frozen=False, eq=True):
        """Make a class a dataclass, as Python's decorator of this name does."""
        if cls is None:
            return lambda decorated: dataclass(decorated, frozen=frozen, eq=eq)
        own = vars(cls).copy()  # what the class says itself goes before
        made = dataclasses.dataclass(cls, repr=False, eq=False)
        methods = _repr_method(made) | (_equality(made, frozen) if eq else {})
        for name, method in methods.items():
            if name not in own:
                setattr(made, name, method)
        return made


def _repr_method(cls: type) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(cls) if field.repr]

    def shown(self: Any) -> str:
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__qualname__}({values})"

    return {"__repr__": shown}


def _equality(cls: type, frozen: bool) -> dict[str, Any]:
    values_of = _reader([field.name for field in dataclasses.fields(cls) if field.compare])

    def equals(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values_of(self) == values_of(other)

    def hashed(self: Any) -> int:
        return hash(values_of(self))

    return {"__eq__": equals, "__hash__": hashed if frozen else None}


def _reader(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that returns the values of these attributes."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple([getattr(self, name) for name in names])
