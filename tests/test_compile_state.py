"""Python state that compiled functions change: counts, lists, dicts, flags, as eager code does."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn, optim
from jitnet.compile import compile
from jitnet.errors import CompileError
from jitnet.runtime import layout, routine
from jitnet.tensor import Tensor

STEPS = 0


@pytest.fixture(params=["native", "python"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry out calls one way or the other."""
    if request.param == "python":
        monkeypatch.setattr(routine, "LAYOUT_KNOWN", False)
    elif not layout.LAYOUT_KNOWN:
        pytest.skip("this Python lays objects out in a way that is not known")


def plain(value: Any) -> Any:
    """Return a nested value with its tensors as lists."""
    if isinstance(value, Tensor):
        return np.round(value.detach().numpy().astype(np.float64), 4).tolist()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def state_of(thing: Any) -> Any:
    """Return the attributes that a test's class sets."""
    hidden = ("_parameters", "_modules", "_jitnet_methods")
    return {key: plain(value) for key, value in vars(thing).items() if key not in hidden}


def same_as_eager(thing: Any, inputs: list[Tensor], variants: int) -> None:
    """Assert that calls compute and leave behind what they do eagerly, with few variants."""
    eager = copy.deepcopy(thing)
    compiled = compile(lambda x: thing(x))
    for x in inputs:
        assert plain(compiled(x)) == plain(eager(x))
        assert state_of(thing) == state_of(eager)
    assert len(compiled.variants) <= variants


