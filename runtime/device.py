"""Devices: what a tensor's `device` is, and what a kind of device must be able to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Protocol

from .target import Target

# A kind of device for machine code in this process is one file of this folder, as Backend says.
_BACKENDS = {"cpu": "jitnet.runtime.cpu"}
KINDS = ("cpu", "cuda", "mps", "meta", "xpu", "xla", "hip", "hpu", "ipu", "mtia", "vulkan")


class LoadedCode(Protocol):
    """Code on a device, ready to run."""

    def address(self, symbol: str) -> int:
        """Return where a symbol was loaded."""


class Backend(Protocol):
    """What the module of a kind of device offers."""

    def host_target(self) -> Target:
        """Return what code generation must know of the device."""

    def compile_object(self, text: str, target: Target) -> bytes:
        """Return the object code of generated text."""

    def assembly(self, text: str, target: Target | None = None) -> str:
        """Return the object code of generated text as people read it."""

    def load(self, object_code: bytes, imports: Mapping[str, int]) -> LoadedCode:
        """Load object code, its external symbols at the given addresses."""


@dataclasses.dataclass(frozen=True, init=False)  # users hold it: Python sees that it stays
class Device:
    """A device as PyTorch names it: `device("cpu")`, `device("cuda", 0)`, `device("cuda:0")`.

    Every device can be named, whether or not it is there. As a context, a device is where tensors
    are made that nobody places; who makes them says how (`entering`, `leaving`).
    """

    type: str
    index: int | None

    def __init__(self, type: str | int | Device, index: int | None = None) -> None:
        if isinstance(type, Device):
            index, type = type.index, type.type
        elif isinstance(type, int) and not isinstance(type, bool):
            index, type = int(type), "cuda"
        elif not isinstance(type, str):
            raise TypeError(f"a device is named by a string such as 'cpu', got {type!r}")
        name, colon, number = type.partition(":")
        if name not in KINDS or (colon and not number.isdecimal()):
            raise RuntimeError(f"no device is called {type!r}; there are 'cpu' and 'cuda'")
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", int(number) if number else index)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __enter__(self) -> Device:
        for enter in entering:
            enter(self)
        return self

    def __exit__(self, *error: object) -> None:
        for leave in leaving:
            leave()


CPU = Device("cpu")
entering: list[Callable[[Device], None]] = []
leaving: list[Callable[[], None]] = []


def refusal(device: Device) -> str:
    """Return what PyTorch says of a tensor that NumPy cannot read."""
    return (
        f"can't convert {device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor "
        "to host memory first."
    )


@cache
def gpu_device(index: int) -> Device:
    """Return the device of a GPU: one object for each."""
    return Device("cuda", index)


def backend(device: Device) -> Backend:
    """Return the module that runs code on a device."""
    module: Backend = import_module(_BACKENDS[device.type])
    return module


def host_target() -> Target:
    """Return the processor that this process runs on, as code generation must know it."""
    return backend(CPU).host_target()
