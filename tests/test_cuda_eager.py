"""Tensors on a GPU, one op after another: what they are, copies, views, gradients, errors."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor, nn
from jitnet.nn import functional as F
from jitnet.runtime.dtype import DTYPES, DType

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]


def close(found: Tensor, wanted: Tensor) -> None:
    """Assert that a tensor on the GPU is like one on the CPU."""
    assert found.device == jitnet.device("cuda:0")
    assert found.dtype is wanted.dtype
    jitnet.testing.assert_close(found.cpu(), wanted)


def sample(*shape: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return jitnet.from_numpy(rng.standard_normal(shape).astype(np.float32))


# -- where tensors are --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.short)
def test_there_and_back(dtype: DType) -> None:
    x = (sample(3, 4) * 5).abs().to(dtype)
    there = x.to("cuda")
    assert (there.device.type, there.is_cuda, there.is_cpu) == ("cuda", True, False)
    assert there.get_device() == 0
    assert there.dtype is dtype and there.shape == x.shape
    assert there.cpu().tolist() == x.tolist()
    assert there.tolist() == x.tolist()


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (2, 3, 4)])
def test_shapes(shape: tuple[int, ...]) -> None:
    x = sample(*shape)
    close(x.cuda(), x)
    close(x.cuda() + 1, x + 1)


def test_what_is_there_already_stays() -> None:
    x = sample(3).cuda()
    assert x.cuda() is x
    assert x.to("cuda:0") is x
    assert x.to(x.device, jitnet.float32) is x
    assert x.to("cuda", copy=True) is not x
    close(x.to("cpu", jitnet.float64).cuda(), sample(3).double())


def test_tensors_are_made_there() -> None:
    close(jitnet.zeros(2, 3, device="cuda"), jitnet.zeros(2, 3))
    close(jitnet.ones(2, 3, device="cuda:0"), jitnet.ones(2, 3))
    close(jitnet.full((2,), 2.5, device="cuda"), jitnet.full((2,), 2.5))
    close(jitnet.full((2,), -0.0, device="cuda"), jitnet.full((2,), -0.0))
    close(jitnet.tensor([1, 2], device="cuda"), jitnet.tensor([1, 2]))
    close(jitnet.arange(5, device="cuda"), jitnet.arange(5))
    close(jitnet.linspace(0, 1, 5, device="cuda"), jitnet.linspace(0, 1, 5))
    close(jitnet.eye(3, device="cuda"), jitnet.eye(3))
    x = sample(2, 2).cuda()
    close(jitnet.zeros_like(x), jitnet.zeros(2, 2))
    close(x.new_ones(3), jitnet.ones(3))
    close(jitnet.tensor(x), x.cpu())
    assert jitnet.ones_like(x, device="cpu").device == jitnet.device("cpu")


def test_printing() -> None:
    assert repr(jitnet.ones(2, device="cuda")) == "tensor([1., 1.], device='cuda:0')"
    assert f"{jitnet.tensor(1.5, device='cuda'):.2f}" == "1.50"


def test_numbers_are_read() -> None:
    x = jitnet.tensor(3, device="cuda")
    assert (x.item(), int(x), float(x), bool(x)) == (3, 3, 3.0, True)
    assert [10, 20, 30, 40][x] == 40


# -- ops ----------------------------------------------------------------------------------------

OPS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "numbers": lambda x, y: 2 - x * 0.5 + y / 3,
    "zero_dims": lambda x, y: x * jitnet.tensor(2.0) + y.sum(),
    "compare": lambda x, y: x > y,
    "where": lambda x, y: jitnet.where(x > 0, x, y),
    "broadcast": lambda x, y: x[:, :1] + y[0],
    "matmul": lambda x, y: x @ y.t(),
    "views": lambda x, y: x.t()[1:].reshape(-1) + y.permute(1, 0)[:-1].flatten(),
    "steps": lambda x, y: x[::2, 1::2] - y.flip(0)[::2, ::2][:, : x[::2, 1::2].shape[1]],
    "expand": lambda x, y: x[0].expand(3, -1).contiguous() + y[:3],
    "rows": lambda x, y: F.softmax(x, -1) + F.layer_norm(y, (y.shape[-1],)),
    "sums": lambda x, y: x.sum(0) + y.mean(0) + x.var(0),
    "argmax": lambda x, y: x.argmax(1) + y.argmin(1),
    "cat": lambda x, y: jitnet.cat([x, y], 1),
    "stack": lambda x, y: jitnet.stack([x, y], 1),
    "pad": lambda x, y: F.pad(x, (1, 2)) - F.pad(y, (2, 1)),
    "index": lambda x, y: x[jitnet.tensor([2, 0, 2], device=x.device)] * y[[0, 1, -1]],
    "gather": lambda x, y: x.gather(1, y.argsort(1)),
    "cumsum": lambda x, y: x.cumsum(1) + y.cumsum(0),
    "triangles": lambda x, y: x.tril() + y.triu(),
    "one_hot": lambda x, y: F.one_hot(x.argmax(1), x.shape[1]),
    "half": lambda x, y: (x.half() * y.half()).float() + x.bfloat16().float(),
    "int": lambda x, y: (x * 10).int() // 3 + (y * 10).long() % 4,
    "complex": lambda x, y: jitnet.complex(x, y).abs(),
    "conv": lambda x, y: F.conv1d(
        x[None], y[None, :2, :3].reshape(1, 1, 6)[:, :, :3].repeat(1, x.shape[0], 1)
    ),
    "embedding": lambda x, y: F.embedding(x.argmax(1) % 4, y),
    "erf": lambda x, y: F.gelu(x) + y.erf() + y.sigmoid(),
}


@pytest.mark.parametrize("name", OPS)
def test_ops(name: str) -> None:
    x, y = sample(4, 5), sample(4, 5, seed=1)
    close(OPS[name](x.cuda(), y.cuda()), OPS[name](x, y))


def test_an_op_is_compiled_once(gpu: Any) -> None:
    x = sample(4, 5).cuda()
    first = x + 1
    builds = gpu.drivers[0].log.count("build") if hasattr(gpu, "drivers") else 0
    second = x + 2
    if hasattr(gpu, "drivers"):
        assert gpu.drivers[0].log.count("build") == builds
    close(second - first, jitnet.ones(4, 5))


def test_views_share_memory() -> None:
    x = jitnet.zeros(3, 4, device="cuda")
    x.t()[1] = 5
    x[2, ::2] += 1
    x.view(2, 6)[0].mul_(2)
    wanted = jitnet.zeros(3, 4)
    wanted.t()[1] = 5
    wanted[2, ::2] += 1
    wanted.view(2, 6)[0].mul_(2)
    close(x, wanted)
    assert x[1].storage_offset() == 4
    assert x[1].data_ptr() == x.data_ptr() + 16


def test_writes_that_overlap_what_they_read() -> None:
    x, y = sample(6).cuda(), sample(6)
    x[1:] = x[:-1]
    y[1:] = y[:-1].clone()
    close(x, y)


def test_copies_between_devices() -> None:
    x, there = sample(3, 4), jitnet.zeros(3, 4, device="cuda")
    there.copy_(x)
    close(there, x)
    here = jitnet.zeros(4, 3)
    here.t().copy_(there)
    assert here.t().tolist() == x.tolist()
    there[1] = 7
    there[0].copy_(jitnet.arange(4))
    close(there[:2], jitnet.tensor([[0.0, 1, 2, 3], [7, 7, 7, 7]]))


# -- gradients ----------------------------------------------------------------------------------


def test_gradients_flow_between_devices() -> None:
    x = sample(3, 4).requires_grad_()
    there = (x * 2).cuda()
    (there * there).sum().cpu().backward()
    assert x.grad.device.type == "cpu"
    jitnet.testing.assert_close(x.grad, 8 * x.detach())


def network() -> nn.Module:
    jitnet.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.LayerNorm(7), nn.Linear(7, 3))


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": lambda p: jitnet.optim.SGD(p, 0.1, momentum=0.9),
    "adam": lambda p: jitnet.optim.AdamW(p, 0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training(name: str) -> None:
    x, y = sample(6, 5), jitnet.tensor([0, 1, 2, 0, 1, 2])
    found = []
    for device in ("cpu", "cuda"):
        model = network().to(device)
        assert {p.device.type for p in model.parameters()} == {device}
        optimizer = OPTIMIZERS[name](model.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
        found.append([loss.detach(), *(p.detach() for p in model.parameters())])
    for here, there in zip(*found, strict=True):
        close(there, here)


def test_mixed_precision() -> None:
    model = network().cuda()
    optimizer = jitnet.optim.SGD(model.parameters(), 0.1)
    scaler = jitnet.amp.GradScaler("cuda", init_scale=8.0)
    assert scaler.is_enabled()
    with jitnet.autocast("cuda"):
        assert model[0](sample(2, 5).cuda()).dtype is jitnet.float16
        loss = F.cross_entropy(model(sample(2, 5).cuda()), jitnet.tensor([0, 1], device="cuda"))
    before = model[0].weight.detach().clone()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert not jitnet.equal(before.cpu(), model[0].weight.detach().cpu())


# -- random numbers -----------------------------------------------------------------------------


def test_random_numbers_are_those_of_the_cpu() -> None:
    jitnet.manual_seed(5)
    here = [jitnet.rand(3, 4), jitnet.randn(5), jitnet.randint(0, 9, (4,)), jitnet.randperm(5)]
    jitnet.manual_seed(5)
    there = [
        jitnet.rand(3, 4, device="cuda"),
        jitnet.randn(5, device="cuda"),
        jitnet.randint(0, 9, (4,), device="cuda"),
        jitnet.randperm(5, device="cuda"),
    ]
    for a, b in zip(there, here, strict=True):
        close(a, b)
    jitnet.manual_seed(6)
    x = jitnet.zeros(3, device="cuda").normal_()
    jitnet.manual_seed(6)
    close(x, jitnet.zeros(3).normal_())
    assert F.dropout(jitnet.ones(50, device="cuda")).sum().item() != 50


def test_a_generator_on_a_gpu() -> None:
    source = jitnet.Generator(device="cuda").manual_seed(4)
    assert source.device.type == "cuda" and source.initial_seed() == 4
    first = jitnet.rand(3, device="cuda", generator=source)
    state = source.get_state()
    assert state.device.type == "cpu"
    second = jitnet.rand(3, device="cuda", generator=source)
    source.set_state(state)
    close(jitnet.rand(3, device="cuda", generator=source), second.cpu())
    assert first.tolist() != second.tolist()
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator"):
        jitnet.rand(3, generator=source)


# -- errors -------------------------------------------------------------------------------------


def test_two_devices_do_not_mix() -> None:
    here, there = sample(3), sample(3).cuda()
    message = "same device, but found at least two devices, cuda:0 and cpu!"
    for function in (lambda: here + there, lambda: there * here, lambda: jitnet.cat([there, here])):
        with pytest.raises(RuntimeError, match=message):
            function()


def test_numpy_reads_no_gpu() -> None:
    x = sample(3).cuda()
    message = "can't convert cuda:0 device type tensor to numpy"
    with pytest.raises(TypeError, match=message):
        x.numpy()
    with pytest.raises(TypeError, match=message):
        np.asarray(x)
    assert (x.cpu().numpy() == sample(3).numpy()).all()


def test_what_has_no_kernel_says_so() -> None:
    with pytest.raises(RuntimeError, match=r"linalg\.qr has no CUDA kernel"):
        jitnet.linalg.qr(sample(3, 3).cuda())


def test_wrong_places_are_found_when_somebody_waits() -> None:
    x = sample(3).cuda()
    taken = x.gather(0, jitnet.tensor([0, 5], device="cuda"))
    with pytest.raises(IndexError, match="out of range"):
        taken.cpu()
    close(x + 1, sample(3) + 1)  # it was raised once


def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(RuntimeError, match="invalid device ordinal: cuda:7"):
        jitnet.zeros(3, device="cuda:7")


# -- copies that last ---------------------------------------------------------------------------


def test_saved_tensors_come_back_where_they_were() -> None:
    x = sample(3, 4).cuda()
    file = io.BytesIO()
    jitnet.save({"x": x, "row": x[1], "here": sample(2)}, file)
    blob = file.getvalue()
    found = jitnet.load(io.BytesIO(blob))
    close(found["x"], sample(3, 4))
    assert found["here"].device.type == "cpu"
    found["row"].zero_()
    assert found["x"][1].tolist() == [0, 0, 0, 0], "they share memory as before"
    here = jitnet.load(io.BytesIO(blob), map_location="cpu")
    assert here["x"].tolist() == sample(3, 4).tolist()
    there = jitnet.load(io.BytesIO(blob), map_location="cuda")
    close(there["here"], sample(2))


def test_copies_and_pickles() -> None:
    model = network().cuda()
    twin = copy.deepcopy(model)
    unpickled = pickle.loads(pickle.dumps(model.state_dict()))
    with jitnet.no_grad():
        for p in model.parameters():
            p.zero_()
    for name, value in network().state_dict().items():
        close(twin.state_dict()[name], value)
        close(unpickled[name], value)


def test_state_dicts_load_across_devices() -> None:
    model = network().cuda()
    other = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.LayerNorm(7), nn.Linear(7, 3))
    other.load_state_dict(model.state_dict())
    assert {p.device.type for p in other.parameters()} == {"cpu"}
    model.load_state_dict(other.state_dict())
    close(model[0].weight.detach(), network()[0].weight.detach())
