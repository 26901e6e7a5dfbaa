"""Calls of the host: what a program asks NumPy to compute, as data that a program is kept with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType, dtype_named

from .types import TensorType

Param = bool | int | float | str | None | tuple["Param", ...]


@dataclass(frozen=True)
class Block:
    """How a whole value lies in memory; strides in elements."""

    dtype: DType
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __str__(self) -> str:
        return str(TensorType(self.dtype, self.shape))


@dataclass(frozen=True)
class HostCall:
    """The op that NumPy applies, by its name in the table of ops, and the memory it is given."""

    op: str
    params: tuple[tuple[str, Param], ...]
    args: tuple[Block, ...]
    result: Block

    def to_json(self) -> list[Any]:
        """Return it as lists, numbers and names."""
        blocks = [[b.dtype.name, b.shape, b.strides] for b in (*self.args, self.result)]
        return [self.op, self.params, blocks]

    @staticmethod
    def from_json(data: list[Any]) -> HostCall:
        """Return what `to_json` gave, after a way through a file."""
        op, params, blocks = data
        *args, result = [Block(dtype_named(name), tuple(a), tuple(b)) for name, a, b in blocks]
        named = tuple((name, _param(value)) for name, value in params)
        return HostCall(op, named, tuple(args), result)


def _param(value: Any) -> Param:
    """Return a param in which lists were tuples."""
    return tuple(map(_param, value)) if isinstance(value, list) else value


def spelled(call: HostCall) -> Iterator[str]:
    """Yield the params as they are printed."""
    return (f"{name}={value!r}" for name, value in call.params)


def host_symbol(number: int, call: HostCall) -> str:
    """Return the name under which a program calls its function of this number."""
    return f"host{number}_{call.op.replace('.', '_')}"
