"""Compiled functions on a GPU: results, gradients, state, steps, errors, what is kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor, nn
from jitnet.nn import functional as F
from tests.gpu_fixture import REAL

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]


def close(found: Tensor, wanted: Tensor) -> None:
    """Assert that a tensor on the GPU is like one on the CPU."""
    assert found.device == jitnet.device("cuda:0")
    jitnet.testing.assert_close(found.detach().cpu(), wanted.detach())


def sample(*shape: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return jitnet.from_numpy(rng.standard_normal(shape).astype(np.float32))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda x, y: x * 2 + y,
    "rows": lambda x, y: F.softmax(x @ y.t(), -1),
    "several": lambda x, y: (x.sum(), {"y": y.exp(), "pair": [x[0], y.t()]}),
    "views": lambda x, y: x.t()[1:],
    "made_inside": lambda x, y: x + jitnet.arange(4, device=x.device) + jitnet.ones_like(y),
    "the_argument": lambda x, y: (y, x + 1),
    "number": lambda x, y: x * jitnet.tensor(3.0) + y,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results(name: str) -> None:
    x, y = sample(3, 4), sample(3, 4, seed=1)
    compiled = jitnet.compile(FUNCTIONS[name])
    for _ in range(2):
        found = compiled(x.cuda(), y.cuda())
        wanted = FUNCTIONS[name](x, y)
        pairs = zip(jitnet.tree.flatten(found)[0], jitnet.tree.flatten(wanted)[0], strict=True)
        for there, here in pairs:
            close(there, here)
    assert len(compiled.variants) == 1


def test_a_variant_for_each_device() -> None:
    compiled = jitnet.compile(lambda x: x + 1)
    x = sample(3)
    assert compiled(x).device.type == "cpu"
    close(compiled(x.cuda()), x + 1)
    assert compiled(x).device.type == "cpu"
    assert len(compiled.variants) == 2
    assert "device was cpu, is cuda:0" in compiled.explain()


def test_floats_are_numbers_of_each_call() -> None:
    compiled = jitnet.compile(lambda x, a: (x * a, a * 2))
    x = sample(3)
    for a in (0.5, 0.5, 3.0):
        there, double = compiled(x.cuda(), a)
        close(there, x * a)
        assert double == a * 2
    assert len(compiled.variants) == 1


def test_arguments_are_written() -> None:
    @jitnet.compile
    def fill(x: Tensor, y: Tensor) -> None:
        x[1:] += y[:2]
        y.zero_()

    x, y = sample(3, 4).cuda(), sample(3, 4, seed=1).cuda()
    fill(x, y)
    wanted = sample(3, 4)
    wanted[1:] += sample(3, 4, seed=1)[:2]
    close(x, wanted)
    close(y, jitnet.zeros(3, 4))


def test_arguments_that_share_memory() -> None:
    @jitnet.compile
    def add(x: Tensor, y: Tensor) -> Tensor:
        x += 1
        return y * 2

    x = sample(4).cuda()
    add(sample(4).cuda(), sample(4).cuda())
    close(add(x, x), (sample(4) + 1) * 2)
    close(add(x[:2], x[1:3]), (sample(4) + 1)[1:3] * 2 + jitnet.tensor([2.0, 0.0]))


def test_gradients_of_a_forward_function() -> None:
    @jitnet.compile
    def forward(x: Tensor, w: Tensor) -> Tensor:
        return F.relu(x @ w).square().sum(0)

    grads = []
    for device in ("cpu", "cuda"):
        x = sample(3, 4).to(device).requires_grad_()
        w = sample(4, 2, seed=1).to(device).requires_grad_()
        (forward(x, w) * jitnet.tensor([1.0, 2.0], device=device)).sum().backward()
        grads.append((x.grad, w.grad))
    for here, there in zip(*grads, strict=True):
        close(there, here)


def model_of(device: str, dropout: float = 0.0) -> nn.Module:
    jitnet.manual_seed(3)
    layers = [nn.Linear(5, 4), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4, 3)]
    model = nn.Sequential(*layers).to(device)
    jitnet.manual_seed(4)
    return model


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda p: jitnet.optim.SGD(p, 0.1, momentum=0.9),
    "adam": lambda p: jitnet.optim.AdamW(p, 0.01),
}


def steps_on(device: str, name: str, dropout: float = 0.0, compiled: bool = True) -> Any:
    """Return the losses and parameters of a few training steps, and the step."""
    model = model_of(device, dropout)
    optimizer = OPTIMIZERS[name](model.parameters())
    schedule = jitnet.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = jitnet.compile(step) if compiled else step
    x, y = sample(3, 5).to(device), jitnet.tensor([0, 1, 2], device=device)
    losses = []
    for number in range(3):
        losses.append(run(x + number, y))
        schedule.step()
    grads = [p.grad for p in model.parameters()]
    return [*losses, *model.parameters(), *grads], run, optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_steps(name: str) -> None:
    here, _, _ = steps_on("cpu", name)
    there, step, optimizer = steps_on("cuda", name)
    for a, b in zip(there, here, strict=True):
        close(a, b)
    assert len(step.variants) == 1
    devices = {
        value.device.type
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, Tensor)
    }
    assert devices <= {"cuda"}


def test_random_numbers_of_a_step_are_the_cpus() -> None:
    here, _, _ = steps_on("cpu", "sgd", dropout=0.4)
    there, _, _ = steps_on("cuda", "sgd", dropout=0.4)
    for a, b in zip(there, here, strict=True):
        close(a, b)


def test_compiled_modules() -> None:
    model = jitnet.compile(model_of("cuda"))
    close(model(sample(2, 5).cuda()), model_of("cpu")(sample(2, 5)))


def test_state_of_a_module() -> None:
    grown = []
    for device in ("cpu", "cuda"):
        norm = nn.BatchNorm1d(4).to(device)
        run = jitnet.compile(norm)
        for seed in range(3):
            run(sample(5, 4, seed=seed).to(device))
        grown.append([norm.running_mean, norm.running_var, norm.num_batches_tracked])
    for here, there in zip(*grown, strict=True):
        close(there, here)


# -- graphs -------------------------------------------------------------------------------------


def test_a_step_is_one_graph_once_it_repeats(gpu: Any) -> None:
    """Results are the same, batches and losses move, what is held from earlier steps stays."""
    found = []
    for device in ("cpu", "cuda"):
        model = model_of(device, dropout=0.3)
        optimizer = jitnet.optim.AdamW(model.parameters(), 0.01)
        schedule = jitnet.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)

        @jitnet.compile
        def step(x: Tensor, y: Tensor) -> Tensor:
            optimizer.zero_grad()  # noqa: B023
            loss = F.cross_entropy(model(x), y)  # noqa: B023
            loss.backward()
            optimizer.step()  # noqa: B023
            return loss

        held = []
        for number in range(7):
            x = sample(3, 5, seed=number).to(device)
            held.append(step(x, jitnet.tensor([0, 1, 2], device=device)))
            schedule.step()
            if number == 4:
                held.append(model[0].weight.grad)
        found.append([*held, *model.parameters()])
    for here, there in zip(*found, strict=True):
        close(there, here)
    if not REAL:
        log = gpu.drivers[0].log
        assert log.count("capture") >= 1
        assert log.count("launch_graph") >= 3


def test_state_that_moves_is_captured_anew() -> None:
    weight = jitnet.zeros(3, 3, device="cuda")

    def many(x: Tensor, y: Tensor) -> None:
        for _ in range(6):
            y.copy_(y @ weight + x)

    compiled, wanted = jitnet.compile(many), many
    x = sample(3, 3).cuda()
    places = [sample(3, 3, seed=n).cuda() for n in range(3)]
    for number in (0, 0, 0, 1, 1, 1, 2, 0, 2, 0, 0, 1):
        compiled(x, places[number])
        weight.fill_(0.1 * number)
        again = places[number].clone()
        compiled(x, places[number])
        wanted(x, again)
        close(places[number], again.cpu())
    (launched,) = compiled.variants[0].programs
    assert launched.executable.is_replayed


# -- waiting ------------------------------------------------------------------------------------


def test_a_call_waits_for_nothing(gpu: Any) -> None:
    if REAL:
        pytest.skip("counts what the simulated driver is asked")
    compiled = jitnet.compile(lambda x: x.exp().sum())
    x = sample(5).cuda()
    compiled(x)
    log = gpu.drivers[0].log
    log.clear()
    found = compiled(x)
    assert set(log) == {"launch"}
    assert found.item() == pytest.approx(sample(5).exp().sum().item(), rel=1e-5)
    assert "synchronize" in log


def test_checks_of_data_are_raised_when_somebody_waits() -> None:
    @jitnet.compile
    def rows(x: Tensor, index: Tensor) -> Tensor:
        return x[index] * 2

    x = sample(4, 3).cuda()
    good, bad = jitnet.tensor([1, -1], device="cuda"), jitnet.tensor([1, 4], device="cuda")
    close(rows(x, good), sample(4, 3)[[1, 3]] * 2)
    found = rows(x, bad)
    with pytest.raises(IndexError, match="4 is out of range"):
        found.cpu()
    close(rows(x, good), sample(4, 3)[[1, 3]] * 2)


# -- errors -------------------------------------------------------------------------------------


def test_one_function_runs_on_one_device() -> None:
    x = sample(3).cuda()
    with pytest.raises(RuntimeError, match="at least two devices, cuda:0 and cpu!"):
        jitnet.compile(lambda a, b: a + b)(x, sample(3))
    with pytest.raises(RuntimeError, match=r"returns .* on the CPU; make it with device='cuda:0'"):
        jitnet.compile(lambda a: (a + 1, jitnet.zeros(3)))(x)
    total = jitnet.tensor(0.0)
    with pytest.raises(RuntimeError, match=r"writes into .*, a tensor on the CPU"):
        jitnet.compile(lambda a: (total.add_(1), a + 1)[1])(x)


def test_what_has_no_kernel_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"linalg\.qr has no CUDA kernel"):
        jitnet.compile(lambda a: jitnet.linalg.qr(a))(sample(3, 3).cuda())


# -- kept on disk -------------------------------------------------------------------------------


def test_programs_are_kept_on_disk(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if REAL:
        pytest.skip("counts what the simulated driver is asked")
    monkeypatch.setenv("JITNET_CACHE_DIR", str(tmp_path))
    log = gpu.drivers[0].log
    x = sample(3, 700).cuda()
    for builds in (1, 1):
        compiled = jitnet.compile(lambda a: F.softmax(a, -1) * jitnet.arange(700, device=a.device))
        close(compiled(x), F.softmax(sample(3, 700), -1) * jitnet.arange(700))
        assert log.count("build") == builds


# -- what they show -----------------------------------------------------------------------------


def test_dump_shows_the_program_that_ran() -> None:
    x, w = sample(3, 4).cuda().requires_grad_(), sample(4, 2, seed=1).cuda()
    forward = jitnet.compile(lambda x, w: F.relu(x @ w).sum())
    forward(x, w).backward()
    assert "argument x" in forward.dump("trace") and "matmul" in forward.dump("graph")
    assert "kernel k0" in forward.dump("kernels") and "of the arena's" in forward.dump("kernels")
    text = forward.dump("cuda")
    assert text.count("# Launched in this order") == 2, "forward and backward"
    (program, _) = forward.variants[0].programs
    assert str(program.executable.compiled.stages.program) in text
    assert "Finish" in forward.dump("call")


def test_ptx_is_for_the_gpu_that_it_ran_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba's simulator has no compiler: what it is asked is looked at."""
    asked = []

    def compile_ptx(source: str, functions: Any, capability: tuple[int, int]) -> dict[str, str]:
        asked.append(capability)
        return {name: f".entry {name}" for name in functions}

    monkeypatch.setattr("jitnet.runtime.cuda.building.compile_ptx", compile_ptx)
    double = jitnet.compile(lambda x: x * 2)
    double(sample(3).cuda())
    text = double.dump("ptx")
    assert asked == [jitnet.cuda.get_device_capability()]
    assert "// @cuda.jit" in text and ".entry k0" in text
    everything = double.dump("all")
    for stage in ("trace", "graph", "kernels", "call", "cuda", "ptx"):
        assert f"\n{stage}: " in everything, stage


def test_stages_of_processors_are_not_there() -> None:
    double = jitnet.compile(lambda x: x * 2)
    double(sample(3).cuda())
    assert "no stage 'llvm'; on cuda:0 there are trace, graph, kernels" in double.dump("llvm")
    double(sample(3))
    assert "define" in double.dump("llvm")


def test_explain_tells_of_kernels_memory_and_launches() -> None:
    _, step, _ = steps_on("cuda", "sgd")
    text = step.explain()
    assert "program: key" in text and ", load " in text
    assert "memory on cuda:0: arena" in text and "needed at once" in text
    executable = step.variants[0].executable
    launches = len(executable.compiled.image.steps)
    assert f"{launches} launches, one CUDA graph where calls repeat:" in text
    assert "FLOP, reads" in text and "# test_cuda_compiled.py:" in text

    double = jitnet.compile(lambda x: x * 2)
    double(sample(3).cuda())
    assert "1 kernels, 1 launches, one by one:" in double.explain()
