"""The state of a process in which something is traced and compiled: by one thread at a time."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from jitnet.runtime import threads as threads  # whose handlers must have been registered before

_lock = threading.RLock()  # a trace sees what its thread does


@contextmanager
def alone() -> Iterator[None]:
    """Let nobody else trace or compile inside the block, fork, or collect garbage.

    A child of a fork would wait for ever for a lock whose thread it does not have. A large graph is
    looked through again and again by a collector that finds nothing to free: for 64 layers of a
    transformer that took a third of the time. And the finalizers of what it does find would run as
    if the traced function had called them.
    """
    with _lock:
        collects = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collects:
                gc.enable()


# Handlers run in the reverse order of their registration: this lock is taken before the runtime's,
# as by those who compile.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
