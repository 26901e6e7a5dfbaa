"""Where tensors are made and moved to: the default device, keywords, modules, files, two GPUs."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import jitnet
from jitnet import Tensor, nn
from tests.gpu_fixture import REAL

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu", "defaults")]
CPU, GPU, OTHER = (jitnet.device(name) for name in ("cpu", "cuda:0", "cuda:1"))


@pytest.fixture
def defaults() -> Iterator[None]:
    """Put the default device, and the GPU that "cuda" means, back after a test."""
    yield
    jitnet.set_default_device(None)
    if jitnet.cuda.is_available():
        jitnet.cuda.set_device(0)


@pytest.fixture
def two_gpus(gpu: object) -> None:
    """Skip on a computer with one GPU."""
    if jitnet.cuda.device_count() < 2:
        pytest.skip("wants two GPUs")


MAKERS: dict[str, Callable[..., Tensor]] = {
    "zeros": lambda **more: jitnet.zeros(2, **more),
    "ones": lambda **more: jitnet.ones(2, **more),
    "empty": lambda **more: jitnet.empty(2, **more),
    "full": lambda **more: jitnet.full((2,), 3.0, **more),
    "tensor": lambda **more: jitnet.tensor([1.0, 2.0], **more),
    "as_tensor": lambda **more: jitnet.as_tensor([1.0, 2.0], **more),
    "asarray": lambda **more: jitnet.asarray([1.0, 2.0], **more),
    "scalar_tensor": lambda **more: jitnet.scalar_tensor(2.0, **more),
    "arange": lambda **more: jitnet.arange(3, **more),
    "range": lambda **more: jitnet.range(0, 3, **more),
    "linspace": lambda **more: jitnet.linspace(0, 1, 3, **more),
    "logspace": lambda **more: jitnet.logspace(0, 1, 3, **more),
    "eye": lambda **more: jitnet.eye(2, **more),
    "rand": lambda **more: jitnet.rand(2, **more),
    "randn": lambda **more: jitnet.randn(2, **more),
    "randint": lambda **more: jitnet.randint(0, 5, (2,), **more),
    "randperm": lambda **more: jitnet.randperm(4, **more),
    "normal": lambda **more: jitnet.normal(0.0, 1.0, (2,), **more),
    "tril_indices": lambda **more: jitnet.tril_indices(2, 2, **more),
    "triu_indices": lambda **more: jitnet.triu_indices(2, 2, **more),
    "empty_strided": lambda **more: jitnet.empty_strided((2, 2), (1, 2), **more),
    "hann_window": lambda **more: jitnet.hann_window(4, **more),
    "fftfreq": lambda **more: jitnet.fft.fftfreq(4, **more),
    "sparse_coo_tensor": lambda **more: jitnet.sparse_coo_tensor([[0], [1]], [2.0], **more),
    "Linear": lambda **more: nn.Linear(2, 2, **more).weight,
    "BatchNorm1d": lambda **more: nn.BatchNorm1d(2, **more).running_mean,
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_maker_takes_a_device_and_the_default(name: str) -> None:
    make = MAKERS[name]
    assert make().device == CPU
    assert make(device="cuda").device == GPU
    with jitnet.device("cuda"):
        assert make().device == GPU
        assert make(device="cpu").device == CPU
    assert make().device == CPU


def test_the_default_device() -> None:
    assert jitnet.get_default_device() == CPU
    jitnet.set_default_device("cuda")
    assert jitnet.get_default_device() == GPU
    assert jitnet.zeros(1).is_cuda
    with jitnet.device("cpu"):
        assert jitnet.zeros(1).device == CPU
        with jitnet.device("cuda:0"):
            assert jitnet.zeros(1).device == GPU
        assert jitnet.zeros(1).device == CPU
    assert jitnet.zeros(1).is_cuda
    with jitnet.no_grad():
        jitnet.set_default_device(None)
    assert jitnet.zeros(1).device == CPU
    with pytest.raises(RuntimeError, match="not on meta"):
        jitnet.set_default_device("meta")
    assert jitnet.get_default_device() == CPU


def test_what_the_default_device_leaves_alone() -> None:
    x = jitnet.ones(2)
    with jitnet.device("cuda"):
        assert jitnet.Generator().device == CPU
        assert jitnet.Tensor([1.0]).device == CPU
        assert jitnet.FloatTensor([1.0]).device == CPU
        assert (x + 1).device == CPU and jitnet.zeros_like(x).device == CPU
        assert x.new_zeros(2).device == CPU
        assert jitnet.isin(x, jitnet.ones(1, device="cpu")).device == CPU
        assert jitnet.quantile(x, 0.5).device == CPU
        assert x[[0, 1]].device == CPU
        assert jitnet.tensor(x).device == GPU


def test_each_thread_has_its_own_default() -> None:
    jitnet.set_default_device("cuda")
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(jitnet.zeros(1).device))
    thread.start()
    thread.join()
    assert found == [CPU]


def test_a_variant_for_each_default_device() -> None:
    compiled = jitnet.compile(lambda: jitnet.ones(2) + 1)
    assert compiled().device == CPU
    with jitnet.device("cuda"):
        assert compiled().device == GPU
    assert compiled().device == CPU
    assert "the default device was cpu, is cuda" in compiled.explain()


def test_the_default_device_inside_a_compiled_function() -> None:
    def work(x: Tensor) -> Tensor:
        with jitnet.device(x.device):
            return x + jitnet.arange(2)

    compiled = jitnet.compile(work)
    assert compiled(jitnet.zeros(2).cuda()).tolist() == [0, 1]
    assert jitnet.get_default_device() == CPU


def test_data_loading_with_a_default_device() -> None:
    jitnet.set_default_device("cuda")
    data = jitnet.utils.data.TensorDataset(jitnet.arange(4, device="cpu"))
    batches = list(jitnet.utils.data.DataLoader(data, batch_size=2, shuffle=True))
    assert sorted(jitnet.cat([batch for (batch,) in batches]).tolist()) == [0, 1, 2, 3]


def test_types() -> None:
    x = jitnet.ones(2)
    assert x.cuda().type() == "jitnet.cuda.FloatTensor"
    assert x.cuda().double().type() == "jitnet.cuda.DoubleTensor"
    assert x.type("torch.cuda.LongTensor").type() == "jitnet.cuda.LongTensor"
    assert x.cuda().type("torch.FloatTensor").device == CPU
    assert x.cuda().type(jitnet.float64).device == GPU
    assert x.type_as(jitnet.ones(1, dtype=jitnet.int64).cuda()).type() == "jitnet.cuda.LongTensor"
    assert not isinstance(x.cuda(), jitnet.FloatTensor)


def test_generators() -> None:
    there = jitnet.Generator(device="cuda").manual_seed(3)
    assert there.device == GPU
    drawn = jitnet.rand(4, generator=there, device="cuda")
    here = jitnet.rand(4, generator=jitnet.Generator().manual_seed(3))
    assert drawn.is_cuda
    jitnet.testing.assert_close(drawn.cpu(), here)
    with pytest.raises(RuntimeError, match="'cpu' device type for generator but found 'cuda:0'"):
        jitnet.rand(4, generator=there)


def test_modules_move() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    weight = model[0].weight
    assert model.cuda() is model and model[0].weight is weight and weight.device == GPU
    assert {each.device for each in (*model.parameters(), *model.buffers())} == {GPU}
    assert model.cpu()[0].weight.device == CPU
    model.to("cuda", jitnet.float64)
    assert model[0].weight.type() == "jitnet.cuda.DoubleTensor"
    with jitnet.device("cuda"):
        assert nn.LSTM(2, 3).weight_ih_l0.is_cuda


@pytest.mark.parametrize("to", ["cuda", "cuda:0", {"cpu": "cuda:0"}, jitnet.device("cuda")])
def test_files_are_read_to_a_device(to: Any) -> None:
    file = io.BytesIO()
    jitnet.save({"w": jitnet.arange(3.0)}, file)
    file.seek(0)
    found = jitnet.load(file, map_location=to)["w"]
    assert found.device == GPU and found.tolist() == [0, 1, 2]


def test_files_of_a_gpu_are_read_to_the_cpu() -> None:
    file = io.BytesIO()
    jitnet.save({"w": jitnet.arange(3.0, device="cuda")}, file)
    file.seek(0)
    assert jitnet.load(file)["w"].device == GPU
    file.seek(0)
    assert jitnet.load(file, map_location="cpu")["w"].device == CPU
    file.seek(0)
    assert jitnet.load(file, map_location=lambda storage, where: storage)["w"].device == CPU


# -- two GPUs -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("two_gpus")
def test_tensors_on_two_gpus() -> None:
    x = jitnet.arange(4.0)
    first, second = x.cuda(0), x.cuda(1)
    assert (first.device, second.device) == (GPU, OTHER)
    assert (first.get_device(), second.get_device()) == (0, 1)
    assert (second * 2).device == OTHER and (second * 2).tolist() == [0, 2, 4, 6]
    assert first.to("cuda:1").device == OTHER and first.to(1).tolist() == x.tolist()
    with pytest.raises(RuntimeError, match="at least two devices, cuda:1 and cuda:0!"):
        first + second
    slope = first.requires_grad_()
    (slope.to(1) ** 2).sum().backward()
    assert slope.grad is not None and slope.grad.device == GPU
    assert slope.grad.tolist() == [0, 2, 4, 6]


@pytest.mark.usefixtures("two_gpus")
def test_the_current_gpu() -> None:
    assert jitnet.cuda.current_device() == 0
    with jitnet.cuda.device(1):
        assert jitnet.cuda.current_device() == 1
        assert jitnet.zeros(1, device="cuda").device == OTHER
        assert jitnet.zeros(1).cuda().device == OTHER
        with jitnet.device("cuda"):
            assert jitnet.get_default_device() == OTHER
    assert jitnet.cuda.current_device() == 0
    with jitnet.no_grad():
        jitnet.cuda.set_device("cuda:1")
    assert jitnet.zeros(1, device="cuda").device == OTHER
    with jitnet.cuda.device_of(jitnet.zeros(1, device="cuda:0")):
        assert jitnet.cuda.current_device() == 0
    assert jitnet.cuda.current_device() == 1


@pytest.mark.usefixtures("two_gpus")
def test_compiled_functions_on_two_gpus() -> None:
    compiled = jitnet.compile(lambda x: x + jitnet.ones(2, device=x.device))
    for place in (GPU, OTHER, GPU):
        found = compiled(jitnet.zeros(2, device=place))
        assert found.device == place and found.tolist() == [1, 1]
    assert len(compiled.variants) == 2
    assert "device was cuda:0, is cuda:1" in compiled.explain()
    made = jitnet.compile(lambda: jitnet.ones(2, device="cuda") * 2)
    assert made().device == GPU
    with jitnet.cuda.device(1):
        assert made().device == OTHER
    with pytest.raises(jitnet.CompileError, match=r"at least two devices|runs on one device"):
        jitnet.compile(lambda x, y: (x + 1, y + 1))(jitnet.ones(2).cuda(0), jitnet.ones(2).cuda(1))


@pytest.mark.usefixtures("two_gpus")
def test_a_training_step_on_the_second_gpu() -> None:
    model = nn.Linear(2, 1, device="cuda:1")
    optimizer = jitnet.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x = jitnet.ones(4, 2, device="cuda:1")

    @jitnet.compile
    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x).item() for _ in range(4)]
    assert losses[-1] < losses[0]
    assert model.weight.device == OTHER


@pytest.mark.skipif(REAL, reason="counts what simulated GPUs were asked")
def test_each_gpu_does_its_own_work(gpu: Any) -> None:
    first, second = gpu.drivers
    (jitnet.ones(4, device="cuda:1") * 3).tolist()
    assert "launch" not in first.log and "launch" in second.log
