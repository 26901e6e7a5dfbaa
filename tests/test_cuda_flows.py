"""Whole flows through the real cuda-bindings, on a driver that refuses all that it may refuse."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gpu_fixture import REAL, need_numba

pytest.importorskip("cuda.bindings.driver", reason="pip install 'jitnet[cuda]'")
if REAL:
    pytest.skip("JITNET_GPU=1: the driver is there itself", allow_module_level=True)

import jitnet
from jitnet import nn
from jitnet.nn import functional as F
from jitnet.runtime.cuda.bindings import NvidiaDriver
from jitnet.utils.data import DataLoader, TensorDataset
from tests.libcuda import libcuda
from tests.simulated_kernels import NoKernels, PtxKernels
from tests.strict_machine import Machine
from tests.strict_platform import strict_platform
from tests.strict_rules import ILLEGAL_ADDRESS

ROOT = Path(__file__).parents[1]
LEAVING = """
import sys
from tests.strict_platform import use
from tests.test_cuda_flows import NoKernels, Path, _step, jitnet, libcuda, pytest
library = libcuda(Path(sys.argv[1]))
use(library, NoKernels(), pytest.MonkeyPatch())
step, _ = _step("cuda")
x, y = jitnet.ones(5, 4, device="cuda"), jitnet.zeros(5, dtype=jitnet.int64, device="cuda")
losses = [step(x, y) for _ in range(4)]
event, stream = jitnet.cuda.Event(), jitnet.cuda.Stream()
event.record(stream)
pinned = jitnet.ones(5).pin_memory()
sent, capsule = pinned.to("cuda", non_blocking=True), x.__dlpack__()
taken = jitnet.from_dlpack(y.__dlpack__())
cycle = [step, event, stream, pinned, taken]
cycle.append(cycle)
assert library.machine.log.count("cuGraphLaunch") == 3
assert not library.machine.faults, library.machine.faults
print("left")
"""


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Give a computer with two GPUs."""
    need_numba()
    with strict_platform(tmp_path_factory.mktemp("libcuda")) as platform:
        yield platform.machine


def test_ops_copies_and_checks(machine: Machine) -> None:
    x = jitnet.arange(6.0).reshape(2, 3).to("cuda")
    y = (x @ x.T + 1).softmax(1)
    expected = (x.cpu() @ x.cpu().T + 1).softmax(1)
    assert jitnet.allclose(y.cpu(), expected)
    picked = x[jitnet.tensor([0, 1], device="cuda"), jitnet.tensor([5, 0], device="cuda")]
    with pytest.raises(IndexError):
        picked.tolist()
    assert (x + 1).sum().item() == 21


def test_memory_may_change_once_it_was_copied(machine: Machine) -> None:
    small, large = np.ones(4, np.float32), np.ones(1 << 19, np.float32)
    there = [jitnet.from_numpy(each).to("cuda") for each in (small, large)]
    small[:], large[:] = 2, 2
    assert all((each.cpu() == 1).all() for each in there)
    pinned = jitnet.ones(8).pin_memory()
    sent = pinned.to("cuda", non_blocking=True)
    del pinned
    assert sent.tolist() == [1] * 8


def _step(device: str) -> tuple[Any, nn.Module]:
    jitnet.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)).to(device)
    optimizer = jitnet.optim.AdamW(model.parameters(), lr=0.1)

    @jitnet.compile
    def step(x: jitnet.Tensor, y: jitnet.Tensor) -> jitnet.Tensor:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step, model


def test_training_steps_are_one_graph(machine: Machine) -> None:
    losses = {}
    for device in ("cpu", "cuda"):
        step, _ = _step(device)
        jitnet.manual_seed(1)
        batches = [(jitnet.randn(5, 4), jitnet.randint(0, 3, (5,))) for _ in range(5)]
        losses[device] = [step(x.to(device), y.to(device)) for x, y in batches]
    assert np.allclose(*(np.array([each.item() for each in losses[d]]) for d in losses), rtol=1e-4)
    assert machine.log.count("cuStreamBeginCapture") == 1
    assert machine.log.count("cuGraphLaunch") >= 3
    del step
    gc.collect()
    jitnet.cuda.synchronize()
    assert machine.log.count("cuGraphExecDestroy") == 1


