"""Where a tensor's memory is: "cpu", or a GPU as "cuda" or "cuda:1"."""

from __future__ import annotations

from jitnet.runtime.device import CPU as CPU
from jitnet.runtime.device import Device as Device

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
    from jitnet.runtime.cuda.gpu import gpu_of

    return gpu_of(named).device


def check_cpu(where: object, what: str) -> None:
    """Raise unless `where` is None or names the CPU."""
    if where is not None and Device(where).type != "cpu":  # type: ignore[arg-type]
        raise RuntimeError(f"{what} is there on the CPU only, not on {where!s}")
