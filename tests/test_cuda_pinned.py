"""Pinned memory: what it is, copies that nobody waits for, batches, and memory that is kept."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor
from jitnet.runtime.cuda.pinned import PinnedPool
from jitnet.utils.data import DataLoader, TensorDataset
from tests.gpu_fixture import REAL

simulated = pytest.mark.skipif(REAL, reason="counts what a simulated GPU was asked")
on_gpu = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]


def sample(*shape: int) -> Tensor:
    return jitnet.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def marked(test: Any) -> Any:
    for mark in on_gpu:
        test = mark(test)
    return test


@marked
@pytest.mark.parametrize("dtype", [jitnet.float32, jitnet.bfloat16, jitnet.bool, jitnet.complex64])
def test_pinning(dtype: Any) -> None:
    x = sample(3, 4).to(dtype)
    held = x.pin_memory()
    assert not x.is_pinned() and held.is_pinned()
    assert held.pin_memory() is held
    assert held[1:, 2].is_pinned() and not (held == held).is_pinned()
    assert held.dtype is dtype and held.tolist() == x.tolist()
    assert x.t().pin_memory().tolist() == x.t().tolist()
    assert held.cuda(non_blocking=True).tolist() == x.tolist()


@marked
def test_makers_pin() -> None:
    assert jitnet.zeros(3, pin_memory=True).is_pinned()
    assert jitnet.randn(2, 2, pin_memory=True).is_pinned()
    assert jitnet.tensor([1, 2], pin_memory=True).tolist() == [1, 2]
    assert jitnet.empty_strided((2, 2), (1, 2), pin_memory=True).is_pinned()
    assert not jitnet.zeros(3, pin_memory=False).is_pinned()
    assert jitnet.zeros(0).pin_memory().shape == (0,)


@marked
def test_what_cannot_be_pinned() -> None:
    with pytest.raises(RuntimeError, match=r"cannot pin 'jitnet.cuda.FloatTensor'"):
        sample(2).cuda().pin_memory()
    with pytest.raises(jitnet.CompileError, match="pin it outside"):
        jitnet.compile(lambda x: x.pin_memory())(sample(2))
    assert not sample(2).cuda().is_pinned()


@marked
@simulated
def test_nobody_waits_for_pinned_memory(gpu: Any) -> None:
    driver, held = gpu.drivers[0], sample(4).pin_memory()
    sample(4).cuda()
    driver.log.clear()
    there = held.cuda(non_blocking=True)
    assert "synchronize" not in driver.log
    held.mul_(0)  # the GPU reads later: this is what a program must not do
    assert there.tolist() == [0, 0, 0, 0]
    held.cuda()
    assert "synchronize" in driver.log


@marked
@simulated
def test_memory_is_kept_until_it_was_read(gpu: Any) -> None:
    x = sample(64)
    there = x.pin_memory().cuda(non_blocking=True)
    gc.collect()
    jitnet.full((64,), 9.0).pin_memory()  # would take the memory, if nobody kept it
    jitnet.testing.assert_close(there.cpu(), x)


@marked
@simulated
def test_copies_to_the_host_that_nobody_waits_for() -> None:
    x = sample(8)
    there = x.cuda() * 2
    here = there.to("cpu", non_blocking=True)
    assert here.is_pinned() and here.tolist() != (x * 2).tolist()
    jitnet.cuda.synchronize()
    jitnet.testing.assert_close(here, x * 2)
    taken = jitnet.zeros(8).pin_memory()
    taken.copy_(there, non_blocking=True)  # into memory that exists: waited for
    jitnet.testing.assert_close(taken, x * 2)


@marked
@simulated
def test_memory_is_used_again(gpu: Any) -> None:
    driver = gpu.drivers[0]
    for _ in range(3):
        sample(100).pin_memory()
        gc.collect()
    assert len(driver._pinned) == 1
    jitnet.cuda.empty_cache()
    assert not driver._pinned


@marked
@pytest.mark.parametrize("workers", [0, 2])
def test_batches(workers: int) -> None:
    data = TensorDataset(sample(6, 2), jitnet.arange(6))
    loader = DataLoader(data, batch_size=4, pin_memory=True, num_workers=workers)
    found = list(loader)
    assert [len(x) for x, _ in found] == [4, 2]
    assert all(x.is_pinned() and y.is_pinned() for x, y in found)
    assert jitnet.cat([y for _, y in found]).tolist() == list(range(6))
    there = jitnet.cat([x.to("cuda", non_blocking=True) for x, _ in found])
    jitnet.testing.assert_close(there.cpu(), sample(6, 2))


@marked
def test_batches_of_other_kinds() -> None:
    class Own:
        def pin_memory(self) -> str:
            return "pinned"

    samples = [{"x": sample(2), "name": "a", "pair": (1, 2.0)}] * 2
    (batch,) = DataLoader(samples, batch_size=2, pin_memory=True)
    assert batch["x"].is_pinned() and batch["name"] == ["a", "a"] and batch["pair"][0].is_pinned()
    loader = DataLoader([Own()], batch_size=None, collate_fn=lambda each: each, pin_memory=True)
    assert list(loader) == ["pinned"]


def test_without_a_gpu() -> None:
    if jitnet.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match="no GPU can be used"):
        sample(2).pin_memory()
    assert not sample(2).is_pinned()
    loader = DataLoader(TensorDataset(sample(4)), batch_size=4, pin_memory=True)
    with pytest.warns(UserWarning, match="finds no GPU"):
        assert len(list(loader)) == 1


def test_blocks_of_the_pool() -> None:
    from tests.simulated_gpu import SimulatedDriver

    driver = SimulatedDriver()
    pool = PinnedPool(driver)
    first, second = pool.empty((100,), np.dtype(np.float32)), pool.empty((3, 5), np.dtype(np.int64))
    first[:], second[:] = 1.0, 2
    address = first.ctypes.data
    assert pool.holds(address) and pool.holds(address + 399) and not pool.holds(1)
    assert first.shape == (100,) and second.sum() == 30
    part = first[10:]
    del first
    assert pool.empty((100,), np.dtype(np.float32)).ctypes.data != address  # a view holds it
    del part
    assert pool.empty((90,), np.dtype(np.float32)).ctypes.data == address
    pool.empty_cache()
    assert second.sum() == 30 and len(driver._pinned) == 1
