"""deepcopy and pickle of tensors, modules and optimizers: what was shared is shared again."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest

import jitnet
from jitnet import nn


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _sent(value: Any) -> Any:
    """As multiprocessing sends it."""
    return ForkingPickler.loads(bytes(ForkingPickler.dumps(value)))


COPIES = [copy.deepcopy, _pickled, _sent]
each_way = pytest.mark.parametrize("copied", COPIES)


@each_way
@pytest.mark.parametrize("dtype", ["bool", "int16", "bfloat16", "float64"])
def test_values_strides_and_flags(copied: Callable[[Any], Any], dtype: str) -> None:
    x = jitnet.arange(6).reshape(2, 3).to(getattr(jitnet, dtype))
    for one in (x, x.t(), x[1], x[:, ::2], x[0, 0], x[:0], x[:1].expand(2, 3)):
        other = copied(one)
        assert other.tolist() == one.tolist()
        assert other.dtype is one.dtype
        assert other.data_ptr() != one.data_ptr() or not one.numel()
    assert copied(x.t()).stride() == (1, 3)
    assert copied(jitnet.ones(1, requires_grad=True)).requires_grad


@each_way
def test_tensors_over_one_memory_share_it_again(copied: Callable[[Any], Any]) -> None:
    x = jitnet.arange(6.0).reshape(2, 3)
    a, b, c, d = copied([x, x.t(), x.detach(), x])
    assert d is a
    a[0, 1] = 9
    assert b[1, 0].item() == c[0, 1].item() == 9
    assert x[0, 1].item() == 1
    run = jitnet.compile(lambda x, y: (x.add_(1), y.sum())[1])
    assert run(a, b).item() == 15 + 8 + 6


def test_parts_share_memory_in_deepcopies_and_go_alone_in_pickles() -> None:
    x = jitnet.arange(1000.0)
    whole, part = copy.deepcopy((x, x[:3]))
    whole[0] = 5
    assert part[0].item() == 5
    assert len(pickle.dumps(x[:3])) < 1000


def test_gradients_are_deep_copied_but_not_pickled() -> None:
    x = jitnet.ones(2, requires_grad=True)
    (x * x).sum().backward()
    assert copy.deepcopy(x).grad.tolist() == [2.0, 2.0]
    assert _pickled(x).grad is None


def test_results_lose_their_history_in_pickles() -> None:
    y = jitnet.ones(2, requires_grad=True) * 2
    back = _pickled(y)
    assert back.is_leaf
    assert back.requires_grad
    with pytest.raises(RuntimeError, match="only leaves can be deep-copied"):
        copy.deepcopy(y)


def test_hooks_stay_behind() -> None:
    x = jitnet.ones(2, requires_grad=True)
    x.register_hook(lambda gradient: gradient * 100)
    for copied in COPIES:
        other = copied(x)
        other.sum().backward()
        assert other.grad.tolist() == [1.0, 1.0]


def _counts(module: nn.Module, args: Any, result: Any) -> None:
    module.calls = module.calls + 1


@each_way
def test_modules(copied: Callable[[Any], Any]) -> None:
    first = nn.Linear(2, 2)
    net = nn.Sequential(first, nn.Linear(2, 2), nn.BatchNorm1d(2))
    net[1].weight = first.weight
    first.calls = 0
    first.register_forward_hook(_counts)
    other = copied(net)
    x = jitnet.ones(3, 2)
    assert other(x).tolist() == net(x).tolist()
    assert other[0].weight is other[1].weight
    assert other[0].calls == 1
    assert isinstance(other[0].weight, nn.Parameter)
    other[0].weight.data.zero_()
    assert net[0].weight.abs().sum().item() > 0
    assert list(other.state_dict()) == list(net.state_dict())


@each_way
def test_optimizers_go_with_their_modules(copied: Callable[[Any], Any]) -> None:
    net = nn.Linear(2, 2)
    optimizer = jitnet.optim.Adam(net.parameters(), lr=0.1)
    schedule = jitnet.optim.lr_scheduler.StepLR(optimizer, 1)

    def step(net: Any, optimizer: Any, schedule: Any) -> Any:
        optimizer.zero_grad()
        net(jitnet.ones(1, 2)).square().sum().backward()
        optimizer.step()
        schedule.step()
        return net.weight.tolist()

    step(net, optimizer, schedule)
    twin = copied((net, optimizer, schedule))
    assert twin[1].param_groups[0]["params"][0] is twin[0].weight
    assert step(*twin) == step(net, optimizer, schedule)
