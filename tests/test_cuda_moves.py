"""Compiled functions that move tensors: inputs when a call begins, results when it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor, nn
from jitnet.nn import functional as F
from tests.gpu_fixture import REAL

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]
STATE = jitnet.arange(4.0)


def sample(*shape: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return jitnet.from_numpy(rng.standard_normal(shape).astype(np.float32))


MOVING: dict[str, Callable[[Tensor], Any]] = {
    "there": lambda x: x.cuda() * 2,
    "there_and_back": lambda x: (x.cuda() * 2).cpu(),
    "only_there": lambda x: x.to("cuda"),
    "only_back": lambda x: (x.cuda() + 1).to("cpu"),
    "both": lambda x: ((x.cuda() * 2).cpu(), x.cuda() + 1),
    "view": lambda x: x.t().cuda()[1:] + 1,
    "before": lambda x: (x * 3).cuda() - 1,
    "after": lambda x: (x.cuda() * 3).cpu() - 1,
    "state": lambda x: x.cuda() + STATE.cuda(),
    "dtype": lambda x: x.to("cuda", jitnet.float64).sum(),
    "number": lambda x: x.cuda() * jitnet.tensor(2.0).cuda(),
    "mask": lambda x: jitnet.where(x.cuda() > 0, x.cuda(), 0.0),
    "the_argument_too": lambda x: (x, x.cuda()),
}


@pytest.mark.parametrize("name", MOVING)
def test_as_eager(name: str) -> None:
    fn = MOVING[name]
    compiled = jitnet.compile(fn)
    for seed in range(3):
        x = sample(3, 4, seed=seed)
        found, wanted = (jitnet.tree.flatten(each(x))[0] for each in (compiled, fn))
        for got, want in zip(found, wanted, strict=True):
            assert got.device == want.device
            jitnet.testing.assert_close(got.cpu(), want.cpu())
    assert len(compiled.variants) == 1


@pytest.mark.parametrize("cut", [np.s_[:, 1:3], np.s_[::2], np.s_[:, 0]], ids=str)
def test_arguments_that_are_not_contiguous(cut: Any) -> None:
    compiled = jitnet.compile(lambda x: x.cuda() * 2)
    for seed in range(2):
        x = sample(4, 5, seed=seed)[cut]
        jitnet.testing.assert_close(compiled(x).cpu(), x * 2)
        jitnet.testing.assert_close(compiled(x.clone()).cpu(), x * 2)


def test_a_tensor_that_is_there_stays() -> None:
    compiled = jitnet.compile(lambda x: x.to("cuda") + 1)
    x = sample(3)
    for given in (x, x.cuda(), x, x.cuda()):
        jitnet.testing.assert_close(compiled(given).cpu(), x + 1)
    assert len(compiled.variants) == 2


def test_state_of_the_cpu_is_read_anew() -> None:
    held = jitnet.zeros(3)
    compiled = jitnet.compile(lambda x: x + held.cuda())
    x = sample(3).cuda()
    for _ in range(3):
        held += 1
        jitnet.testing.assert_close(compiled(x).cpu(), x.cpu() + held)


def test_a_training_step_that_moves_its_batch() -> None:
    losses: dict[str, list[float]] = {}
    for device in ("cpu", "cuda"):
        jitnet.manual_seed(0)
        model = nn.Linear(4, 2).to(device)
        optimizer = jitnet.optim.SGD(model.parameters(), lr=0.5)

        @jitnet.compile
        def step(x: Tensor, y: Tensor) -> Tensor:
            x, y = x.to(device), y.to(device, non_blocking=True)  # noqa: B023
            optimizer.zero_grad()  # noqa: B023
            loss = F.cross_entropy(model(x), y)  # noqa: B023
            loss.backward()
            optimizer.step()  # noqa: B023
            return loss.detach().cpu()

        y = jitnet.tensor([0, 1, 1, 0])
        losses[device] = [step(sample(4, 4, seed=seed), y).item() for seed in range(6)]
        assert len(step.variants) == 1
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=1e-4)


def test_checks_of_data_are_raised_when_a_result_comes_back() -> None:
    compiled = jitnet.compile(lambda x, i: x.cuda()[i.cuda()].cpu())
    x = sample(3)
    assert compiled(x, jitnet.tensor([0, 2])).tolist() == x[[0, 2]].tolist()
    with pytest.raises(IndexError, match="index"):
        compiled(x, jitnet.tensor([0, 7]))


def test_refusals() -> None:
    x = sample(3)
    with pytest.raises(jitnet.CompileError, match=r"with its history.*test_cuda_moves\.py"):
        jitnet.compile(lambda w: (w.cuda() * 2).sum())(x.clone().requires_grad_())
    with pytest.raises(jitnet.CompileError, match="writes into x, a tensor on the CPU"):
        jitnet.compile(lambda x: x.copy_(x.cuda().cpu() * 2))(x)
    with pytest.raises(RuntimeError, match="at least two devices"):
        jitnet.compile(lambda x: x.cuda() + x)(x)


def test_work_is_done_where_tensors_were_moved_to(gpu: Any) -> None:
    compiled = jitnet.compile(lambda x: (x.cuda() * 2).cpu())
    compiled(sample(3))
    if not REAL:
        assert "launch" in gpu.drivers[0].log
