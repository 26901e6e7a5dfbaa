"""jitnet.cuda: devices, memory, streams, events, generators."""

from __future__ import annotations

from importlib.util import find_spec
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


def test_a_part_of_the_memory() -> None:
    total = cuda.mem_get_info()[1]
    cuda.set_per_process_memory_fraction(0.25)
    assert cuda.get_per_process_memory_fraction() == 0.25
    with pytest.raises(cuda.OutOfMemoryError, match="This process may take 25% of it"):
        jitnet.empty(total // 12, device="cuda")
    assert jitnet.ones(2, device="cuda").tolist() == [1, 1]
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        cuda.set_per_process_memory_fraction(2)
    cuda.set_per_process_memory_fraction(1)


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


def test_memory_that_another_stream_reads() -> None:
    side, x = cuda.Stream(), jitnet.ones(100, device="cuda")
    side.wait_stream(cuda.current_stream())
    with cuda.stream(side):
        y = x + 1
    x.record_stream(side)
    place = x.data_ptr()
    del x
    filler = jitnet.zeros(100, device="cuda")
    assert filler.data_ptr() != place or REAL, "the other stream may still read it"
    side.synchronize()
    assert y.tolist() == [2] * 100
    with pytest.raises(RuntimeError, match=r"tensors on a GPU, not jitnet\.FloatTensor"):
        jitnet.ones(1).record_stream(side)


def test_streams_are_of_a_gpu(gpu: Any) -> None:
    assert len({cuda.Stream().cuda_stream for _ in range(100)}) == 32
    event = cuda.Event()
    assert event.query() and event.device is None
    event.record()
    assert event.device == jitnet.device("cuda:0")
    again = cuda.ExternalStream(cuda.Stream().cuda_stream)
    with cuda.stream(again):
        assert (jitnet.ones(2, device="cuda") + 1).tolist() == [2, 2]
    if gpu.count() < 2:
        pytest.skip("wants two GPUs")
    other = cuda.Stream(1)
    with cuda.stream(other):
        assert cuda.current_device() == 1 and cuda.current_stream() == other
        assert jitnet.ones(2, device="cuda").device.index == 1
        with pytest.raises(RuntimeError, match="make an event for each GPU"):
            event.record()
    assert cuda.current_device() == 0
    event.wait(other)


def test_graphs_are_compiled_functions() -> None:
    assert not cuda.is_current_stream_capturing()
    x = jitnet.ones(2, 3, device="cuda")
    model = jitnet.nn.Linear(3, 2).to("cuda")
    double, same = cuda.make_graphed_callables((lambda x: x * 2, model), ((x,), (x,)))
    assert same is model
    assert double(x).sum().item() == 12 and same(x).shape == (2, 2)
    with pytest.raises(NotImplementedError, match=r"jitnet\.compile"):
        cuda.CUDAGraph()


def test_names_of_types() -> None:
    x = cuda.FloatTensor([1, 2])
    assert isinstance(x, cuda.FloatTensor) and not isinstance(x, jitnet.FloatTensor)
    assert x.is_cuda and x.dtype is jitnet.float32
    assert cuda.LongTensor(2, 3).type() == "jitnet.cuda.LongTensor"
    assert jitnet.ones(2).type(cuda.HalfTensor).is_cuda


def test_ranges_ask_for_the_package_of_nvidia() -> None:
    if find_spec("nvtx"):
        with cuda.nvtx.range("step {}", 1):
            cuda.nvtx.mark("here")
        return
    with pytest.raises(RuntimeError, match="pip install nvtx"):
        cuda.nvtx.range_push("step")


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