def test_another_threads_work_stays_out_of_a_graph(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for something while launches are written down, of whichever stream."""
    others = jitnet.ones(3, device="cuda")
    launch = NvidiaDriver.launch
    inside = threading.local()

    def other() -> None:
        inside.now = True
        assert (others + 1).tolist() == [2, 2, 2]  # allocates, launches, waits
        jitnet.cuda.Event().query()

    def meanwhile(driver: NvidiaDriver, *args: Any) -> None:
        if not getattr(inside, "now", False) and "cuStreamEndCapture" not in machine.log:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
        launch(driver, *args)

    step, _ = _step("cuda")
    x, y = jitnet.ones(5, 4, device="cuda"), jitnet.zeros(5, dtype=jitnet.int64, device="cuda")
    first = [step(x, y).item() for _ in range(2)]
    monkeypatch.setattr(NvidiaDriver, "launch", meanwhile)
    losses = [*first, *(step(x, y).item() for _ in range(3))]
    assert losses == sorted(losses, reverse=True) and len(set(losses)) == 5
    assert machine.log.count("cuStreamEndCapture") == 1


def test_what_finalizers_leave_is_closed_later(machine: Machine) -> None:
    """They may run between choosing a GPU and calling it, for another GPU."""
    event = jitnet.cuda.Event()
    event.record()
    del event
    gc.collect()
    assert "cuEventDestroy" not in machine.log
    jitnet.cuda.synchronize()
    assert "cuEventDestroy" in machine.log


def test_errors_of_a_program_that_is_gone(machine: Machine) -> None:
    """Its status stays until somebody has waited for it, whoever gets memory meanwhile."""

    @jitnet.compile
    def pick(x: jitnet.Tensor, at: jitnet.Tensor) -> jitnet.Tensor:
        return x[at] + 1

    pick(jitnet.ones(3, device="cuda"), jitnet.tensor([7], device="cuda"))
    del pick
    gc.collect()
    filler = [jitnet.ones(4, device="cuda") for _ in range(8)]
    with pytest.raises(IndexError):
        jitnet.cuda.synchronize()
    assert all(each.tolist() == [1] * 4 for each in filler)


def test_numbers_are_there_on_each_stream(machine: Machine) -> None:
    one, two = jitnet.cuda.Stream(), jitnet.cuda.Stream()
    with jitnet.cuda.stream(one):
        jitnet.full((2,), 7.0, device="cuda")  # waits in its stream
    with jitnet.cuda.stream(two):
        assert jitnet.full((3,), 7.0, device="cuda").tolist() == [7, 7, 7]
    jitnet.cuda.synchronize()


def test_another_library_may_choose_another_gpu(machine: Machine) -> None:
    jitnet.ones(3, device="cuda:1").tolist()
    x = jitnet.ones(3, device="cuda:0")
    machine.call("cuCtxSetCurrent", machine.cuDevicePrimaryCtxRetain(1))
    assert (x + 1).tolist() == [2, 2, 2]


def test_a_fork_is_told_to_spawn(machine: Machine) -> None:
    x = jitnet.ones(3, device="cuda")
    x.tolist()
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = []
            for ask in (x.tolist, lambda: jitnet.ones(2, device="cuda")):
                try:
                    ask()
                except RuntimeError as error:
                    said.append(str(error))
            os.write(writes, "\n".join(said).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    said = os.read(reads, 1 << 12).decode().splitlines()
    os.close(reads), os.close(writes)
    assert len(said) == 2 and all("'spawn' start method" in each for each in said), said
    assert x.tolist() == [1, 1, 1]


def test_no_room_says_who_has_it(machine: Machine) -> None:
    held = jitnet.empty(600 << 18, device="cuda")
    with pytest.raises(jitnet.cuda.OutOfMemoryError, match=r"wants 600.00 MiB.*has 1.00 GiB"):
        jitnet.empty(600 << 18, device="cuda")
    assert held.shape == (600 << 18,)
    assert (jitnet.ones(2, device="cuda") + 1).tolist() == [2, 2]


def test_a_kernel_that_went_wrong_is_told_of(machine: Machine) -> None:
    x = jitnet.ones(3, device="cuda")
    x.tolist()
    machine.context(0).broken = ILLEGAL_ADDRESS
    with pytest.raises(RuntimeError, match=r"ILLEGAL_ADDRESS.*CUDA_LAUNCH_BLOCKING=1"):
        x.tolist()


@pytest.mark.parametrize("peers", [True, False])
def test_copies_between_gpus(machine: Machine, peers: bool) -> None:
    machine.has_peers = peers
    x = jitnet.arange(12.0, device="cuda:0").reshape(3, 4) + 1
    there = x.T.to("cuda:1") * 2
    assert jitnet.cuda.can_device_access_peer(0, 1) is peers
    assert "cuStreamSynchronize" not in machine.log, "nobody waits on the host"
    back = there.to("cuda:0")
    del x, there
    assert back.tolist() == [[2 * (1 + r + 4 * c) for c in range(3)] for r in range(4)]
    w = jitnet.ones(2, device="cuda:0", requires_grad=True)
    (w.to("cuda:1") * 3).sum().backward()
    assert w.grad is not None and w.grad.device.index == 0 and w.grad.tolist() == [3, 3]
    assert machine.log.count("cuCtxEnablePeerAccess") == 2 * peers


def test_a_program_without_room_shows_its_plan(machine: Machine) -> None:
    machine.memory = 64 << 20
    machine.kernels = NoKernels()
    x = jitnet.ones(1024, 1024, device="cuda")

    @jitnet.compile
    def chain(x: jitnet.Tensor) -> jitnet.Tensor:
        wide = jitnet.cat([x] * 16, dim=1)
        return (wide.T @ wide).softmax(1)[0]

    plan = r"arena of .*chain wants 1\.06 GiB.*holds 1\.06 GiB at once; .*1\.00 GiB of k1_matmul"
    with pytest.raises(jitnet.cuda.OutOfMemoryError, match=plan):
        chain(x)


def test_workers_of_a_loader(machine: Machine) -> None:
    """Threads use the GPU; a forked process is told what to do."""
    data = TensorDataset(jitnet.arange(8.0, device="cuda"))
    assert sum(batch.sum().item() for (batch,) in DataLoader(data, 2, num_workers=2)) == 28
    forked = DataLoader(data, 2, num_workers=1, multiprocessing_context="fork")
    with pytest.raises(RuntimeError, match="'spawn' start method"):
        next(iter(forked))


def test_a_loader_that_pins_feeds_a_compiled_step(machine: Machine) -> None:
    step, _ = _step("cuda")
    jitnet.manual_seed(1)
    data = TensorDataset(jitnet.randn(16, 4), jitnet.randint(0, 3, (16,)))
    losses = []
    for x, y in DataLoader(data, 4, pin_memory=True, num_workers=2):
        assert x.is_pinned()
        losses.append(step(x.to("cuda", non_blocking=True), y.to("cuda", non_blocking=True)))
        del x, y
    step, _ = _step("cpu")
    assert np.allclose(
        [each.item() for each in losses],
        [step(x, y).item() for x, y in DataLoader(data, 4)],
        rtol=1e-4,
    )
    assert machine.log.count("cuGraphLaunch") == 3


def test_a_step_on_two_streams(machine: Machine) -> None:
    """One program, and its state, in turns on two streams and from two threads."""
    (one, _), (other, _) = _step("cuda"), _step("cpu")
    streams = [jitnet.cuda.Stream(), jitnet.cuda.Stream()]
    x, y = jitnet.ones(5, 4), jitnet.zeros(5, dtype=jitnet.int64)
    there = x.to("cuda"), y.to("cuda")
    jitnet.cuda.synchronize()
    losses = []
    for number in range(4):
        with jitnet.cuda.stream(streams[number % 2]):
            losses.append(one(*there))
    jitnet.cuda.synchronize()
    assert np.allclose([loss.item() for loss in losses], [other(x, y).item() for _ in losses])


def test_nothing_is_said_when_a_process_ends(tmp_path: Path) -> None:
    """With graphs, events, streams, pinned and lent memory still there, and copies under way."""
    need_numba()
    libcuda(tmp_path)  # or skip
    done = subprocess.run(
        [sys.executable, "-c", LEAVING, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


def test_the_ptx_of_a_step_on_the_strict_driver(tmp_path: Path) -> None:
    """All but the assembler and the chip: Numba's PTX, its parameters as a launch packs them."""
    need_numba()

    @jitnet.compile
    def step(x: jitnet.Tensor, w: jitnet.Tensor) -> jitnet.Tensor:
        return F.softmax(x @ w, -1)

    x, w = jitnet.randn(9, 20), jitnet.randn(20, 6)
    expected = step(x, w)
    with strict_platform(tmp_path, PtxKernels()):
        assert jitnet.allclose(step(x.to("cuda"), w.to("cuda")).cpu(), expected, atol=1e-6)


def test_the_oldest_graph_goes(machine: Machine) -> None:
    """A program has graphs for the states that it saw last, whatever it saw before."""
    machine.kernels = NoKernels()

    def many(x: jitnet.Tensor, y: jitnet.Tensor) -> None:
        for _ in range(12):
            y.copy_(y @ weight + x)

    x, weight, *places = (jitnet.zeros(8, 8, device="cuda") for _ in range(8))
    compiled = jitnet.compile(many)
    for place in places:
        for _ in range(3):
            compiled(x, place)
    jitnet.cuda.synchronize()
    assert machine.log.count("cuStreamEndCapture") == 6
    assert machine.log.count("cuGraphLaunch") == 12
    assert machine.log.count("cuGraphExecDestroy") == 2


def test_a_compiled_function_runs_on_one_gpu(machine: Machine) -> None:
    machine.kernels = NoKernels()
    moves = jitnet.compile(lambda x: (x + 1).to("cuda:1") * 2)
    with pytest.raises(jitnet.CompileError, match=r"one GPU, and this moves .* move it before"):
        moves(jitnet.ones(3, device="cuda:0"))
    both = jitnet.compile(lambda x, y: x + y)
    with pytest.raises(RuntimeError, match=r"at least two devices, cuda:\d and cuda:\d!"):
        both(jitnet.ones(3, device="cuda:0"), jitnet.ones(3, device="cuda:1"))


def test_threads_take_turns_with_a_program(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its arena is one, on a stream that threads share: no launch comes between those of a call."""
    launch = NvidiaDriver.launch

    def slowly(driver: NvidiaDriver, *args: Any) -> None:
        time.sleep(0.002)  # other threads go on meanwhile
        launch(driver, *args)

    tripled = jitnet.compile(lambda x, w: ((x @ w) @ w) @ w)
    w = jitnet.eye(3, device="cuda") * 2
    given = {k: jitnet.eye(3, device="cuda") * k for k in range(1, 4)}
    tripled(given[1], w)
    monkeypatch.setattr(NvidiaDriver, "launch", slowly)
    found: dict[int, jitnet.Tensor] = {}

    def work(k: int) -> None:
        found[k] = tripled(given[k], w)

    threads = [threading.Thread(target=work, args=(k,)) for k in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[k].diag().tolist() for k in given] == [[8 * k] * 3 for k in given]
