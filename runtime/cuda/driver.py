"""What the runtime asks of a GPU, and of what finds GPUs: two protocols, and their errors.

Addresses, streams and events are whole numbers. Work on one stream runs in order; nothing here
waits for it but what says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..dataclass import dataclass
from .gemm import Gemm


class CudaError(RuntimeError):
    """What a GPU, or its driver, says went wrong."""


class OutOfMemoryError(CudaError):
    """A GPU has no room for what was asked."""


@dataclass(frozen=True)
class Properties:
    """What a GPU is.

    total_memory: in bytes.  multi_processor_count: how many blocks run side by side, or more.
    The rest is 0 where nobody has asked the driver.
    """

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int
    max_threads_per_multi_processor: int = 0
    regs_per_multiprocessor: int = 0
    shared_memory_per_block: int = 0
    shared_memory_per_multiprocessor: int = 0
    L2_cache_size: int = 0
    is_integrated: int = 0
    warp_size: int = 32

    @property
    def capability(self) -> tuple[int, int]:
        """Which instructions it has: NVIDIA's compute capability."""
        return self.major, self.minor


@dataclass(frozen=True)
class Code:
    """Machine code of one function: its name there, and the code."""

    symbol: str
    image: bytes


class Library(Protocol):
    """The vendor's library for products, ready on one GPU.

    workspace_bytes: what memory it is given to work in.
    """

    workspace_bytes: int

    def multiply(self, gemm: Gemm, a: int, b: int, c: int, workspace: int, stream: int) -> None:
        """Ask a stream for products, given the addresses of what is read and written."""


class Driver(Protocol):
    """One GPU."""

    properties: Properties

    # -- memory ----------------------------------------------------------------------------------

    def memory_info(self) -> tuple[int, int]:
        """Return how many bytes are free, and how many there are."""

    def allocate(self, size: int) -> int:
        """Return the address of so many bytes on the GPU; OutOfMemoryError where there are none."""

    def free(self, address: int) -> None:
        """Give memory back, once all work that was asked for has ended."""

    def pin(self, size: int) -> int:
        """Return the address of so many bytes of the host that the GPU reads by itself."""

    def unpin(self, address: int) -> None:
        """Give memory of the host back."""

    def upload(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy from the host, whose memory is read when the stream gets there, or before."""

    def download(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy to the host; it is there once the stream has been waited for."""

    def copy(self, target: int, source: int, size: int, stream: int) -> None:
        """Copy on the GPU."""

    def reaches(self, index: int) -> bool:
        """Whether this GPU reads and writes the memory of another by itself."""

    def copy_to(self, index: int, target: int, source: int, size: int, stream: int) -> None:
        """Copy to another GPU, by a stream of this one: directly, or else by way of the host."""

    def fill(self, target: int, byte: int, size: int, stream: int) -> None:
        """Set every byte."""

    # -- code ------------------------------------------------------------------------------------

    def version(self) -> str:
        """Return what decides the code that `build` makes, besides its arguments."""

    def build(self, source: str, functions: Mapping[str, Sequence[str]]) -> dict[str, Code]:
        """Return the machine code of each function of a module; see `compile_ptx`."""

    def load(self, code: Code) -> int:
        """Return a function that can be launched; it stays loaded."""

    def launch(
        self,
        function: int,
        grid: Sequence[int],
        block: Sequence[int],
        pointers: Sequence[int],
        stream: int,
    ) -> None:
        """Run a function on so many blocks of so many threads."""

    # -- the vendor's library --------------------------------------------------------------------

    def has_library(self) -> bool:
        """Whether the vendor's library for products is installed."""

    def library(self) -> Library:
        """Return the library, ready to work; only where there is one."""

    # -- streams and events ----------------------------------------------------------------------

    def new_stream(self, priority: int = 0) -> int:
        """Return a new stream."""

    def close_stream(self, stream: int) -> None:
        """Let go of a stream; its work still ends."""

    def synchronize(self, stream: int) -> None:
        """Wait until all work of a stream has ended."""

    def stream_done(self, stream: int) -> bool:
        """Whether all work of a stream has ended."""

    def new_event(self, timed: bool) -> int:
        """Return a mark to put into streams."""

    def close_event(self, event: int) -> None:
        """Let go of an event."""

    def record(self, event: int, stream: int) -> None:
        """Put an event at the end of what a stream has to do."""

    def wait(self, stream: int, event: int) -> None:
        """Let what is asked of a stream from now on wait for an event, of any GPU."""

    def synchronize_event(self, event: int) -> None:
        """Wait until a stream has got to an event."""

    def event_done(self, event: int) -> bool:
        """Whether a stream has got to an event."""

    def elapsed(self, start: int, end: int) -> float:
        """Return the milliseconds between two timed events."""

    # -- graphs ----------------------------------------------------------------------------------

    def begin_capture(self) -> int:
        """Return a stream of its own that writes down what it is asked for, instead of doing it."""

    def end_capture(self, stream: int) -> int:
        """Return what was written down, as a graph that can be launched; the stream is gone."""

    def abandon_capture(self, stream: int) -> None:
        """Forget what was written down, and the stream."""

    def launch_graph(self, graph: int, stream: int) -> None:
        """Do all that was written down."""

    def close_graph(self, graph: int) -> None:
        """Let go of a graph."""


class Platform(Protocol):
    """What finds GPUs."""

    def why_not(self) -> str | None:
        """Return why no GPU can be used and what to do about it; None where one can."""

    def count(self) -> int:
        """Return how many GPUs there are; 0 where none can be used."""

    def open(self, index: int) -> Driver:
        """Return a GPU, ready to work."""
