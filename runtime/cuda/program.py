"""A program on a GPU: its code, its arena, its constants, and how it is launched."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from .checks import STATUS_BYTES, Failure
from .gpu import Gpu
from .image import Image, Product

ARENA = -1  # the slot of the arena in Image.places


class DeviceProgram:
    """Kernels that are launched one after another.

    name: of the function that it was compiled from, for errors.  failure: returns the exception for
    a status.  Its arena is taken once and kept, so calls on several streams take turns.
    held: memory of its own, which streams use in turn.  lock: held by the thread whose call it is.
    """

    def __init__(self, gpu: Gpu, image: Image, name: str, failure: Failure) -> None:
        self.gpu = gpu
        self.image = image
        self._failure = failure
        self._functions = [gpu.driver.load(code) for code in image.codes]
        self._arena = gpu.memory(image.arena_bytes, f"the arena of {name}")
        self._status = gpu.zeros_of(STATUS_BYTES)
        self._constants = [gpu.upload(array) for array in image.constants]
        self._stream = gpu.stream
        self.held = [self._arena, self._status, *(each.memory for each in self._constants)]
        self.lock = threading.RLock()

    def __repr__(self) -> str:
        return f"DeviceProgram({len(self.image.steps)} launches, arena of {self._arena.size} bytes)"

    def run(self, pointers: Sequence[int]) -> None:
        """Launch everything, given the addresses of inputs and fresh outputs."""
        with self.lock:
            stream = self.enter()
            self.launch(pointers, stream)
            self.launched(stream)

    def enter(self) -> int:
        """Return this thread's stream, which from now on waits for runs on others."""
        stream = self.gpu.stream
        if self.image.asks_library:
            self.gpu.workspace(stream)  # now: nothing is allocated where launches are captured
        if stream != self._stream:
            self._follow(stream)
        return stream

    def launch(self, pointers: Sequence[int], stream: int) -> None:
        """Ask a stream for all launches, be it to write them down for the one entered last."""
        constants = [constant.address for constant in self._constants]
        slots = [self._status.address, *pointers, *constants, self._arena.address]
        status, launch = self._status.address, self.gpu.driver.launch
        for step in self.image.steps:
            given = [slots[slot] + offset for slot, offset in step.places]
            if isinstance(step, Product):
                a, b, c = given
                workspace = self.gpu.workspace(self._stream).address
                self.gpu.library.multiply(step.gemm, a, b, c, workspace, stream)
            elif 0 not in step.grid:
                function = self._functions[step.function]
                launch(function, step.grid, step.block, [status, *given], stream)

    def launched(self, stream: int) -> None:
        """Remember to ask what the checks of the data have found."""
        if self.image.checks:
            self.gpu.checks.launched(stream, self._status, self._failure)

    def _follow(self, stream: int) -> None:
        """Let a stream wait for this program's runs on another."""
        driver = self.gpu.driver
        event = driver.new_event(False)
        driver.record(event, self._stream)
        driver.wait(stream, event)
        driver.close_event(event)
        for memory in self.held:
            memory.used_by(stream)
        self._stream = stream
