"""A program for a GPU as it is kept: machine code, what is launched in order, constants."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jitnet.runtime.dataclass import dataclass

from ..dtype import dtype_named, from_numpy_dtype
from .driver import Code
from .gemm import Gemm

_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Step:
    """One launch.

    function: its number.  places: of each pointer after the status, the slot (-1 for the arena),
    and how many bytes after it begins.
    """

    function: int
    grid: tuple[int, ...]
    block: tuple[int, ...]
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Product:
    """One call of the vendor's library.

    places: of what it reads and writes, as in Step.
    """

    gemm: Gemm
    places: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Image:
    """All that running a program takes.

    Slots: 0 is the status, then inputs, fresh outputs, constants.
    """

    codes: tuple[Code, ...]
    steps: tuple[Step | Product, ...]
    arena_bytes: int
    constants: tuple[NDArray[np.generic], ...]
    checks: bool

    @property
    def asks_library(self) -> bool:
        """Whether the vendor's library does a part."""
        return any(isinstance(step, Product) for step in self.steps)

    def to_bytes(self) -> bytes:
        """Return a header that says what there is, then code and constants as they are."""
        header = {
            "codes": [[code.symbol, len(code.image)] for code in self.codes],
            "steps": [_listed(step) for step in self.steps],
            "arena_bytes": self.arena_bytes,
            "constants": [
                [from_numpy_dtype(array.dtype).name, array.shape] for array in self.constants
            ],
            "checks": self.checks,
        }
        text = json.dumps(header).encode()
        parts = [code.image for code in self.codes]
        parts += [array.tobytes() for array in self.constants]
        return b"".join([len(text).to_bytes(_LENGTH_BYTES, "little"), text, *parts])

    @staticmethod
    def from_bytes(data: bytes) -> Image:
        """Return what `to_bytes` wrote."""
        at = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
        header: dict[str, Any] = json.loads(data[_LENGTH_BYTES:at])
        codes = []
        for symbol, size in header["codes"]:
            codes.append(Code(symbol, data[at : at + size]))
            at += size
        constants: list[NDArray[np.generic]] = []
        for name, shape in header["constants"]:
            dtype = dtype_named(name).numpy
            count = int(np.prod(shape, dtype=np.int64))
            constants.append(np.frombuffer(data, dtype, count, at).reshape(shape).copy())
            at += count * dtype.itemsize
        assert at == len(data), "the entry is longer than its header says"
        return Image(
            tuple(codes),
            tuple(map(_step, header["steps"])),
            header["arena_bytes"],
            tuple(constants),
            header["checks"],
        )


def _listed(step: Step | Product) -> list[Any]:
    if isinstance(step, Product):
        return [step.gemm.to_list(), step.places]
    return [step.function, step.grid, step.block, step.places]


def _step(found: list[Any]) -> Step | Product:
    *what, places = found
    pairs = tuple(map(_pair, places))
    if len(what) == 1:
        return Product(Gemm.from_list(what[0]), pairs)
    function, grid, block = what
    return Step(function, tuple(grid), tuple(block), pairs)


def _pair(place: list[int]) -> tuple[int, int]:
    slot, offset = place
    return slot, offset
