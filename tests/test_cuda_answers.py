"""jitnet.cuda: devices, memory, streams, events, generators."""

from __future__ import annotations

from typing import Any

import pytest

import jitnet
from tests.gpu_fixture import REAL

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]
cuda = jitnet.cuda


def test_devices(gpu: Any) -> None:
    assert cuda.is_available() and jitnet.accelerator.is_available()
    assert cuda.device_count() == gpu.count() >= 1
    assert not cuda.is_initialized() or REAL
    assert cuda.current_device() == 0
    assert cuda.is_initialized()
    assert cuda.get_device_name() == cuda.get_device_properties("cuda:0").name
    assert cuda.get_device_capability(0) >= (7, 0)
    assert all(name.startswith("sm_") for name in cuda.get_arch_list())
    assert jitnet.accelerator.current_accelerator() == jitnet.device("cuda")
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        cuda.get_device_name("cpu")


def test_another_gpu(gpu: Any) -> None:
    if gpu.count() < 2:
        pytest.skip("wants two GPUs")
    x = jitnet.ones(3, device="cuda:1")
    with cuda.device(1):
        assert cuda.current_device() == 1
        assert jitnet.ones(3, device="cuda").device == x.device
        assert (x + 1).tolist() == [2, 2, 2]
    assert cuda.current_device() == 0
    assert jitnet.ones(3, device="cuda").device.index == 0
    message = "at least two devices, cuda:1 and cuda:0!"
    with pytest.raises(RuntimeError, match=message):
        x + jitnet.ones(3, device="cuda")
    assert (x.to("cuda:0") + jitnet.ones(3, device="cuda")).tolist() == [2, 2, 2]
    assert jitnet.compile(lambda a: a * 2)(x).device == x.device


def test_memory() -> None:
    cuda.empty_cache()
    before = cuda.memory_allocated()
    x = jitnet.zeros(1 << 18, device="cuda")
    assert cuda.memory_allocated() - before == 1 << 20
    assert cuda.max_memory_allocated() >= before + (1 << 20)
    assert cuda.memory_reserved() >= cuda.memory_allocated()
    free, total = cuda.mem_get_info()
    assert free < total
    del x
    assert cuda.memory_allocated() == before
    cuda.reset_peak_memory_stats()
    assert cuda.max_memory_allocated() == before
    assert cuda.memory_stats()["allocated_bytes.all.current"] == before
    assert "in use" in cuda.memory_summary()


def test_running_out_of_memory() -> None:
    total = cuda.mem_get_info()[1]
    with pytest.raises(cuda.OutOfMemoryError, match="CUDA out of memory: a tensor wants"):
        jitnet.zeros(total // 2, device="cuda")
    assert jitnet.ones(2, device="cuda").tolist() == [1, 1]


def test_streams_wait_for_one_another() -> None:
    x = jitnet.ones(1000, device="cuda")
    side = cuda.Stream()
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        assert cuda.current_stream() == side != cuda.default_stream()
        y = x * 2
    cuda.current_stream().wait_stream(side)
    z = y + 1
    assert z.sum().item() == 3000
    side.synchronize()
    assert side.query()


def test_events_measure() -> None:
    start, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
    start.record()
    x = jitnet.ones(1000, device="cuda") * 2
    end.record()
    end.synchronize()
    assert end.query() and start.elapsed_time(end) >= 0
    cuda.synchronize()
    assert x[0].item() == 2
    with pytest.raises(ValueError, match="enable_timing=True"):
        cuda.Event().elapsed_time(end)


def test_generators() -> None:
    cuda.manual_seed(7)
    x = jitnet.rand(3, device="cuda")
    state = cuda.get_rng_state()
    y = jitnet.rand(3, device="cuda")
    cuda.set_rng_state(state)
    assert jitnet.rand(3, device="cuda").tolist() == y.tolist()
    cuda.manual_seed_all(7)
    assert jitnet.rand(3, device="cuda").tolist() == x.tolist()
    assert cuda.initial_seed() == 7
    assert len(cuda.get_rng_state_all()) == cuda.device_count()
