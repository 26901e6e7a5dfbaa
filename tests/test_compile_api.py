"""What `jitnet.compile` can be put on, its options, and what its results behave like."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn
from jitnet.compile import CompiledFunction, compile, eager
from jitnet.runtime import cpu
from jitnet.runtime.target import Target
from jitnet.tensor import Tensor


def test_decorator_with_and_without_options() -> None:
    @jitnet.compile
    def plain(x: Tensor) -> Tensor:
        """Add one."""
        return x + 1

    @jitnet.compile(limit=8, fullgraph=True, mode="reduce-overhead", dynamic=False)
    def with_options(x: Tensor) -> Tensor:
        return x + 2

    assert plain(jitnet.ones(1)).item() == 2
    assert with_options(jitnet.ones(1)).item() == 3
    assert plain.__name__ == "plain" and plain.__doc__ == "Add one."
    assert plain.__wrapped__(jitnet.ones(1)).item() == 2
    assert "compiled" in repr(plain)


class Counter:
    def __init__(self, k: int) -> None:
        self.k = k

    @jitnet.compile
    def add(self, x: Tensor) -> Tensor:
        return x + self.k


def test_method() -> None:
    a, b = Counter(1), Counter(2)
    x = jitnet.ones(1)
    assert [a.add(x).item(), b.add(x).item(), a.add(x).item()] == [2, 3, 2]
    a.k = 10
    assert a.add(x).item() == 11
    assert a.add is a.add and a.add is not b.add
    twin = copy.deepcopy(a)
    twin.k = 20
    assert twin.add(x).item() == 21 and a.add(x).item() == 11
    assert compile(a.add.__wrapped__)(x).item() == 11


class Kinds:
    scale = 3

    @staticmethod
    @jitnet.compile
    def static(x: Tensor) -> Tensor:
        return x * 2

    @classmethod
    @jitnet.compile
    def of_class(cls, x: Tensor) -> Tensor:
        return x * cls.scale


def test_static_and_class_methods() -> None:
    x = jitnet.ones(1)
    assert Kinds.static(x).item() == Kinds().static(x).item() == 2
    assert Kinds.of_class(x).item() == Kinds().of_class(x).item() == 3
    Kinds.scale = 4
    assert Kinds.of_class(x).item() == 4


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.drop(self.linear(x)) * scale


def test_module_instance_behaves_as_the_module() -> None:
    model = Net()
    compiled = jitnet.compile(model)
    assert isinstance(compiled, Net) and isinstance(compiled, nn.Module)
    assert list(compiled.state_dict()) == list(model.state_dict())
    assert [p is q for p, q in zip(compiled.parameters(), model.parameters(), strict=True)]
    compiled.eval()
    assert not model.training and not model.drop.training
    x = jitnet.ones(1, 2)
    np.testing.assert_allclose(
        compiled(x, scale=2.0).detach().numpy(), model(x, scale=2.0).detach().numpy()
    )
    compiled.linear.weight = nn.Parameter(jitnet.zeros(2, 2))
    assert model.linear.weight is compiled.linear.weight
    np.testing.assert_allclose(compiled(x).detach().numpy()[0], model.linear.bias.detach().numpy())
    assert repr(compiled) == repr(model)
    assert "compiled because: the first call" in compiled.explain()
    assert "matmul" in compiled.dump("trace")
    twin = copy.deepcopy(compiled)
    assert twin.linear.weight is not model.linear.weight
    np.testing.assert_allclose(twin(x).detach().numpy(), compiled(x).detach().numpy())


def test_module_inside_a_compiled_module_or_step() -> None:
    model = nn.Sequential(jitnet.compile(nn.Linear(2, 2)), nn.ReLU())
    x = jitnet.ones(1, 2)
    step = compile(lambda x: model(x).sum())
    np.testing.assert_allclose(step(x).item(), model[1](model[0](x)).sum().item(), rtol=1e-6)
    assert len(list(model.parameters())) == 2


def test_module_class() -> None:
    @jitnet.compile
    class Compiled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(jitnet.ones(2))

        def forward(self, x: Tensor) -> Tensor:
            return self.weight * x

    a, b = Compiled(), Compiled()
    with jitnet.no_grad():
        b.weight.fill_(3)
    x = jitnet.ones(2)
    assert a(x)[0].item() == 1 and b(x)[0].item() == 3
    assert isinstance(type(a).__call__, CompiledFunction)


def test_compiled_inside_compiled_is_inlined() -> None:
    inner = compile(lambda x: x * 2)
    outer = compile(lambda x: inner(x) + 1)
    assert outer(jitnet.ones(1)).item() == 3
    assert inner.variants == ()


def test_eager_switch() -> None:
    fn = compile(lambda x: x * 2)
    with eager():
        assert fn(jitnet.ones(1)).item() == 2
    assert fn.variants == ()
    fn(jitnet.ones(1))
    assert len(fn.variants) == 1
    assert compile(fn.__wrapped__, disable=True) is fn.__wrapped__


def test_environment_switch() -> None:
    script = (
        "import jitnet\n"
        "fn = jitnet.compile(lambda x: x.sum().item())\n"
        "assert fn(jitnet.ones(3)) == 3.0 and fn.variants == ()\n"
    )
    root = Path(__file__).parents[1]
    environment = {"JITNET_DISABLE": "1", "PYTHONPATH": str(root), "PATH": ""}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, cwd=root)


@pytest.mark.parametrize(
    "options",
    [
        {"dynamic": True},
        {"backend": "cudagraphs"},
        {"mode": "fastest"},
        {"options": {"trace.enabled": True}},
        {"limit": 0},
    ],
    ids=str,
)
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        compile(lambda x: x, **options)


def test_unknown_option() -> None:
    with pytest.raises(TypeError):
        compile(lambda x: x, fullgraf=True)
    with pytest.raises(TypeError, match="function"):
        compile(3)
    with pytest.raises(TypeError, match="class"):
        compile(Counter)


def test_cannot_be_pickled() -> None:
    import pickle

    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(compile(len))


def test_instances_die() -> None:
    import gc
    import weakref

    holder = Counter(1)
    holder.add(jitnet.ones(1))
    gone = weakref.ref(holder)
    del holder
    gc.collect()
    assert gone() is None


def test_garbage_waits_while_something_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    compile_object = cpu.compile_object

    def look(text: str, target: Target, level: int = cpu.FAST_CODE) -> bytes:
        seen.append(gc.isenabled())
        return compile_object(text, target, level)

    monkeypatch.setenv("JITNET_CACHE", "0")
    monkeypatch.setattr(cpu, "compile_object", look)
    w = jitnet.ones(3, requires_grad=True)
    compile(lambda x: (x * w).sum())(jitnet.rand(3)).backward()
    assert seen and not any(seen)
    assert gc.isenabled()
