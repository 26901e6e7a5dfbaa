"""Memory of a GPU: reuse, splitting and joining, streams, statistics, running out of it."""

from __future__ import annotations

import gc
import random
import re
from itertools import pairwise

import pytest

from jitnet.runtime.cuda.allocator import GRAIN, Allocator, Memory, shown
from jitnet.runtime.cuda.driver import OutOfMemoryError
from tests.simulated_gpu import SimulatedDriver

MIB = 1 << 20


@pytest.fixture
def driver() -> SimulatedDriver:
    return SimulatedDriver(memory=256 * MIB)


@pytest.fixture
def allocator(driver: SimulatedDriver) -> Allocator:
    return Allocator(driver)


def test_memory_that_is_gone_serves_the_next(driver: SimulatedDriver, allocator: Allocator) -> None:
    stream = driver.new_stream()
    first = allocator.allocate(1000, stream)
    address = first.address
    del first
    again = allocator.allocate(900, stream)
    assert again.address == address
    assert driver.log.count("allocate") == 1


def test_small_blocks_share_a_segment_and_do_not_overlap(
    driver: SimulatedDriver, allocator: Allocator
) -> None:
    stream = driver.new_stream()
    held = [allocator.allocate(size, stream) for size in (1, 512, 513, 4000, 0)]
    assert driver.log.count("allocate") == 1
    spans = sorted((each.address, each.size) for each in held)
    for (start, size), (after, _) in pairwise(spans):
        assert start % GRAIN == 0 and start + size <= after
    assert allocator.statistics.allocated == GRAIN * (1 + 1 + 2 + 8 + 1)


def test_neighbours_become_one_block_again(driver: SimulatedDriver, allocator: Allocator) -> None:
    stream = driver.new_stream()
    parts = [allocator.allocate(4 * MIB, stream) for _ in range(5)]
    assert driver.log.count("allocate") == 1, "20 MiB are one segment"
    random.Random(1).shuffle(parts)
    parts.clear()
    allocator.allocate(9 * MIB, stream)
    assert driver.log.count("allocate") == 1
    allocator.empty_cache()
    assert driver.used == 0


def test_another_stream_has_other_memory(driver: SimulatedDriver, allocator: Allocator) -> None:
    one, two = driver.new_stream(), driver.new_stream()
    first = allocator.allocate(1000, one)
    address = first.address
    del first
    assert allocator.allocate(1000, two).address != address


def test_memory_that_another_stream_uses_waits_for_it(
    driver: SimulatedDriver, allocator: Allocator
) -> None:
    one, two = driver.new_stream(), driver.new_stream()
    memory = allocator.allocate(1000, one)
    address = memory.address
    driver.fill(address, 1, 1000, two)
    memory.used_by(two)
    del memory
    held = [allocator.allocate(1000, one) for _ in range(3)]
    assert address not in [each.address for each in held]
    driver.synchronize(two)
    held += [allocator.allocate(1000, one) for _ in range(3)]
    assert address in [each.address for each in held]


def test_statistics(driver: SimulatedDriver, allocator: Allocator) -> None:
    stream = driver.new_stream()
    first = allocator.allocate(MIB, stream)
    second = allocator.allocate(30 * MIB, stream)
    assert allocator.statistics.allocated == 31 * MIB
    assert allocator.statistics.reserved == driver.used == 32 * MIB
    del second
    found = allocator.statistics
    assert (found.allocated, found.peak_allocated) == (MIB, 31 * MIB)
    found.reset_peaks()
    assert allocator.statistics.peak_allocated == MIB
    allocator.empty_cache()
    assert allocator.statistics.reserved == driver.used == 2 * MIB
    del first
    allocator.empty_cache()
    assert allocator.statistics.reserved == driver.used == 0


def test_what_is_kept_goes_before_memory_runs_out(
    driver: SimulatedDriver, allocator: Allocator
) -> None:
    stream = driver.new_stream()
    for size in (100, 120, 140):  # none serves the next
        allocator.allocate(size * MIB, stream)
    assert allocator.statistics.retries == 1


def test_running_out_of_memory_says_who_has_it(
    driver: SimulatedDriver, allocator: Allocator
) -> None:
    stream = driver.new_stream()
    held = allocator.allocate(200 * MIB, stream)
    wanted = "the arena of step wants 100.00 MiB. Simulated GPU 0 has 256.00 MiB, 56.00 MiB of it"
    with pytest.raises(OutOfMemoryError, match=re.escape(wanted)):
        allocator.allocate(100 * MIB, stream, "the arena of step")
    with pytest.raises(OutOfMemoryError, match=r"programs have 200\.00 MiB"):
        allocator.allocate(100 * MIB, stream)
    del held
    assert allocator.allocate(100 * MIB, stream).size == 100 * MIB


def test_memory_in_cycles_comes_back(driver: SimulatedDriver, allocator: Allocator) -> None:
    stream = driver.new_stream()
    cycle: list[object] = [allocator.allocate(1000, stream)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert allocator.statistics.allocated == 0


def _check(driver: SimulatedDriver, allocator: Allocator, held: list[Memory]) -> None:
    spans = sorted((each.address, each.address + each.size) for each in held)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    for each in held:
        driver.bytes_at(each.address, each.size)  # it lies in a segment
    found = allocator.statistics
    assert sum(each.size for each in held) <= found.allocated <= found.reserved == driver.used


@pytest.mark.parametrize("seed", range(5))
def test_at_random(seed: int) -> None:
    """Whatever is asked for and given back, blocks in use are apart and sums are right."""
    rng = random.Random(seed)
    driver = SimulatedDriver(memory=400 * MIB)
    allocator = Allocator(driver)
    streams = [driver.new_stream() for _ in range(2)]
    held: list[Memory] = []
    for _ in range(600):
        if held and rng.random() < 0.5:
            held.pop(rng.randrange(len(held)))
        else:
            size = int(2 ** rng.uniform(0, 24))
            try:
                held.append(allocator.allocate(size, rng.choice(streams)))
            except OutOfMemoryError:
                held.clear()
        _check(driver, allocator, held)
    held.clear()
    allocator.empty_cache()
    assert driver.used == allocator.statistics.allocated == 0


@pytest.mark.parametrize(
    ("count", "text"), [(5, "5 bytes"), (2048, "2.00 KiB"), (3 << 30, "3.00 GiB")]
)
def test_bytes_as_people_read_them(count: int, text: str) -> None:
    assert shown(count) == text
