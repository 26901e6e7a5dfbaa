"""Streams, whose work runs in order, and events, which mark places in them."""

from __future__ import annotations

from typing import Any

from jitnet.device import Device
from jitnet.runtime.cuda.gpu import Gpu

from .devices import device, gpu_named, set_device


class Event:
    """A mark in a stream: to wait for, and with enable_timing to measure between.

    It is of the GPU whose stream it first marks; before that it has come.
    """

    _gpu: Gpu | None = None

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        if interprocess:
            raise RuntimeError("events are not shared between processes")
        self._timed = enable_timing
        self._event = 0
        gpu_named()  # RuntimeError where there is none

    def __del__(self) -> None:
        if self._gpu is not None:
            self._gpu.unused.append((self._gpu.driver.close_event, self._event))

    def __repr__(self) -> str:
        place = "not recorded" if self._gpu is None else f"on {self._gpu.device}"
        return f"<jitnet.cuda.Event {place}>"

    @property
    def device(self) -> Device | None:
        """The GPU; None before it is recorded."""
        return None if self._gpu is None else self._gpu.device

    @property
    def cuda_event(self) -> int:
        """The driver's name of it; 0 before it is recorded."""
        return self._event

    def record(self, stream: Stream | None = None) -> None:
        """Mark what a stream (the current one) has been asked for so far."""
        gpu = gpu_named() if stream is None else stream._gpu
        if self._gpu is None:
            self._event = gpu.driver.new_event(self._timed)
            self._gpu = gpu
        if gpu is not self._gpu:
            raise RuntimeError(
                f"the event is of {self._gpu.device}, and the stream of {gpu.device}: "
                "make an event for each GPU"
            )
        gpu.driver.record(self._event, gpu.stream if stream is None else stream.cuda_stream)

    def wait(self, stream: Stream | None = None) -> None:
        """Let what a stream is asked for from now on wait for the mark; of any GPU."""
        if self._gpu is not None:
            chosen = current_stream() if stream is None else stream
            chosen._gpu.driver.wait(chosen.cuda_stream, self._event)

    def query(self) -> bool:
        """Return whether all that was marked has run."""
        return self._gpu is None or self._gpu.driver.event_done(self._event)

    def synchronize(self) -> None:
        """Wait until all that was marked has run."""
        if self._gpu is not None:
            self._gpu.driver.synchronize_event(self._event)

    def elapsed_time(self, end_event: Event) -> float:
        """Return the milliseconds from this mark to a later one."""
        if not (self._timed and end_event._timed):
            raise ValueError("elapsed_time wants two events made with enable_timing=True")
        if self._gpu is None or end_event._gpu is None:
            raise ValueError("elapsed_time wants two events that were recorded")
        return self._gpu.driver.elapsed(self._event, end_event._event)


class Stream:
    """A queue of work on a GPU."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        self._gpu = gpu_named(device)
        self.cuda_stream: int = kwargs.get("handle") or self._gpu.new_stream(priority)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stream):
            return NotImplemented
        return (other.device, other.cuda_stream) == (self.device, self.cuda_stream)

    def __hash__(self) -> int:
        return hash((self.device, self.cuda_stream))

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


class ExternalStream(Stream):
    """Another library's stream, by the driver's name of it; it stays that library's to close."""

    def __init__(self, stream_ptr: int, device: Any = None) -> None:
        super().__init__(device, handle=int(stream_ptr))
        self._gpu.know(self.cuda_stream)


def get_stream_from_external(data_ptr: int, device: Any = None) -> Stream:
    """Return another library's stream."""
    return ExternalStream(data_ptr, device)


class stream:  # noqa: N801
    """A context manager whose work goes to a stream, on its GPU; None changes nothing."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream
        self._before = 0
        self._device = device(None if stream is None else stream.device)

    def __enter__(self) -> None:
        self._device.__enter__()
        if self.stream is not None:
            self._before = self.stream._gpu.stream
            self.stream._gpu.stream = self.stream.cuda_stream

    def __exit__(self, *exc_info: object) -> None:
        if self.stream is not None:
            self.stream._gpu.stream = self._before
        self._device.__exit__(*exc_info)


StreamContext = stream


def current_stream(device: Any = None) -> Stream:
    """Return the stream that this thread's work goes to."""
    gpu = gpu_named(device)
    return Stream(gpu.device, handle=gpu.stream)


def default_stream(device: Any = None) -> Stream:
    """Return the stream that work goes to when no other was chosen."""
    gpu = gpu_named(device)
    return Stream(gpu.device, handle=gpu.default_stream)


def set_stream(stream: Stream | None) -> None:
    """Let this thread's work go to a stream, on its GPU."""
    if stream is not None:
        set_device(stream.device)
        stream._gpu.stream = stream.cuda_stream
