"""The GPU that tests run on: a simulated one, or with JITNET_GPU=1 this computer's own.

With JITNET_GPU=strict it is a simulated one behind NVIDIA's own bindings, and a driver that refuses
what it may refuse; see strict_machine.py.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import count

import pytest

from tests.cuda_machines import Machine, machine_named

REAL = os.environ.get("JITNET_GPU", "0") not in ("0", "strict")
STRICT = os.environ.get("JITNET_GPU") == "strict"
_cases: dict[object, Iterator[int]] = defaultdict(count)  # of each test, so far
EVERY_PTX = os.environ.get("JITNET_PTX", "0") != "0"
if not REAL:  # before anybody imports Numba, as tests of the benchmarks do
    assert "numba" not in sys.modules, "Numba was imported before its simulator was asked for"
    os.environ["NUMBA_ENABLE_CUDASIM"] = "1"


def need_numba() -> None:
    """Skip where numba-cuda is absent."""
    if find_spec("numba_cuda") is None:
        pytest.skip("pip install 'jitnet[cuda]'")


@pytest.fixture
def gpu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Give a platform of one GPU (two simulated ones); its `drivers` are there for the tests.

    With JITNET_PTX=1 kernels run as PTX there.
    """
    need_numba()
    from jitnet.runtime.cuda import gpu as gpus
    from tests.simulated_gpu import SimulatedDriver, SimulatedPlatform
    from tests.simulated_kernels import PtxKernels, SourceKernels

    if REAL:
        platform = gpus.platform()
        reason = platform.why_not()
        if reason is not None:
            pytest.skip(reason)
        yield platform
        return
    kernels = PtxKernels() if EVERY_PTX else SourceKernels()
    if STRICT:
        from tests.strict_platform import strict_platform

        with strict_platform(tmp_path_factory.mktemp("libcuda"), kernels) as strict:
            yield strict
        return
    simulated = SimulatedPlatform(*(SimulatedDriver(index=n, kernels=kernels) for n in range(2)))
    before = gpus.install(simulated)
    yield simulated
    gpus.install(before)


@pytest.fixture(params=["simulator", "ptx"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """Give what runs kernels: each test runs their source, and their PTX.

    Numba takes long to make PTX: of tests marked ptx_each(n), the first and each n-th case after it
    do by default, none for 0; with JITNET_PTX=1 all do.
    """
    need_numba()
    each = request.node.get_closest_marker("ptx_each")
    if request.param == "ptx" and each is not None and not EVERY_PTX:
        (step,) = each.args
        if step == 0 or next(_cases[request.function]) % step:
            pytest.skip("JITNET_PTX=1 runs all as PTX")
    return machine_named(request.param)
