"""Streams, whose work runs in order, and events, which mark places in them."""

from __future__ import annotations

from typing import Any

from jitnet.device import Device
from jitnet.runtime.cuda.gpu import Gpu

from .devices import gpu_named


class Event:
    """A mark in a stream: to wait for, and with enable_timing to measure between."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        if interprocess:
            raise RuntimeError("events are not shared between processes")
        self._timed = enable_timing
        self._gpu: Gpu = gpu_named()
        self._event = self._gpu.driver.new_event(enable_timing)

    def __del__(self) -> None:
        if hasattr(self, "_event"):
            self._gpu.driver.close_event(self._event)

    def record(self, stream: Stream | None = None) -> None:
        """Mark what a stream (the current one) has been asked for so far."""
        self._gpu.driver.record(self._event, _handle(self._gpu, stream))

    def wait(self, stream: Stream | None = None) -> None:
        """Let what a stream is asked for from now on wait for the mark."""
        self._gpu.driver.wait(_handle(self._gpu, stream), self._event)

    def query(self) -> bool:
        """Return whether all that was marked has run."""
        return self._gpu.driver.event_done(self._event)

    def synchronize(self) -> None:
        """Wait until all that was marked has run."""
        self._gpu.driver.synchronize_event(self._event)

    def elapsed_time(self, end_event: Event) -> float:
        """Return the milliseconds from this mark to a later one."""
        if not (self._timed and end_event._timed):
            raise ValueError("elapsed_time wants two events made with enable_timing=True")
        return self._gpu.driver.elapsed(self._event, end_event._event)


class Stream:
    """A queue of work on a GPU."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        self._gpu = gpu_named(device)
        self.cuda_stream: int = kwargs.get("handle") or self._gpu.new_stream(priority)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and other.cuda_stream == self.cuda_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)

    def __repr__(self) -> str:
        return f"<jitnet.cuda.Stream device={self.device} cuda_stream={self.cuda_stream:#x}>"

    @property
    def device(self) -> Device:
        """The GPU."""
        return self._gpu.device

    def query(self) -> bool:
        """Return whether all work has run."""
        return self._gpu.driver.stream_done(self.cuda_stream)

    def synchronize(self) -> None:
        """Wait for all work; raise what checks of data have found."""
        self._gpu.settle(self.cuda_stream)

    def record_event(self, event: Event | None = None) -> Event:
        """Mark what was asked for so far."""
        made = event or Event()
        made.record(self)
        return made

    def wait_event(self, event: Event) -> None:
        """Let what is asked for from now on wait for an event."""
        event.wait(self)

    def wait_stream(self, stream: Stream) -> None:
        """Let what is asked for from now on wait for all that another stream has to do."""
        self.wait_event(stream.record_event())


class stream:  # noqa: N801
    """A context manager whose work goes to a stream; None changes nothing."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream
        self._before = 0

    def __enter__(self) -> None:
        if self.stream is not None:
            self._before = self.stream._gpu.stream
            self.stream._gpu.stream = self.stream.cuda_stream

    def __exit__(self, *exc_info: object) -> None:
        if self.stream is not None:
            self.stream._gpu.stream = self._before


def current_stream(device: Any = None) -> Stream:
    """Return the stream that this thread's work goes to."""
    gpu = gpu_named(device)
    return Stream(gpu.device, handle=gpu.stream)


def default_stream(device: Any = None) -> Stream:
    """Return the stream that work goes to when no other was chosen."""
    gpu = gpu_named(device)
    return Stream(gpu.device, handle=gpu.default_stream)


def set_stream(stream: Stream | None) -> None:
    """Let this thread's work go to a stream."""
    if stream is not None:
        stream._gpu.stream = stream.cuda_stream


def _handle(gpu: Gpu, stream: Stream | None) -> int:
    return gpu.stream if stream is None else stream.cuda_stream
