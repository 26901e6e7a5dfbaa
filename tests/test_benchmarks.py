"""The benchmarks: the same numbers from every adapter, honest tables, errors that name the peer."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import jitnet
from benchmarks import inputs
from benchmarks.adapters.models import VARIABLE
from benchmarks.adapters.torch_names import build
from benchmarks.case import Case
from benchmarks.catalog import SCALED, workload_named, workloads_like
from benchmarks.child import begin, measure
from benchmarks.networks import Gpt2, LeNet, Mlp, Network, ResNet18, Transformer
from benchmarks.peers import ALL, JITNET, NUMPY, PEERS, Peer, Setting
from benchmarks.process import Process
from benchmarks.results import Result, best_of_each, disagreements
from benchmarks.rounds import Plan, run
from benchmarks.work import (
    Adam,
    Decoding,
    Elementwise,
    Inference,
    Sgd,
    SoftmaxLayerNorm,
    Training,
    Work,
    flops,
    traffic,
)
from benchmarks.workloads import WORKLOADS

ROOT = Path(__file__).parents[1]
QUICK = Plan(threads=1, rounds=2, seconds=0.01)
SMALL = (
    "mlp_train",
    "lenet_train_b4",
    "elementwise_fwd_1e3",
    "elementwise_fwdbwd_1e3",
    "call_overhead",
    "matmul_64x784x128",
    "matmul_1x768x3072",
)


def _result(peer: Peer, milliseconds: float, setting: str = "default", error: str = "") -> Result:
    values = () if error else (2.0, 1.0)
    return Result(peer.name, peer.title, setting, "1", milliseconds, values=values, error=error)


def _values(adapter: str, work: Work, options: frozenset[str] = frozenset()) -> tuple[float, ...]:
    module = pytest.importorskip(f"benchmarks.adapters.{adapter}")
    return begin(module.case(work, options), "", 0.0).values


GPT2 = Gpt2(length=6, vocabulary=50, width=32, heads=4, layers=2, positions=16)
ENCODER = Transformer(vocabulary=50, width=32, heads=4, hidden=48, layers=2, length=6)
WORK = [
    *(pytest.param(workload_named(name).work, id=name) for name in SMALL),
    pytest.param(SoftmaxLayerNorm(8, 32, backward=False), id="softmax_layernorm_fwd"),
    pytest.param(SoftmaxLayerNorm(8, 32, backward=True), id="softmax_layernorm_fwdbwd"),
    pytest.param(Training(Mlp((9, 16, 4), "gelu"), 8, Adam(1e-3), "mse_loss"), id="gelu"),
    pytest.param(Training(ENCODER, 3, Adam(1e-3)), id="transformer"),
    pytest.param(Inference(GPT2), id="gpt2_prefill"),
    pytest.param(Decoding(GPT2, 8), id="gpt2_decode"),
]
NETWORKS = [Mlp((9, 16, 4)), LeNet(), ResNet18(True), ResNet18(False), ENCODER, GPT2]


@pytest.mark.parametrize("work", WORK)
def test_compiled_and_eager_agree(work: Work) -> None:
    eager = _values("jitnet", work, frozenset({"eager"}))
    assert _values("jitnet", work) == pytest.approx(eager, rel=1e-4)


@pytest.mark.parametrize("adapter", ["pytorch", "xla"])
@pytest.mark.parametrize("work", WORK)
def test_jitnet_and_its_peers_agree(work: Work, adapter: str) -> None:
    assert _values("jitnet", work) == pytest.approx(_values(adapter, work), rel=1e-4)


@pytest.mark.parametrize("options", [(), ("parallel",)])
@pytest.mark.parametrize("adapter", ["array", "loops"])
@pytest.mark.parametrize("name", ["elementwise_fwd_1e3", "call_overhead"])
def test_plain_arrays_and_loops_agree(name: str, adapter: str, options: tuple[str, ...]) -> None:
    work = workload_named(name).work
    pytest.importorskip("scipy", reason="NumPy has no erf")
    values = _values(adapter, work, frozenset(options))
    assert _values("jitnet", work) == pytest.approx(values, rel=1e-4)


ENGINES = [("ort", ""), ("ort", "bound"), ("vino", "")]
MODELS = [
    pytest.param(Inference(GPT2), id="gpt2_prefill"),
    pytest.param(Decoding(GPT2, 8), id="gpt2_decode"),
    pytest.param(SoftmaxLayerNorm(8, 32, backward=False), id="softmax_layernorm_fwd"),
    pytest.param(Elementwise(1000, backward=False), id="elementwise_fwd_1e3"),
]


@pytest.mark.parametrize(("adapter", "option"), ENGINES)
@pytest.mark.parametrize("work", MODELS)
def test_engines_read_the_model_of_a_workload(
    work: Work, adapter: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip({"ort": "onnxruntime", "vino": "openvino"}[adapter])
    pytest.importorskip("onnx", reason="PyTorch exports models with it")
    export = pytest.importorskip("benchmarks.export", reason="PyTorch exports the models")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "model.onnx"))
    export.export(work, tmp_path / "model.onnx")
    values = _values(adapter, work, frozenset({option}))
    assert _values("jitnet", work) == pytest.approx(values, rel=1e-4)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_a_network_knows_its_parameters(network: Network) -> None:
    parameters = build(jitnet, network).named_parameters()
    assert {name: tuple(each.shape) for name, each in parameters} == network.shapes()


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_a_network_knows_its_operations(network: Network) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch counts the operations")
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    products = network.products()
    if isinstance(network, Gpt2):  # what a causal mask saves is not counted there
        products = network.token_products(network.length, network.length)
    model, x = build(torch, network), torch.from_numpy(inputs.samples(network, 1))
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(x)
    assert sum(products) == pytest.approx(counter.get_total_flops())


def test_a_floor_counts_the_data_s_gradient_and_what_leaves_the_cache() -> None:
    assert flops(Training(Mlp((10, 20, 30)), 2, Sgd(0.1))) == 2 * (2 * 2 * 200 + 3 * 2 * 600)
    assert traffic(Training(Mlp((10, 20, 30)), 2, Sgd(0.1))) == 0
    large = Mlp((1024, 4096, 4096))
    count = 4 * (1024 * 4096 + 4096 * 4096 + 2 * 4096)
    assert traffic(Training(large, 2, Sgd(0.1))) == 3 * count
    assert traffic(Training(large, 2, Adam(0.1))) == 7 * count


def test_weights_depend_on_the_name_alone() -> None:
    first = inputs.weight("c1.weight", (6, 3, 5, 5))
    assert (first == inputs.weights(LeNet())["c1.weight"]).all()
    assert float(first.flat[0]) != float(inputs.weight("c2.weight", (6, 3, 5, 5)).flat[0])
    assert not inputs.weight("c1.bias", (6,)).any()


def test_names_are_unique_and_found_by_their_beginnings() -> None:
    assert len({each.name for each in WORKLOADS}) == len(WORKLOADS)
    assert len({each.name for each in ALL}) == len(ALL)
    assert [each.name for each in workloads_like(["lenet"])] == [
        "lenet_train_b4",
        "lenet_train_b128",
    ]
    assert workloads_like([]) == WORKLOADS
    with pytest.raises(ValueError, match="no workload begins with 'lennet'; there are mlp_train"):
        workloads_like(["lennet"])


def test_series_have_names_of_their_own() -> None:
    names = [each.name for each in (*WORKLOADS, *SCALED)]
    assert len(set(names)) == len(names)
    assert [each.name for each in workloads_like(["mlp_depth_1"], SCALED)] == [
        "mlp_depth_1",
        "mlp_depth_16",
    ]


def test_what_is_done_between_steps_is_not_timed() -> None:
    slow = Case(lambda: 1.0, float, between=lambda: time.sleep(0.005))
    assert max(measure(slow, 0.02)) < 5


def test_a_case_is_stepped_three_times_and_read_after_one_and_three() -> None:
    steps = iter((5.0, 4.0, 3.0))
    assert begin(Case(lambda: next(steps), float), "1", 0.0).values == (5.0, 3.0)


def test_children_take_turns_and_agree() -> None:
    told: list[str] = []
    results = run(workload_named("call_overhead"), [JITNET, NUMPY], QUICK, told.append)
    assert not any(each.error for each in results)
    assert {each.peer for each in results} == {"jitnet", "numpy"}
    assert all(each.median_ms > 0 and each.first_seconds > 0 for each in results)
    assert all(len(each.turns_ms) == QUICK.rounds for each in results if not each.trial)
    assert disagreements(results) == []
    assert told[-1].endswith("round 2 of 2")


def test_what_a_peer_cannot_do_is_a_row_with_its_own_words() -> None:
    broken = Peer("broken", "Broken", "numpy", "array", (Setting(), Setting("other")))
    results = run(workload_named("mlp_train"), [broken], QUICK, lambda line: None)
    assert [each.error for each in results] == ["NotImplementedError: NumPy has no Training"] * 2
    assert best_of_each(results) == results[:1]


def test_a_workload_without_a_model_is_one_row() -> None:
    reader = Peer("reader", "Reader", "numpy", "array", (Setting(), Setting("b")), reads_model=True)
    (result,) = run(workload_named("mlp_train"), [reader], QUICK, lambda line: None)
    assert result.error.startswith("no ONNX model: ")


def test_a_peer_that_dies_in_a_turn_is_a_row_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turn = Process.turn

    def dying(process: Process, seconds: float, trial: bool = False) -> None:
        if process.peer.name == "mortal" and process.samples:
            os.kill(process._process.pid, signal.SIGKILL)
        turn(process, seconds, trial)

    monkeypatch.setattr(Process, "turn", dying)
    mortal = replace(NUMPY, name="mortal", plain_only=True)
    results = run(workload_named("call_overhead"), [mortal, JITNET], QUICK, lambda line: None)
    assert [each.peer for each in results if each.worked] == ["jitnet"]
    assert [each.peer for each in results if each.error] == ["mortal"]


def test_the_best_setting_counts_and_jitnet_comes_first() -> None:
    torch, compile, jax = PEERS[:3]
    rows = best_of_each(
        [
            _result(torch, math.nan, error="no"),
            _result(torch, 3.0, "fused"),
            _result(torch, 2.0, "kept"),
            _result(compile, math.nan, error="no compiler"),
            _result(jax, 1.0),
            _result(JITNET, 4.0),
        ]
    )
    assert [(each.peer, each.setting) for each in rows[:3]] == [
        ("jitnet", "default"),
        ("jax", "default"),
        ("torch", "kept"),
    ]
    assert rows[3].error == "no compiler"


def test_results_that_differ_are_told() -> None:
    torch, _, jax = PEERS[:3]
    odd = replace(_result(JITNET, 1.0), values=(2.0, 1.1))
    assert disagreements([_result(torch, 1.0), _result(jax, 1.0)]) == []
    (line,) = disagreements([odd, _result(torch, 1.0), _result(jax, 1.0)])
    assert line.startswith("jitnet: (2.0, 1.1), but PyTorch eager")


def test_a_loss_near_zero_may_differ_by_the_rounding_of_what_it_is_a_difference_of() -> None:
    one, other = (_result(peer, 1.0) for peer in PEERS[:2])
    one, other = replace(one, values=(3.9, 1.2147e-4)), replace(other, values=(3.9, 1.2135e-4))
    assert disagreements([one, other]) == []
    assert len(disagreements([one, replace(other, values=(3.9, 1.3e-4))])) == 1


def test_the_command_lists_and_refuses() -> None:
    command = [sys.executable, "-m", "benchmarks"]
    listed = subprocess.run([*command, "--list"], cwd=ROOT, capture_output=True, text=True)
    assert "mlp_train" in listed.stdout and "--peers torch" in listed.stdout, listed.stderr
    refused = subprocess.run([*command, "nosuch"], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "no workload begins with 'nosuch'" in refused.stderr
