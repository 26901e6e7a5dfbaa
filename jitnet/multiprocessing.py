"""jitnet.multiprocessing: Python's multiprocessing, with PyTorch's additional names."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import *  # noqa: F403
from multiprocessing import get_context
from typing import Any

from .missing import missing


def set_sharing_strategy(new_strategy: str) -> None:
    """Do nothing: tensors are pickled on their way to another process."""


def get_sharing_strategy() -> str:
    """Return PyTorch's default name."""
    return "file_descriptor"


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> Any:
    """Run fn(i, *args) in nprocs processes; RuntimeError if one of them fails.

    join=False returns the processes instead of waiting for them.
    """
    context = get_context(start_method)
    processes = [
        context.Process(target=fn, args=(i, *args), daemon=daemon)  # type: ignore[attr-defined]
        for i in range(nprocs)
    ]
    for process in processes:
        process.start()
    if not join:
        return processes
    for process in processes:
        process.join()
    failed = [i for i, process in enumerate(processes) if process.exitcode]
    if failed:
        raise RuntimeError(f"process {failed[0]} ended with {processes[failed[0]].exitcode}")
    return None


__getattr__ = missing(__name__, globals())
