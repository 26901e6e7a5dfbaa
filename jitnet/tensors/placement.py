"""Which device operands are on, all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..device import CPU, Device
from ..errors import at_line

if TYPE_CHECKING:
    from ..tensor import Tensor


def common_device(tensors: Sequence[Tensor]) -> Device | None:
    """Return the device that tensors are on; None for constants only, which go anywhere.

    RuntimeError, as PyTorch's, for two devices; but a tensor without dims on the CPU is a number.
    """
    found: Device | None = None
    for tensor in tensors:
        device = tensor._device
        if device is None or device is found:
            continue
        if found is None or (found is CPU and _are_numbers(tensors)):
            found = device
        elif device is not CPU or not is_number(tensor):
            raise RuntimeError(
                at_line(
                    "Expected all tensors to be on the same device, but found at least two "
                    f"devices, {' and '.join(sorted((str(device), str(found)), reverse=True))}!"
                )
            )
    return found


def _are_numbers(tensors: Sequence[Tensor]) -> bool:
    """Whether all tensors on the CPU are numbers."""
    return all(is_number(tensor) for tensor in tensors if tensor._device is CPU)


def is_number(tensor: Tensor) -> bool:
    """Whether a tensor has no dims, or repeats one that has none."""
    base = tensor if tensor._base is None else tensor._base
    return not base._type.shape
