"""Memory of a GPU that somebody else gave, for as long as arrays here use it."""

from __future__ import annotations

from collections.abc import Callable

from .gpu import Gpu


class LentMemory:
    """Bytes that are given back once all that was asked of the GPU by then has run.

    That is when the GPU is next asked for memory, or waited for: see Gpu.unused.
    """

    def __init__(self, gpu: Gpu, address: int, size: int, give_back: Callable[[], None]) -> None:
        self.address = address
        self.size = size
        self._gpu = gpu
        self._give_back = give_back

    def __del__(self) -> None:
        self._gpu.unused.append((self._gpu.give_back, self._give_back))

    def used_by(self, stream: int) -> None:
        """Do nothing: at the end all streams are waited for."""
