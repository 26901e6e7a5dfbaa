"""jitnet.distributed: a group of one process, which is all that jitnet knows.

Programs written for many processes run as the only one: `init_process_group` makes a group of this
process, in which every collective has nothing to do. A larger world raises RuntimeError.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum
from typing import Any

from .errors import at_line
from .missing import missing
from .tensor import Tensor

_in_group = False


class ReduceOp(Enum):
    """How values of several processes become one."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4


class ProcessGroup:
    """A group of processes, for annotations: jitnet's has no object of its own."""


def is_available() -> bool:
    """Return True: there are groups, of one process."""
    return True


def is_initialized() -> bool:
    """Return whether this process has made its group."""
    return _in_group


def is_nccl_available() -> bool:
    """Return False: there is no NCCL."""
    return False


def is_gloo_available() -> bool:
    """Return False: there is no Gloo."""
    return False


def is_torchelastic_launched() -> bool:
    """Return False."""
    return False


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: Any = None,
    world_size: int = -1,
    rank: int = -1,
    **options: Any,
) -> None:
    """Make the group of this process; RuntimeError if the world is to have more than one."""
    global _in_group
    size = world_size if world_size != -1 else int(os.environ.get("WORLD_SIZE", "1"))
    if size != 1:
        raise RuntimeError(
            at_line(f"jitnet runs in one process, got a world of {size}; start one process only")
        )
    if rank > 0:
        raise RuntimeError(at_line(f"rank must be 0 in a world of one process, got {rank}"))
    if _in_group:
        raise ValueError(at_line("trying to initialize the default process group twice!"))
    _in_group = True


def destroy_process_group(group: Any = None) -> None:
    """Forget the group."""
    global _in_group
    _in_group = False


def _need_group() -> None:
    if not _in_group:
        raise ValueError(
            at_line(
                "Default process group has not been initialized, please make sure to call "
                "init_process_group."
            )
        )


def get_rank(group: Any = None) -> int:
    """Return 0."""
    _need_group()
    return 0


def get_world_size(group: Any = None) -> int:
    """Return 1."""
    _need_group()
    return 1


def get_backend(group: Any = None) -> str:
    """Return "gloo", PyTorch's backend on CPUs."""
    _need_group()
    return "gloo"


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> None:
    """Wait for nobody."""
    _need_group()


def all_reduce(
    tensor: Tensor, op: Any = ReduceOp.SUM, group: Any = None, async_op: Any = 0
) -> None:
    """Leave the tensor as it is: the reduction of one value is that value."""
    _need_group()


def reduce(tensor: Tensor, dst: int = 0, op: Any = ReduceOp.SUM, group: Any = None) -> None:
    """Leave the tensor as it is: the reduction of one value is that value."""
    _need_group()


def broadcast(tensor: Tensor, src: int = 0, group: Any = None, async_op: bool = False) -> None:
    """Leave the tensor as it is: it is the sender's."""
    _need_group()


def all_gather(
    tensor_list: Sequence[Tensor], tensor: Tensor, group: Any = None, async_op: bool = False
) -> None:
    """Copy the tensor to the only place of the list."""
    _need_group()
    if len(tensor_list) != 1:
        raise ValueError(
            at_line(f"all_gather wants 1 place, one a process; got {len(tensor_list)}")
        )
    tensor_list[0].copy_(tensor)


def all_gather_object(object_list: list[Any], obj: Any, group: Any = None) -> None:
    """Put the object at the only place of the list."""
    _need_group()
    object_list[0] = obj


def broadcast_object_list(
    object_list: list[Any], src: int = 0, group: Any = None, device: Any = None
) -> None:
    """Leave the list as it is: it is the sender's."""
    _need_group()


__getattr__ = missing(__name__, globals())
