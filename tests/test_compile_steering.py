"""Small state whose values steer Python: read when a call begins, and guarded."""

from __future__ import annotations

import warnings

import pytest

import jitnet as jn
from jitnet import nn
from jitnet.errors import CompileError


class Centred(nn.Module):
    """Learns its shift from the first batch that it sees, as flows and codebooks do."""

    def __init__(self, flag: jn.Tensor) -> None:
        super().__init__()
        self.shift = nn.Parameter(jn.zeros(3))
        self.register_buffer("seen", flag)

    def forward(self, x: jn.Tensor) -> jn.Tensor:
        if not self.seen:
            self.shift.data.copy_(-x.mean(0))
            self.seen.fill_(1)
        return x + self.shift


FLAGS = [jn.tensor(False), jn.tensor([0], dtype=jn.uint8), jn.tensor(0.0), jn.zeros(1, 1)]


@pytest.mark.parametrize("flag", FLAGS, ids=str)
def test_the_first_call_takes_another_way_than_all_others(flag: jn.Tensor) -> None:
    module, x = Centred(flag.clone()), jn.randn(5, 3)
    compiled = jn.compile(module)
    assert jn.allclose(compiled(x).mean(0), jn.zeros(3), atol=1e-6)
    assert bool(module.seen)
    for _ in range(3):
        assert jn.allclose(compiled(x + 1).mean(0), jn.ones(3), atol=1e-6)
    module.seen.zero_()
    assert jn.allclose(compiled(x + 2).mean(0), jn.zeros(3), atol=1e-6)


def test_the_flag_may_be_another_tensor_after_the_first_call() -> None:
    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("done", jn.tensor(0.0))

        def forward(self, x: jn.Tensor) -> jn.Tensor:
            if not self.done > 0:
                self.done = jn.tensor(1.0)
                return -x
            return x

    module = Once()
    compiled = jn.compile(module)
    assert [compiled(jn.ones(())).item() for _ in range(3)] == [-1, 1, 1]
    module.done = jn.tensor(0.0)
    assert [compiled(jn.ones(())).item() for _ in range(2)] == [-1, 1]


def test_only_what_is_asked_of_a_counter_makes_another_variant() -> None:
    steps = jn.zeros((), dtype=jn.int64)

    @jn.compile
    def step(x: jn.Tensor) -> jn.Tensor:
        steps.add_(1)
        return x * 10 if steps % 4 == 0 else x

    got = [step(jn.ones(1)).item() for _ in range(9)]
    assert got == [1, 1, 1, 10, 1, 1, 1, 10, 1]
    assert len(step.variants) == 2
    assert "steps" in step.variants[1].reason


def test_whole_numbers_have_their_values() -> None:
    sizes = jn.tensor([2, 1])

    @jn.compile
    def parts(x: jn.Tensor) -> list[jn.Tensor]:
        return list(x.split(sizes.tolist()))

    assert [part.tolist() for part in parts(jn.arange(3))] == [[0, 1], [2]]
    sizes.copy_(jn.tensor([1, 2]))
    assert [part.tolist() for part in parts(jn.arange(3))] == [[0], [1, 2]]


def test_a_value_is_what_the_function_made_of_it_so_far() -> None:
    flag = jn.tensor(False)

    @jn.compile
    def twice(x: jn.Tensor) -> jn.Tensor:
        first = x if flag else -x
        flag.logical_not_()
        return first + (10 if flag else 20)

    assert [twice(jn.ones(())).item() for _ in range(3)] == [9, 21, 9]


def test_a_random_choice_is_made_in_each_call() -> None:
    def flipped(x: jn.Tensor) -> jn.Tensor:
        return x.flip(0) if jn.rand(1) < 0.5 else x

    x = jn.arange(3.0)
    compiled = jn.compile(flipped)
    jn.manual_seed(3)
    expected = [flipped(x).tolist() for _ in range(8)]
    jn.manual_seed(3)
    assert [compiled(x).tolist() for _ in range(8)] == expected
    assert len({tuple(row) for row in expected}) == len(compiled.variants) == 2


def test_training_goes_through_both_ways() -> None:
    def losses(wrap) -> list[float]:
        jn.manual_seed(0)
        module = Centred(jn.tensor(False))
        optimizer = jn.optim.SGD(module.parameters(), 0.1)

        def step(x: jn.Tensor) -> jn.Tensor:
            optimizer.zero_grad()
            loss = module(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss.detach()

        run = wrap(step)
        return [run(jn.ones(4, 3) * number).item() for number in range(4)]

    assert losses(jn.compile) == pytest.approx(losses(lambda step: step))


WEIGHT = nn.Parameter(jn.ones(2))
LARGE = jn.zeros(1000)


@pytest.mark.parametrize(
    "asks",
    [
        lambda x: x.sum() > 0,
        lambda x: (WEIGHT * x).sum() > 0,
        lambda x: WEIGHT.sum().item() > 0,
        lambda x: LARGE.any(),
    ],
    ids=["an argument", "an argument and state", "a float", "large state"],
)
def test_what_only_the_call_knows_is_refused(asks) -> None:
    with pytest.raises(CompileError, match="not known while tracing"):
        jn.compile(lambda x: x if asks(x) else -x)(jn.ones(2))


def test_a_value_that_differs_in_each_call_is_named() -> None:
    steps = jn.zeros((), dtype=jn.int64)

    def step(x: jn.Tensor) -> jn.Tensor:
        steps.add_(1)
        return x * int(steps)

    compiled = jn.compile(step, limit=2)
    with pytest.warns(UserWarning, match="what is read of steps"):
        assert [compiled(jn.ones(())).item() for _ in range(4)] == [1, 2, 3, 4]
    with warnings.catch_warnings(action="error"):
        compiled(jn.ones(()))


def off_diagonal(x: jn.Tensor) -> jn.Tensor:
    count = x.shape[0]
    return x[~jn.eye(count, dtype=jn.bool)].view(count, count - 1)


def of_one_class(x: jn.Tensor) -> jn.Tensor:
    labels = jn.cat([jn.arange(x.shape[0] // 2) for _ in range(2)])
    same = labels.unsqueeze(0) == labels.unsqueeze(1)
    return x.masked_select(same.triu(1))


def without_some(x: jn.Tensor) -> jn.Tensor:
    y = x * 2
    y[jn.arange(x.shape[0]) % 2 == 0] = 0
    return y[(jn.arange(x.shape[0]) > 0).nonzero().squeeze(1)]


def repeated(x: jn.Tensor) -> jn.Tensor:
    counts = jn.tensor([1, 0, 2, 1])
    return x.repeat_interleave(counts, dim=0) * nn.functional.one_hot(jn.arange(4))


@pytest.mark.parametrize("function", [off_diagonal, of_one_class, without_some, repeated])
def test_shapes_may_come_from_what_is_known(function) -> None:
    x = jn.randn(4, 4, requires_grad=True)
    function(x).square().sum().backward()
    expected, x.grad = x.grad, None
    compiled = jn.compile(function)
    assert jn.equal(compiled(x), function(x))
    compiled(x).square().sum().backward()
    assert jn.allclose(x.grad, expected)


def test_a_kept_mask_may_change() -> None:
    kept = jn.tensor([True, False, True])
    chosen = jn.compile(lambda x: x[kept])
    assert chosen(jn.arange(3)).tolist() == [0, 2]
    kept.logical_not_()
    assert chosen(jn.arange(3)).tolist() == [1]
