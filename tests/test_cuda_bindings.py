"""Calls of NVIDIA's driver, as cuda-bindings takes them: no GPU and no driver are needed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("cuda.bindings.driver", reason="pip install 'jitnet[cuda]'")

from cuda.bindings import driver as cu

from jitnet.runtime.cuda import bindings
from jitnet.runtime.cuda.bindings import NvidiaDriver, NvidiaPlatform
from jitnet.runtime.cuda.driver import Code, CudaError, Driver, OutOfMemoryError, Platform

OK = cu.CUresult.CUDA_SUCCESS
GIVES: dict[str, tuple[Any, ...]] = {
    "cuDriverGetVersion": (13050,),
    "cuDeviceGetCount": (1,),
    "cuDeviceGet": (0,),
    "cuDeviceGetName": (b"Some GPU\0\0",),
    "cuDeviceTotalMem": (80 << 30,),
    "cuDeviceGetAttribute": (9,),
    "cuDevicePrimaryCtxRetain": ("context",),
    "cuDeviceCanAccessPeer": (1,),
    "cuMemGetInfo": (5, 7),
    "cuMemAlloc": (4096,),
    "cuMemHostAlloc": (8192,),
    "cuModuleLoadData": ("module",),
    "cuModuleGetFunction": (31,),
    "cuStreamCreate": (35,),
    "cuStreamCreateWithPriority": (32,),
    "cuEventCreate": (33,),
    "cuEventElapsedTime": (1.5,),
    "cuStreamEndCapture": ("graph",),
    "cuGraphInstantiate": (34,),
}


class Recorder:
    """NVIDIA's module, but that functions only note that they were called as they can be."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.status: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(cu, name)
        if not name.startswith("cu"):
            return found
        if name.startswith("cuGetError"):  # asks the driver too
            return lambda status: (OK, status.name.encode())
        return self._noting(name, inspect.signature(found))

    def _noting(self, name: str, signature: inspect.Signature) -> Callable[..., Any]:
        def call(*args: Any) -> tuple[Any, ...]:
            signature.bind(*args)
            self.calls.append((name, args))
            status = self.status.get(name, OK)
            return (status, *(GIVES.get(name, ()) if status == OK else ()))

        return call


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    found = Recorder()
    monkeypatch.setattr(bindings, "_cu", lambda: found)
    yield found


def test_every_call_has_the_arguments_that_the_driver_takes(recorder: Recorder) -> None:
    driver: Driver = NvidiaDriver(0)
    assert driver.properties.name == "Some GPU"
    assert driver.properties.capability == (9, 9)
    assert driver.memory_info() == (5, 7)
    assert driver.allocate(10) == 4096
    assert driver.pin(10) == 8192
    driver.upload(4096, 8192, 10, 32)
    driver.download(8192, 4096, 10, 32)
    driver.copy(4096, 4100, 4, 32)
    driver.fill(4096, 0, 10, 32)
    assert driver.reaches(1)
    driver.copy_to(1, 8192, 4096, 10, 32)
    assert driver.load(Code("kernel", b"code")) == 31
    driver.launch(31, (4,), (32, 2), [4096, 8192], 32)
    assert driver.new_stream() == 32
    assert driver.new_event(timed=True) == 33
    driver.record(33, 32)
    driver.wait(32, 33)
    driver.synchronize(32)
    driver.synchronize_event(33)
    assert driver.stream_done(32) and driver.event_done(33)
    assert driver.elapsed(33, 33) == 1.5
    assert driver.end_capture(driver.begin_capture()) == 34
    driver.abandon_capture(driver.begin_capture())
    driver.launch_graph(34, 32)
    driver.close_graph(34)
    driver.close_event(33)
    driver.close_stream(32)
    driver.unpin(8192)
    driver.free(4096)
    launched = dict(recorder.calls)["cuLaunchKernel"]
    assert launched[:9] == (31, 4, 1, 1, 32, 2, 1, 0, 32)


def test_what_is_not_ready_is_no_error(recorder: Recorder) -> None:
    driver = NvidiaDriver(0)
    recorder.status["cuStreamQuery"] = cu.CUresult.CUDA_ERROR_NOT_READY
    recorder.status["cuEventQuery"] = cu.CUresult.CUDA_ERROR_ILLEGAL_ADDRESS
    assert driver.stream_done(32) is False
    with pytest.raises(CudaError, match="CUDA_ERROR_ILLEGAL_ADDRESS"):
        driver.event_done(33)


@pytest.mark.parametrize(
    ("function", "status", "kind", "message"),
    [
        ("cuMemAlloc", "OUT_OF_MEMORY", OutOfMemoryError, "CUDA_ERROR_OUT_OF_MEMORY"),
        ("cuModuleLoadData", "NO_BINARY_FOR_GPU", CudaError, "update the driver"),
        ("cuModuleLoadData", "UNSUPPORTED_PTX_VERSION", CudaError, "update the driver"),
        ("cuMemAlloc", "LAUNCH_FAILED", CudaError, "CUDA_ERROR_LAUNCH_FAILED"),
    ],
)
def test_errors(
    recorder: Recorder, function: str, status: str, kind: type[Exception], message: str
) -> None:
    driver = NvidiaDriver(0)
    recorder.status[function] = getattr(cu.CUresult, f"CUDA_ERROR_{status}")
    with pytest.raises(kind, match=message):
        driver.allocate(8) if function == "cuMemAlloc" else driver.load(Code("kernel", b""))


def test_a_computer_with_a_gpu(recorder: Recorder) -> None:
    platform: Platform = NvidiaPlatform()
    assert platform.why_not() is None
    assert platform.count() == 1
    assert platform.open(0) is platform.open(0)


@pytest.mark.parametrize(
    ("function", "status", "message"),
    [
        ("cuInit", "NO_DEVICE", "finds no GPU"),
        ("cuInit", "SYSTEM_NOT_READY", "does not start: CUDA_ERROR_SYSTEM_NOT_READY"),
    ],
)
def test_why_no_gpu_can_be_used(
    recorder: Recorder, function: str, status: str, message: str
) -> None:
    recorder.status[function] = getattr(cu.CUresult, f"CUDA_ERROR_{status}")
    platform = NvidiaPlatform()
    assert message in str(platform.why_not())
    assert platform.count() == 0


@pytest.mark.parametrize(
    ("version", "remedy"),
    [
        (12040, "CUDA 12.4, .*: update the driver, or pip install 'numba-cuda\\[cu12\\]'$"),
        (11080, "CUDA 11.8, .*: update the driver$"),
    ],
)
def test_an_old_driver(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, version: int, remedy: str
) -> None:
    monkeypatch.setitem(GIVES, "cuDriverGetVersion", (version,))
    assert re.search(remedy, str(NvidiaPlatform().why_not()))


def test_without_a_driver_the_reason_says_so() -> None:
    """This computer's own driver, which test machines mostly lack."""
    platform = NvidiaPlatform()
    if platform.count():
        pytest.skip("there is a GPU")
    assert "driver" in str(platform.why_not())
