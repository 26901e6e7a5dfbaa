"""Memory of a GPU that somebody else gave, for as long as arrays here use it."""

from __future__ import annotations

from collections.abc import Callable

from .gpu import Gpu


class LentMemory:
    """Bytes that are given back once all that was asked of the GPU by then has run."""

    def __init__(self, gpu: Gpu, address: int, size: int, give_back: Callable[[], None]) -> None:
        self.address = address
        self.size = size
        self._gpu = gpu
        self._give_back = give_back

    def __del__(self) -> None:
        for stream in self._gpu.streams:
            self._gpu.driver.synchronize(stream)
        self._give_back()

    def used_by(self, stream: int) -> None:
        """Do nothing: at the end all streams are waited for."""
