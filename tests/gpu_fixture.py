"""The GPU that tests run on: a simulated one, or with JITNET_GPU=1 this computer's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.cuda_machines import Machine, machine_named

REAL = os.environ.get("JITNET_GPU", "0") != "0"


def need_numba() -> None:
    """Skip where numba-cuda is absent, or was imported without its simulator."""
    if find_spec("numba_cuda") is None:
        pytest.skip("pip install 'jitnet[cuda]'")
    if REAL:
        return
    if "numba" in sys.modules and os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
        pytest.skip("Numba was imported before, without its simulator")
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"


@pytest.fixture
def gpu() -> Iterator[object]:
    """Give a platform of one GPU (two simulated ones); its `drivers` are there for the tests."""
    need_numba()
    from jitnet.runtime.cuda import gpu as gpus
    from tests.simulated_gpu import SimulatedDriver, SimulatedPlatform

    if REAL:
        platform = gpus.platform()
        reason = platform.why_not()
        if reason is not None:
            pytest.skip(reason)
        yield platform
        return
    simulated = SimulatedPlatform(*(SimulatedDriver(index=index) for index in range(2)))
    before = gpus.install(simulated)
    yield simulated
    gpus.install(before)


@pytest.fixture(params=["simulator", "ptx"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """Give what runs kernels: each test runs their source, and their PTX."""
    need_numba()
    return machine_named(request.param)
