"""What cannot be traced says so at the user's line, and leaves everything as it was."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn, optim
from jitnet.compile import compile
from jitnet.errors import CompileError, ShapeError
from jitnet.tensor import Tensor


def fails_at(line: str, function: Callable[..., Any], *args: Any, match: str) -> None:
    """Assert that compiling raises CompileError with the line that contains `line`."""
    source = __file__
    with open(source) as file:
        numbers = [n for n, text in enumerate(file, 1) if line in text and "fails_at" not in text]
    with pytest.raises(CompileError, match=match) as caught:
        compile(function)(*args)
    assert any(f"test_trace_errors.py:{number}" in str(caught.value) for number in numbers), (
        f"{caught.value} does not name one of the lines {numbers}"
    )


VALUES: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda x: x.sum().item(),
    "bool": lambda x: x if x.sum() > 0 else -x,
    "int": lambda x: int(x.sum()),
    "float": lambda x: float(x.sum()),
    "tolist": lambda x: x.tolist(),
    "numpy": lambda x: x.numpy(),
    "index": lambda x: [1, 2, 3][x.sum().long()],
    "format": lambda x: f"{x.sum():.2f}",
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0],
    "iteration over a count": lambda x: list(range(x.sum().int())),
}


@pytest.mark.parametrize("name", VALUES)
def test_python_values_out_of_tensors(name: str) -> None:
    with pytest.raises(CompileError, match=r"test_trace_errors.py:\d+"):
        compile(VALUES[name])(jitnet.ones(3))


def test_the_line_is_the_users() -> None:
    def function(x: Tensor) -> Tensor:
        y = x.sum()
        if y > 3:  # the line
            return x
        return -x

    fails_at("# the line", function, jitnet.ones(3), match="not known while tracing")


def test_printing_a_traced_tensor_is_possible(capsys: pytest.CaptureFixture[str]) -> None:
    def function(x: Tensor) -> Tensor:
        print(x + 1)
        return x

    compile(function)(jitnet.ones(3))
    assert "f32[3]" in capsys.readouterr().out


def snapshot(model: nn.Module, optimizer: Any) -> list[Any]:
    values: list[Any] = [p.detach().numpy().copy() for p in model.state_dict().values()]
    values += [None if p.grad is None else p.grad.numpy().copy() for p in model.parameters()]
    values += [p.grad for p in model.parameters()]
    values += [p.requires_grad for p in model.parameters()]
    values += [p._version for p in model.parameters()]
    values.append(sorted(len(entry) for entry in optimizer.state.values()))
    values.append(model.training)
    values.append(jitnet.get_rng_state().numpy().copy())
    return values


@pytest.mark.parametrize("with_history", [False, True])
def test_an_exception_leaves_everything_as_it_was(with_history: bool) -> None:
    jitnet.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    optimizer = optim.Adam(model.parameters())
    extra = types.SimpleNamespace(items=[1], k=1)
    fail = False

    def step(x: Tensor) -> Tensor:
        model.train()
        optimizer.zero_grad()
        loss = model(x).pow(2).sum()
        loss.backward()
        optimizer.step()
        if fail:
            model[0].weight.requires_grad_(False)
            model.eval()
            model.note = loss
            extra.items.append(loss)
            extra.k = 2
            del extra.k
            x.add_(1)
            raise KeyError("boom")
        return loss

    compiled = compile(step)
    if with_history:
        compiled(jitnet.ones(5, 3))
    before = snapshot(model, optimizer)
    fail = True
    x = jitnet.ones(5, 3)
    with pytest.raises(KeyError, match="boom"):
        compiled(x)
    after = snapshot(model, optimizer)
    for a, b in zip(before, after, strict=True):
        if isinstance(a, Tensor) or a is None:
            assert a is b
        else:
            np.testing.assert_array_equal(a, b)
    assert not hasattr(model, "note")
    assert extra.items == [1] and extra.k == 1
    assert (x.numpy() == 1).all() and x._version == 0
    assert jitnet.is_grad_enabled()
    fail = False
    compiled(jitnet.ones(5, 3))


def test_eager_errors_come_through() -> None:
    with pytest.raises(ShapeError, match=r"test_trace_errors.py:\d+"):
        compile(lambda x, y: x + y)(jitnet.ones(2), jitnet.ones(3))
    with pytest.raises(TypeError):
        compile(lambda x: x)()
    with pytest.raises(RuntimeError, match="leaf"):
        compile(lambda x: x.add_(1))(jitnet.ones(2).requires_grad_())


def test_refused_step_leaves_the_optimizer_without_state() -> None:
    """What the trace made for the optimizer goes, also where the trace itself came to its end."""
    model, losses = nn.Linear(2, 1), set()
    optimizer = optim.Adam(model.parameters())

    def step(x: Tensor) -> None:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        losses.add(0)

    with pytest.raises(CompileError, match="changes losses"):
        compile(step)(jitnet.ones(3, 2))
    assert not losses and not optimizer.state


GENERATOR, LEGACY = np.random.default_rng(0), np.random.RandomState(0)

DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "np.random": lambda x: x * np.random.rand(),
    "GENERATOR": lambda x: x * GENERATOR.normal(),
    "LEGACY": lambda x: x * float(LEGACY.permutation(9)[0]),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_of_numpy_are_refused(name: str) -> None:
    """The generator goes on as if nothing had been drawn."""
    x = jitnet.ones(1)
    np.random.seed(0)
    before = np.random.get_state()[2], GENERATOR.bit_generator.state, LEGACY.get_state()[2]
    with pytest.raises(CompileError, match=f"draws from {name}"):
        compile(DRAWS[name])(x)
    after = np.random.get_state()[2], GENERATOR.bit_generator.state, LEGACY.get_state()[2]
    assert after == before


_FIRST_TO_ASK = """
import jitnet, numpy
from jitnet.errors import CompileError
use = lambda x: {use} * x
assert "random" not in vars(numpy), "NumPy or jitnet loads it: test another way"
for _ in range(2):
    try:
        jitnet.compile(use)(jitnet.ones(3))
    except CompileError as error:
        print("draws from np.random" in str(error))
    else:
        print("fine")
