"""A graph as a program on a GPU: what native.py is for the CPU."""

from __future__ import annotations

from jitnet.compiler.cuda_compiled import CudaCompiled
from jitnet.runtime.cuda.checks import Failure


def failure_of(compiled: CudaCompiled) -> Failure:
    """Return what makes the exception for a status."""

    def failure(status: int, value: int) -> BaseException:
        kind, text = compiled.stages.messages[status]
        return kind(text.replace("{value}", str(value)))

    return failure
