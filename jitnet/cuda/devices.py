"""Which GPUs there are, what they are, and which one "cuda" means."""

from __future__ import annotations

from typing import Any

from jitnet.device import Device
from jitnet.modes import mode
from jitnet.runtime.cuda import gpu as gpus
from jitnet.runtime.cuda.driver import CudaError as CudaError
from jitnet.runtime.cuda.driver import Properties
from jitnet.runtime.cuda.gpu import Gpu
from jitnet.tensor import Tensor


def gpu_named(device: Any = None) -> Gpu:
    """Return a GPU by its device, name or number; None is the current one.

    RuntimeError says why there is none, ValueError that the device is no GPU.
    """
    if device is None:
        return gpus.gpu(mode.now.gpu)
    named = Device(device)
    if named.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {named}")
    return gpus.gpu(mode.now.gpu if named.index is None else named.index)


def is_available() -> bool:
    """Return whether a GPU can be used."""
    return device_count() > 0


def device_count() -> int:
    """Return how many GPUs can be used."""
    return gpus.platform().count()


def is_initialized() -> bool:
    """Return whether a GPU has been used."""
    return bool(gpus.opened())


def init() -> None:
    """Open the current GPU; RuntimeError says why there is none."""
    gpu_named()


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return whether the current GPU multiplies bfloat16."""
    return is_available() and get_device_capability() >= (8, 0)


def is_tf32_supported() -> bool:
    """Return whether the current GPU multiplies float32 rounded to tf32, if it is allowed to."""
    return is_available() and get_device_capability() >= (8, 0)


def get_arch_list() -> list[str]:
    """Return the kinds of GPUs that there are, such as "sm_90"."""
    found = [get_device_capability(number) for number in range(device_count())]
    return sorted({f"sm_{major}{minor}" for major, minor in found})


def current_device() -> int:
    """Return the number of the GPU that "cuda" means in this thread."""
    gpu_named()
    return mode.now.gpu


def set_device(device: Any) -> None:
    """Let "cuda" mean this GPU in this thread."""
    index = gpu_named(device).device.index
    assert index is not None
    mode.now = mode.now.choosing(index)


def get_device_name(device: Any = None) -> str:
    """Return what NVIDIA calls a GPU."""
    return get_device_properties(device).name


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Return a GPU's compute capability."""
    return get_device_properties(device).capability


def get_device_properties(device: Any = None) -> Properties:
    """Return a GPU's name, memory and compute capability."""
    return gpu_named(device).driver.properties


def synchronize(device: Any = None) -> None:
    """Wait for all work of a GPU; raise what checks of data have found."""
    gpu_named(device).synchronize()


class device:  # noqa: N801
    """A context manager in which "cuda" means this GPU; None or -1 change nothing."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device in (None, -1) else gpu_named(device).device.index
        self._before: int | None = None

    def __enter__(self) -> None:
        if self.idx != -1:
            self._before = current_device()
            set_device(self.idx)

    def __exit__(self, *exc_info: object) -> None:
        if self._before is not None:
            set_device(self._before)


class device_of(device):  # noqa: N801
    """A context manager in which "cuda" means a tensor's GPU; one on the CPU changes nothing."""

    def __init__(self, obj: Tensor) -> None:
        super().__init__(obj.device if obj.is_cuda else None)


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Return whether a GPU reads the memory of another by itself, so that copies are direct."""
    index = gpu_named(peer_device).device.index
    assert index is not None
    return gpu_named(device).driver.reaches(index)
