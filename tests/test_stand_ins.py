"""What programs touch in passing: GPUs, profilers, scripts, process groups, older names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn


def test_queries_about_gpus_answer_as_without_one() -> None:
    assert not jitnet.cuda.is_available()
    assert not jitnet.cuda.is_bf16_supported()
    assert jitnet.cuda.memory_allocated() == jitnet.cuda.max_memory_reserved("cuda:0") == 0
    jitnet.cuda.reset_peak_memory_stats()
    jitnet.cuda.manual_seed_all(0)
    with jitnet.cuda.device(None), jitnet.cuda.stream(None):
        pass
    assert jitnet.version.cuda is None
    assert not jitnet.backends.mps.is_available()


@pytest.mark.parametrize("name", ["set_device", "get_device_name", "get_device_properties"])
def test_what_needs_a_gpu_is_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match=r"no GPU can be used: .*; or use device='cpu'"):
        getattr(jitnet.cuda, name)(0)


@pytest.mark.parametrize("name", ["Stream", "Event", "current_stream", "synchronize"])
def test_streams_are_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match="no GPU can be used"):
        getattr(jitnet.cuda, name)()


def test_switches_of_backends_can_be_set() -> None:
    import jitnet.backends.cudnn as cudnn

    before = cudnn.benchmark
    cudnn.benchmark = True
    assert jitnet.backends.cudnn.benchmark
    cudnn.benchmark = before
    assert jitnet.backends.cuda.matmul.allow_tf32 is False
    with jitnet.nn.attention.sdpa_kernel(jitnet.nn.attention.SDPBackend.MATH):
        pass
    before_precision = jitnet.get_float32_matmul_precision()
    jitnet.set_float32_matmul_precision("high")
    assert jitnet.get_float32_matmul_precision() == "high"
    jitnet.set_float32_matmul_precision(before_precision)
    with pytest.raises(RuntimeError, match="'best'"):
        jitnet.set_float32_matmul_precision("best")


def test_is_compiling_tells_of_a_trace() -> None:
    def work(x: Any) -> Any:
        return x + (1 if jitnet.compiler.is_compiling() else 2)

    assert work(jitnet.zeros(1)).item() == 2
    assert jitnet.compile(work)(jitnet.zeros(1)).item() == 1


def test_disabled_functions_stay_outside() -> None:
    outside = jitnet.compiler.disable(lambda x: x * 2)
    assert outside(jitnet.ones(1)).item() == 2
    with pytest.raises(jitnet.CompileError, match="call it outside"):
        jitnet.compile(lambda x: outside(x) + 1)(jitnet.ones(1))


def test_scripts_are_the_python_they_were() -> None:
    @jitnet.jit.script
    def double(x: Any) -> Any:
        return x * 2

    assert double(jitnet.ones(1)).item() == 2
    model = nn.Linear(2, 2)
    assert jitnet.jit.trace(model, jitnet.ones(1, 2)) is model
    assert not jitnet.jit.is_scripting()
    with pytest.raises(NotImplementedError, match="state_dict"):
        jitnet.jit.save(model, "x.pt")


def test_profiles_record_nothing() -> None:
    from jitnet.profiler import ProfilerActivity, profile, record_function

    with (
        profile(activities=[ProfilerActivity.CPU], record_shapes=True) as found,
        record_function("block"),
    ):
        found.step()
    assert found.step_num == 1
    assert "records nothing" in found.key_averages().table(sort_by="cpu_time_total")
    with jitnet.autograd.profiler.profile(use_cuda=False), jitnet.autograd.detect_anomaly():
        pass


@pytest.mark.parametrize("kind", ["DataParallel", "parallel.DistributedDataParallel"])
@pytest.mark.parametrize("compiled", [False, True])
def test_wrapped_models_pass_through(kind: str, compiled: bool) -> None:
    made: Any = nn
    for part in kind.split("."):
        made = getattr(made, part)
    inner = nn.Linear(3, 2)
    model = made(inner)
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
    x = jitnet.randn(4, 3)
    run = jitnet.compile(model) if compiled else model
    np.testing.assert_allclose(run(x).detach().numpy(), inner(x).detach().numpy(), rtol=1e-5)


def test_a_group_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    dist = jitnet.distributed
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert dist.is_available() and not dist.is_initialized()
    with pytest.raises(ValueError, match="init_process_group"):
        dist.get_rank()
    with pytest.raises(RuntimeError, match="a world of 2"):
        dist.init_process_group("gloo", world_size=2, rank=0)
    dist.init_process_group("gloo", rank=0, world_size=1)
    try:
        assert (dist.get_rank(), dist.get_world_size()) == (0, 1)
        x, y = jitnet.ones(2), jitnet.zeros(2)
        dist.all_reduce(x, op=dist.ReduceOp.SUM)
        dist.broadcast(x, src=0)
        dist.all_gather([y], x)
        dist.barrier()
        assert y.tolist() == [1.0, 1.0]
    finally:
        dist.destroy_process_group()
    assert not dist.is_initialized()


def test_shares_of_a_data_set() -> None:
    from jitnet.utils.data.distributed import DistributedSampler

    data = range(10)
    shares = [DistributedSampler(data, num_replicas=3, rank=rank) for rank in range(3)]
    seen = [list(share) for share in shares]
    assert [len(share) for share in shares] == [len(part) for part in seen] == [4, 4, 4]
    assert set().union(*seen) == set(data)
    shares[0].set_epoch(1)
    assert list(shares[0]) != seen[0]
    cut = DistributedSampler(data, num_replicas=3, rank=2, shuffle=False, drop_last=True)
    assert list(cut) == [2, 5, 8]
    with pytest.raises(ValueError, match="Invalid rank 3"):
        DistributedSampler(data, num_replicas=3, rank=3)


def test_shares_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    for count in (1, 7, 9):
        for drop_last in (False, True):
            for rank in range(3):
                args = {"num_replicas": 3, "rank": rank, "shuffle": False, "drop_last": drop_last}
                mine = jitnet.utils.data.DistributedSampler(range(count), **args)
                theirs = torch.utils.data.DistributedSampler(range(count), **args)
                assert list(mine) == list(theirs)
                assert len(mine) == len(theirs)


def test_older_names_of_tensors() -> None:
    x = jitnet.FloatTensor(2, 3)
    assert x.shape == (2, 3) and x.dtype is jitnet.float32
    assert isinstance(x, jitnet.FloatTensor) and not isinstance(x, jitnet.LongTensor)
    assert isinstance(x, jitnet.autograd.Variable)
    assert jitnet.LongTensor([1, 2]).dtype is jitnet.int64
    assert x.type(jitnet.LongTensor).dtype is jitnet.int64
    assert jitnet.ByteTensor().shape == (0,)
    with pytest.raises(TypeError, match=r"FloatTensor wants .*float32, got i64\[2\]"):
        jitnet.FloatTensor(jitnet.zeros(2, dtype=jitnet.int64))
    assert jitnet.autograd.Variable(x, requires_grad=True).requires_grad
    assert x.new(4, 1).shape == (4, 1) and x.new([1, 2]).dtype is jitnet.float32
    assert not x.is_sparse and x.to_dense() is x


def test_checkpoints_compute_once() -> None:
    from jitnet.utils.checkpoint import checkpoint, checkpoint_sequential

    calls: list[int] = []

    def work(x: Any, y: Any) -> Any:
        calls.append(1)
        return (x * y).sin()

    x = jitnet.ones(3, requires_grad=True)
    checkpoint(work, x, y=2.0, use_reentrant=False).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.cos(2.0), rtol=1e-6)
    assert len(calls) == 1
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    assert jitnet.equal(checkpoint_sequential(model, 2, x, use_reentrant=False), model(x))


def test_memory_formats_are_accepted() -> None:
    x = jitnet.randn(2, 3, 4, 4).to(memory_format=jitnet.channels_last)
    assert x.contiguous(memory_format=jitnet.channels_last).shape == (2, 3, 4, 4)
    model = nn.Conv2d(3, 2, 3).to(memory_format=jitnet.channels_last)
    assert model(x).clone(memory_format=jitnet.preserve_format).shape == (2, 2, 2, 2)
    assert jitnet.empty_like(x, memory_format=jitnet.contiguous_format).shape == x.shape
    assert nn.Linear(2, 2).to_empty(device="cpu").weight.shape == (2, 2)


def test_every_device_can_be_named_but_tensors_are_on_the_cpu() -> None:
    assert isinstance(jitnet.device("cuda:1"), jitnet.device)
    assert jitnet.device("cuda", 1) == jitnet.device(jitnet.device("cuda:1"))
    assert str(jitnet.device("cuda:1")) == "cuda:1" and jitnet.device("meta").index is None
    with pytest.raises(RuntimeError, match="no GPU can be used"):
        jitnet.zeros(1, device=jitnet.device("cuda"))
    with pytest.raises(RuntimeError, match="no device is called 'gpu'"):
        jitnet.device("gpu")
    with jitnet.device("cpu"):
        assert jitnet.zeros(1).device == jitnet.device("cpu")


def test_generators_of_gpus_have_no_states() -> None:
    from jitnet.utils.checkpoint import get_device_states, set_device_states

    set_device_states(*get_device_states(jitnet.zeros(1)))


def test_tensors_are_grouped_by_kind() -> None:
    from jitnet.utils._foreach_utils import _group_tensors_by_device_and_dtype

    params = [jitnet.zeros(1), jitnet.zeros(1).long(), jitnet.zeros(2)]
    grads = [jitnet.ones(1), None, jitnet.ones(2)]
    groups = _group_tensors_by_device_and_dtype([params, grads], with_indices=True)
    lists, places = groups[jitnet.device("cpu"), jitnet.float32]
    assert places == [0, 2] and lists[0][1] is params[2] and lists[1][1] is grads[2]
    assert groups[jitnet.device("cpu"), jitnet.int64][0][1] == [None]


def test_convolutions_of_other_weights() -> None:
    class Standardized(nn.Conv2d):
        def forward(self, input: Any) -> Any:
            return self._conv_forward(input, self.weight - self.weight.mean(), self.bias)

    layer = Standardized(2, 3, 3, padding=1, padding_mode="circular")
    x = jitnet.ones(1, 2, 5, 5)
    np.testing.assert_allclose(layer(x)[0, :, 0, 0].tolist(), layer(x)[0, :, 2, 2].tolist(), 1e-5)
    assert np.abs((layer(x).sum((0, 2, 3)) / 25).sum().item() - layer.bias.sum().item()) < 1e-4


def test_distributions_can_be_written_elsewhere() -> None:
    from jitnet.distributions import ExpTransform, Normal, transforms, utils

    assert isinstance(ExpTransform().inv, transforms._InverseTransform)

    class Doubled(Normal):
        calls = 0

        @utils.lazy_property
        def twice(self) -> Any:
            type(self).calls += 1
            return self.loc * 2

    loc, scale = utils.broadcast_all(jitnet.zeros(3, requires_grad=True), 1.0)
    made = Doubled(loc, scale)
    with jitnet.no_grad():
        assert made.twice is made.twice and made.twice.requires_grad and Doubled.calls == 1
    assert utils._sum_rightmost(jitnet.ones(2, 3), 1).tolist() == [3, 3]
    probs = jitnet.tensor([0.25, 0.75])
    np.testing.assert_allclose(
        utils.logits_to_probs(utils.probs_to_logits(probs)).tolist(), probs.tolist(), 1e-5
    )
    assert utils._standard_normal((4, 2), jitnet.float64, "cpu").dtype is jitnet.float64
