"""Devices: what a tensor's `device` is, and what a kind of device must be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol

from .dataclass import dataclass
from .target import Target

# A kind of device for machine code in this process is one file of this folder, as Backend says.
_BACKENDS = {"cpu": "jitnet.runtime.cpu"}
_KINDS = ("cpu", "cuda")


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


@dataclass(frozen=True)
class Device:
    """Where a tensor lives: a kind of device and, where there may be several, which one."""

    type: str
    index: int | None = None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"


CPU = Device("cpu")


@cache
def gpu_device(index: int) -> Device:
    """Return the device of a GPU: one object for each."""
    return Device("cuda", index)


@cache
def device_named(name: str) -> Device:
    """Return the device that a text such as "cpu" or "cuda:0" names, or raise RuntimeError."""
    kind, colon, number = name.partition(":")
    if kind not in _KINDS:
        raise RuntimeError(f"device {name!r} is unknown; jitnet has {', '.join(_KINDS)}")
    if not colon:
        return Device(kind)
    if not number.isdecimal():
        raise RuntimeError(f"device {name!r}: after the colon comes a number, such as '{kind}:0'")
    if kind == "cpu" and int(number) != 0:
        raise RuntimeError(f"device {name!r}: there is one cpu device, 'cpu' or 'cpu:0'")
    return Device(kind, int(number))


def backend(device: Device) -> Backend:
    """Return the module that runs code on a device."""
    module: Backend = import_module(_BACKENDS[device.type])
    return module


def host_target() -> Target:
    """Return the processor that this process runs on, as code generation must know it."""
    return backend(CPU).host_target()
