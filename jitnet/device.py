"""Where a tensor's memory is: "cpu", or a GPU as "cuda" or "cuda:1"; where new ones are made."""

from __future__ import annotations

import threading

from jitnet.runtime.device import CPU as CPU
from jitnet.runtime.device import Device as Device
from jitnet.runtime.device import entering, gpu_device, leaving

from .modes import mode

device = Device


def placed(where: object) -> Device:
    """Return the device that is there under a name; RuntimeError where there is none.

    None is the CPU. Each device is one object: "cuda" is the GPU that this thread has chosen.
    """
    if where is None or where is CPU:
        return CPU
    named = Device(where)  # type: ignore[arg-type]
    if named.type == "cpu":
        return CPU
    if named.type != "cuda":
        raise RuntimeError(f"this jitnet runs on CPUs and NVIDIA's GPUs, not on {named}")
    from jitnet.runtime.cuda.gpu import gpu

    return gpu(mode.now.gpu if named.index is None else named.index).device


def home(where: object) -> Device:
    """Return the device that a new tensor is made on; None is the default device."""
    return placed(mode.now.device if where is None else where)


def chosen_home() -> Device | None:
    """Return the default device, or None where it is the CPU: what is there may stay there."""
    return None if mode.now.device is CPU else home(None)


# -- the default device -------------------------------------------------------------------------


class _Outer(threading.local):
    """The default devices of each thread's `with device:` blocks, to be put back."""

    def __init__(self) -> None:
        self.devices: list[Device] = []


_outer = _Outer()


def set_default_device(device: object) -> None:
    """Say where this thread makes tensors that nobody places; None is the CPU.

    RuntimeError for a device that is not there.
    """
    mode.now = mode.now.placing(_named(device))


def get_default_device() -> Device:
    """Return where this thread makes tensors that nobody places."""
    found = mode.now.device
    return gpu_device(mode.now.gpu) if found.type == "cuda" and found.index is None else found


def _named(where: object) -> Device:
    """Return a device that is there; "cuda" stays the GPU that is chosen when a tensor is made."""
    there = placed(where)
    if there is CPU:
        return CPU
    named = Device(where)  # type: ignore[arg-type]
    return named if named.index is None else there


def _enter(device: Device) -> None:
    before = mode.now
    mode.now = before.placing(_named(device))
    _outer.devices.append(before.device)


def _leave() -> None:
    mode.now = mode.now.placing(_outer.devices.pop())


entering.append(_enter)
leaving.append(_leave)
