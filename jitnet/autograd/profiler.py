"""jitnet.autograd.profiler: older names of jitnet.profiler's stand-ins, which record nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..profiler import profile as _profile
from ..profiler import record_function

__all__ = ["emit_nvtx", "profile", "record_function"]


class profile(_profile):  # noqa: N801
    """A block that PyTorch would profile; nothing is recorded."""

    def __init__(self, enabled: bool = True, **options: Any) -> None:
        super().__init__()


@contextmanager
def emit_nvtx(enabled: bool = True, record_shapes: bool = False) -> Iterator[None]:
    """Do nothing around a block."""
    yield