class Noting(nn.Module):
    """Notes a count, a flag, a size, lists and dicts of what it computed, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.steps = 0
        self.is_ready = False
        self.rows: int | None = None
        self.outputs: list[Any] = []
        self.parts: Any = None
        self.last: dict[str, Any] = {}
        self.register_buffer("average", jitnet.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        if not self.is_ready:
            self.is_ready = True
        y = self.layer(x)
        self.rows = x.shape[0]
        self.outputs.append(y.detach())
        self.last["output"], self.last["word"] = y.detach(), "done"
        self.parts = [y.detach() * 2, {"count": self.steps + 10, "kept": (y.detach(), None)}]
        self.average = self.average * 0.5 + y.detach().mean(0)
        return y


def test_what_a_module_notes() -> None:
    same_as_eager(Noting(), [jitnet.randn(n, 2) for n in (3, 3, 3, 2, 2, 3, 3, 3)], variants=6)


class Counting:
    """Counts its calls, in a formula and in an `if`; a temperature falls."""

    def __init__(self) -> None:
        self.calls, self.past = 0, {"calls": 5, "last": [0]}
        self.heat = 1.0

    def __call__(self, x: Tensor) -> Any:
        self.calls += 1
        self.past["calls"] = self.past["calls"] * 2 % 7 - 1
        self.past["last"][0] += self.calls
        self.heat *= 0.5
        y = x * 0.9**self.calls + (1 - 0.1 * self.heat) / self.calls
        return (y * 2 if self.calls % 3 == 0 else y), self.calls, self.calls > 4


def test_counts_and_floats_do_not_compile_anew() -> None:
    same_as_eager(Counting(), [jitnet.randn(4) for _ in range(12)], variants=4)


def test_globals_and_names_that_are_closed_over() -> None:
    total, count = jitnet.zeros(2), 0

    def function(x: Tensor) -> Tensor:
        global STEPS
        nonlocal count
        STEPS += 1
        count += 2
        return x + STEPS + count + total

    before, compiled = STEPS, compile(function)
    for number in range(1, 5):
        wanted = jitnet.ones(2) + before + number + 2 * number
        assert compiled(jitnet.ones(2)).equal(wanted)
    assert before + 4 == STEPS and count == 8 and len(compiled.variants) == 1
    count = 100  # set outside: seen
    assert compiled(jitnet.zeros(1, 2))[0, 0] == before + 5 + 102


def test_a_count_that_is_used_by_value_is_refused_with_its_line() -> None:
    class Sized:
        size = 0

        def __call__(self, x: Tensor) -> Tensor:
            self.size = getattr(self, "size", 0) + 1
            return x.new_zeros(self.size)

    sized = Sized()
    sized.size = 1
    with pytest.raises(CompileError, match=r"size \(was 1\) .* test_compile_state.py:\d+: each"):
        compile(sized)(jitnet.ones(1))
    assert sized.size == 1


def test_a_count_that_stops_may_be_used() -> None:
    class Warming:
        def __init__(self) -> None:
            self.size = 1

        def __call__(self, x: Tensor) -> Tensor:
            if self.size < 3:
                self.size = 3
            return x.new_ones(self.size)

    same_as_eager(Warming(), [jitnet.ones(1)] * 4, variants=2)


def test_lists_that_are_appended_to() -> None:
    losses: list[Any] = []

    def step(x: Tensor) -> Tensor:
        loss = x.sum()
        losses.append(loss)
        losses.extend([(loss * 2, "twice")])
        return loss

    compiled = compile(step)
    for number in range(4):
        assert compiled(jitnet.ones(2) * number) is losses[-2]
    assert plain(losses[::2]) == [0, 2, 4, 6] and plain(losses[3]) == [4, "twice"]
    first, losses = losses, []  # another list: filled from now on
    compiled(jitnet.ones(2))
    assert len(first) == 8 and plain(losses) == [2, [4, "twice"]] and len(compiled.variants) == 1


def test_a_list_that_is_read_and_grows_is_refused() -> None:
    seen = [jitnet.ones(2)]

    def step(x: Tensor) -> Tensor:
        seen.append(x * 2)
        return sum(seen)

    with pytest.raises(CompileError, match=r"len\(seen\)"):
        compile(step)(jitnet.ones(2))
    assert len(seen) == 1


def test_a_list_that_is_emptied_and_filled() -> None:
    class Layers:
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def __call__(self, x: Tensor) -> Tensor:
            self.seen.clear()
            for factor in (1, 2):
                self.seen.append(x * factor)
            return sum(self.seen)

    same_as_eager(Layers(), [jitnet.ones(2), jitnet.zeros(2), jitnet.ones(2)], variants=2)


def test_state_that_is_carried_on_in_containers() -> None:
    class Carrying:
        def __init__(self) -> None:
            self.cells: Any = [jitnet.zeros(2), {"deep": jitnet.ones(2)}]
            self.table = {"sum": jitnet.zeros(2)}

        def __call__(self, x: Tensor) -> Tensor:
            first, rest = self.cells
            self.cells = [first * 0.5 + x, {"deep": rest["deep"] + first}]
            self.table["sum"] = self.table["sum"] + x
            return self.cells[1]["deep"] * self.table["sum"]

    same_as_eager(Carrying(), [jitnet.randn(2) for _ in range(6)], variants=2)


def test_hooks_fill_dicts() -> None:
    found: dict[str, Tensor] = {}
    counts: defaultdict[str, list[Any]] = defaultdict(list)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Tensor) -> None:
            found[name] = output.detach()
            counts[name].append(output.detach().mean())

        return hook

    for name, layer in model.named_children():
        layer.register_forward_hook(note(name))
    compiled = compile(lambda x: model(x))
    for call in range(1, 5):
        x = jitnet.randn(2, 2)
        compiled(x)
        inner = model[0].weight @ x.T + model[0].bias[:, None]
        np.testing.assert_allclose(found["0"].numpy(), inner.detach().numpy().T, 1e-4, 1e-5)
        assert list(found) == ["0", "1", "2"] and [len(counts[n]) for n in "012"] == [call] * 3
    assert len(compiled.variants) <= 3


def test_caches_are_filled_once() -> None:
    cache: dict[int, Tensor] = {}

    def masked(x: Tensor) -> Tensor:
        size = x.shape[0]
        if size not in cache:
            cache[size] = jitnet.ones(size, size).tril()
        return cache[size] @ x

    compiled = compile(masked)
    for size in (2, 2, 3, 2, 3):
        assert compiled(jitnet.ones(size)).tolist() == list(range(1, size + 1))
    kept = cache[2]
    compiled(jitnet.ones(2))
    assert sorted(cache) == [2, 3] and cache[2] is kept


def test_entries_that_go_away() -> None:
    box = {"a": jitnet.ones(1), "b": jitnet.zeros(1)}

    def take(x: Tensor) -> Tensor:
        return x + 1 if box.pop("a", None) is None else x

    compiled = compile(take)
    assert [compiled(jitnet.zeros(1)).item() for _ in range(3)] == [0, 1, 1]
    assert list(box) == ["b"]


def test_what_is_made_inside_is_not_kept() -> None:
    class Lazy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner: Any = None

        def forward(self, x: Tensor) -> Tensor:
            if self.inner is None:
                self.inner = [object()]
            return x

    lazy = Lazy()
    with pytest.raises(CompileError, match=r"inner .*no objects that it makes"):
        compile(lazy)(jitnet.ones(1))
    assert lazy.inner is None


class Counted(optim.Optimizer):
    """Adam's first moment, with its count of steps as a whole number, as many write it."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "rounds": 0})

    @jitnet.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            group["rounds"] += 1
            for param in group["params"]:
                state = self.state[param]
                if len(state) == 0:
                    state["step"], state["mean"] = 0, jitnet.zeros_like(param)
                state["step"] += 1
                state["mean"].mul_(0.9).add_(param.grad, alpha=0.1)
                mean = state["mean"] / (1 - 0.9 ** state["step"])
                param.add_(mean, alpha=-group["lr"])


def test_optimizers_that_count_with_pythons_numbers() -> None:
    def train(how: Callable[[Any], Any]) -> Any:
        jitnet.manual_seed(0)
        model = nn.Linear(2, 1)
        optimizer = Counted(model.parameters())

        def step(x: Tensor) -> Tensor:
            optimizer.zero_grad()
            loss = model(x).pow(2).sum()
            loss.backward()
            optimizer.step()
            return loss

        run = how(step)
        losses = [run(jitnet.ones(1, 2) * n).item() for n in range(6)]
        steps = [state["step"] for state in optimizer.state.values()]
        return losses, steps, optimizer.param_groups[0]["rounds"], run

    losses, steps, rounds, run = train(compile)
    wanted = train(lambda step: step)
    np.testing.assert_allclose(losses, wanted[0], 1e-4, 1e-6)
    assert (steps, rounds) == wanted[1:3] and len(run.variants) == 2
