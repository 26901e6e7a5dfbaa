"""The strict driver as the computer's own: kernels are run by one of `simulated_kernels`."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from jitnet.runtime.cuda import bindings
from jitnet.runtime.cuda import gpu as gpus
from jitnet.runtime.cuda.bindings import NvidiaDriver, NvidiaPlatform
from jitnet.runtime.cuda.driver import Code
from tests.libcuda import libcuda
from tests.simulated_kernels import Kernels, SourceKernels
from tests.strict_machine import Machine


class StrictPlatform(NvidiaPlatform):
    """Two GPUs of a Machine, through the real cuda-bindings."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    @property
    def drivers(self) -> object:
        """Skip: these are not the simulated ones, which some tests look into."""
        pytest.skip("looks into a simulated GPU")


def use(library: object, kernels: Kernels, patch: pytest.MonkeyPatch) -> Machine:
    """Let a library speak for a new machine, and drivers build what its kernels are."""

    def build(
        driver: NvidiaDriver, source: str, functions: Mapping[str, Sequence[str]]
    ) -> dict[str, Code]:
        found = {}
        for name, code in kernels.build(source, functions).items():
            packed = pickle.dumps((code.symbol, code.image, 1 + len(functions[name])))
            found[name] = Code(code.symbol, len(packed).to_bytes(8, "little") + packed)
        return found

    patch.setattr(NvidiaDriver, "build", build)
    patch.setattr(NvidiaDriver, "version", lambda driver: f"strict, {kernels.version()}")
    patch.setattr(NvidiaDriver, "has_library", lambda driver: False)
    patch.setattr(bindings._Process, "started", False)
    machine = Machine(kernels, devices=2)
    patch.setattr(library, "machine", machine)
    return machine


@contextmanager
def strict_platform(folder: Path, kernels: Kernels | None = None) -> Iterator[StrictPlatform]:
    """Install the platform; at the end nothing may have gone wrong unnoticed."""
    library = libcuda(folder)
    with pytest.MonkeyPatch.context() as patch:
        platform = StrictPlatform(use(library, kernels or SourceKernels(), patch))
        before = gpus.install(platform)
        try:
            yield platform
            gc.collect()
            for gpu in gpus.opened():
                gpu.tidy()
        finally:
            gpus.install(before)
    assert not platform.machine.faults
