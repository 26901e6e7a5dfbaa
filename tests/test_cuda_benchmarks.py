"""`python -m benchmarks --device cuda` by its parts: cases on the GPU, who takes part, refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import jitnet
from benchmarks import __main__ as command
from benchmarks import gpu as gpus
from benchmarks.case import Case
from benchmarks.catalog import workload_named
from benchmarks.child import begin, measure
from benchmarks.networks import Mlp
from benchmarks.work import Elementwise, Matmul, Sgd, SoftmaxLayerNorm, Training, Work
from tests.gpu_fixture import REAL

on_gpu = pytest.mark.usefixtures("gpu", "defaults")

SMALL: dict[str, Work] = {
    "training": Training(Mlp((6, 4, 3)), 4, Sgd(0.01)),
    "elementwise": Elementwise(64, backward=True),
    "rows": SoftmaxLayerNorm(3, 8, backward=False),
    "bfloat16": Matmul(16, 16, 16, "bfloat16"),
}


@pytest.fixture
def defaults() -> Iterator[None]:
    """Put the default device back, which an adapter sets."""
    yield
    jitnet.set_default_device(None)


def _case(work: Work, *options: str) -> Case:
    from benchmarks.adapters import jitnet as adapter

    return adapter.case(work, frozenset(options))


@pytest.mark.cuda
@on_gpu
@pytest.mark.parametrize("name", SMALL)
def test_a_case_on_a_gpu_gives_what_the_cpu_gives(name: str) -> None:
    here = begin(_case(SMALL[name]), "1", 0.0)
    case = _case(SMALL[name], gpus.OPTION)
    assert case.step().is_cuda
    jitnet.set_default_device(None)
    there = begin(_case(SMALL[name], gpus.OPTION), "1", 0.0)
    assert there.values == pytest.approx(here.values, rel=0.02 if name == "bfloat16" else 1e-4)


@pytest.mark.cuda
@on_gpu
@pytest.mark.skipif(REAL, reason="counts what a simulated GPU was asked")
def test_times_end_when_the_work_has_ended(gpu: object) -> None:
    driver = gpu.drivers[0]  # type: ignore[attr-defined]
    case = _case(SMALL["elementwise"], gpus.OPTION)
    assert len(measure(case, 0.001)) >= 1
    assert driver.log[-1] == "synchronize"


@pytest.mark.cuda
@on_gpu
def test_the_memory_of_a_gpu_is_measured() -> None:
    machine = gpus.measure(1 << 16)
    assert machine.bandwidth > 0 and "GFLOP/s" not in str(machine) and "GB/s" in str(machine)
    assert machine.floor_ms(workload_named("gpu_elementwise_fwd")) > 0


def test_who_takes_part() -> None:
    assert [peer.name for peer in gpus.PEERS] == ["jitnet", "torch", "compile", "jax"]
    for peer in gpus.PEERS:
        assert all(gpus.OPTION in setting.options for setting in peer.settings)
    assert gpus.PEERS[-1].environment["JAX_PLATFORMS"] == "cuda"
    assert all(each.name.startswith("gpu_") for each in gpus.WORKLOADS)
    assert workload_named("gpu_matmul_1024_bfloat16").work == Matmul(1024, 1024, 1024, "bfloat16")


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpus, "why_not", lambda: "it is not there")
    for options, message in (
        (("--device", "cuda"), "--device cuda finds no GPU: it is not there"),
        (("--device", "cuda", "--report", "latency"), "--report latency is for --device cpu"),
    ):
        monkeypatch.setattr("sys.argv", ["benchmarks", *options])
        with pytest.raises(SystemExit):
            command.main()
        assert message in capsys.readouterr().err


def test_the_list_needs_no_gpu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "--device", "cuda", "--list"])
    command.main()
    assert "gpu_transformer_train" in capsys.readouterr().out