"""


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("numpy.random.rand()", "True"),
        ("getattr(numpy, 'ran' + 'dom'.lower()).rand()", "True"),
        ("getattr(numpy, 'ran' + 'dom'.lower()).rand(312).sum()", "True"),  # a whole block
        ("(getattr(numpy, 'ran' + 'dom'.lower()).seed(0) or 1)", "True"),
        ("(numpy.random.get_state() and 1)", "fine"),
        ("numpy.random.default_rng(0).random()", "fine"),
    ],
)
def test_draws_are_noticed_if_the_trace_itself_loads_the_generator(use: str, said: str) -> None:
    command = [sys.executable, "-c", _FIRST_TO_ASK.format(use=use)]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.split() == [said, said]


def test_training_flag_may_be_set_inside() -> None:
    model = nn.Dropout(0.5)

    def function(x: Tensor, train: bool) -> Tensor:
        model.train(train)
        return model(x)

    fn = compile(function)
    x = jitnet.ones(50)
    for train in (False, True, False, True, True):
        got = fn(x, train)
        assert model.training is train
        assert bool((got == x).all()) is not train


def test_grad_mode_left_switched_is_refused() -> None:
    def function(x: Tensor) -> Tensor:
        jitnet.set_grad_enabled(False)
        return x

    with pytest.raises(CompileError, match="switched"):
        compile(function)(jitnet.ones(1))
    assert jitnet.is_grad_enabled()


def test_leaked_tensor_has_no_value() -> None:
    box: set[Any] = set()

    def function(x: Tensor) -> Tensor:
        y = x + 1
        box.add(y)
        return y

    with pytest.raises(CompileError, match="keep the value in a tensor"):
        compile(function)(jitnet.ones(1))
    assert box == set()


def test_a_float_by_value_after_an_error_with_tensors() -> None:
    def function(x: Tensor, k: float) -> Tensor:
        return x * float(f"{k:.1f}") * round(k)

    fn = compile(function)
    assert fn(jitnet.ones(1), 2.04).item() == 4
    assert fn(jitnet.ones(1), 3.0).item() == 9


def test_threads_compile_and_run_together() -> None:
    fn = compile(lambda x, n: (x * n).sum())
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for n in range(1, 6):
                x = jitnet.full((seed + 1,), 2.0)
                assert fn(x, n).item() == 2 * n * (seed + 1)
                assert F.relu(x).sum().item() == 2 * (seed + 1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(fn.variants) == 15


def test_values_of_pythons_numbers_are_known() -> None:
    """What no input decides has a value while tracing: item, tolist, int, if, ranges."""

    def function(x: Tensor) -> Tensor:
        lengths = jitnet.tensor([3, 1, 2])
        lengths[0] = 4
        total = int((lengths * jitnet.arange(3)).sum())
        if lengths.max() > 3:
            x = x + lengths.tolist()[0]
        return x * total + float(jitnet.full((2,), 0.5).sum())

    x = jitnet.ones(2)
    assert compile(function)(x).tolist() == function(x).tolist() == [26.0, 26.0]
    fails_at(
        "# the line",
        lambda x: x * int((jitnet.arange(3) * x).sum()),  # the line
        jitnet.ones(3),
        match="int\\(tensor\\) needs a tensor's value",
    )


def test_draws_that_decide_nothing_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = types.ModuleType("sympy.core.random")
    symbols.order = random.Random(0)  # SymPy solves for shapes, and tries rules in any order
    monkeypatch.setitem(sys.modules, symbols.__name__, symbols)

    def halved(x: jitnet.Tensor, source: random.Random) -> jitnet.Tensor:
        source.shuffle([1, 2, 3])
        return x / 2

    assert jitnet.compile(lambda x: halved(x, symbols.order))(jitnet.ones(())).item() == 0.5

    def noted(x: jitnet.Tensor) -> jitnet.Tensor:
        with tempfile.NamedTemporaryFile():  # its name is drawn
            return x / 2

    assert jitnet.compile(noted)(jitnet.ones(())).item() == 0.5
    mine = random.Random(0)
    with pytest.raises(CompileError, match="one and the same number in every call"):
        jitnet.compile(lambda x: halved(x, mine))(jitnet.ones(()))
