"""What modules add to their state: hooks, extra state, methods of their own; as in PyTorch."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import jitnet


def _net(t: Any) -> Any:
    """Return a network with a renamed weight, a count beside the tensors, and hooks that note."""

    class Scale(t.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = t.nn.Parameter(t.ones(2))
            self.count = 3

        def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
            if f"{prefix}gamma" in state_dict:
                state_dict[f"{prefix}weight"] = state_dict.pop(f"{prefix}gamma")
            super()._load_from_state_dict(state_dict, prefix, *rest)

        def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[f"{prefix}twice"] = self.weight.detach() * 2

        def get_extra_state(self) -> Any:
            return {"count": self.count}

        def set_extra_state(self, state: Any) -> None:
            self.count = state["count"]

    return t.nn.Sequential(t.nn.Linear(2, 2, bias=False), Scale())


def _story(t: Any) -> list[Any]:
    net, told = _net(t), []
    net[1].count = 7
    net.register_state_dict_pre_hook(lambda module, prefix, keep: told.append((prefix, keep)))
    net[1].register_state_dict_post_hook(lambda module, state, prefix, meta: told.append(prefix))
    state = net.state_dict()
    told.append(list(state))
    other = _net(t)
    state["1.gamma"] = state.pop("1.weight") * 4
    del state["1.twice"]
    told.append(other.load_state_dict(state).missing_keys)
    told.append((other[1].count, other[1].weight.tolist()))

    def renamed(module: Any, given: Any, prefix: str, *rest: Any) -> None:
        given["0.weight"] = given.pop("first") if "first" in given else given["0.weight"]

    other.register_load_state_dict_pre_hook(renamed)
    other._register_load_state_dict_pre_hook(lambda given, prefix, *rest: told.append(prefix))
    other.register_load_state_dict_post_hook(lambda module, keys: keys.unexpected_keys.clear())
    state["first"], state["more"] = state.pop("0.weight") * 0, t.ones(1)
    told.append(str(other.load_state_dict(state)))
    told.append(other[0].weight.tolist())
    return told


def test_state_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    assert _story(jitnet) == _story(torch)


def test_what_is_wrong() -> None:
    net = _net(jitnet)
    state = net.state_dict()
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"1.twice"'):
        net.load_state_dict(state)
    del state["1.twice"], state["1._extra_state"]
    with pytest.raises(RuntimeError, match=r'Missing key.*"1._extra_state"'):
        net.load_state_dict(state)
    with pytest.raises(TypeError, match="call load_state_dict"):
        net[1]._load_from_state_dict({}, "", {}, True, [], [], [])
    with pytest.raises(RuntimeError, match="Linear has no get_extra_state"):
        net[0].get_extra_state()


def test_compile_of_the_module_itself() -> None:
    net = jitnet.nn.Sequential(jitnet.nn.Linear(2, 3), jitnet.nn.Tanh())
    x = jitnet.randn(4, 2)
    wanted = net(x)
    plain = copy.deepcopy(net)
    net.compile()
    assert (net(x) - wanted).abs().max() < 1e-6
    assert "1 variant" in net.explain() and isinstance(net, jitnet.nn.Sequential)
    net.load_state_dict({name: value * 0 for name, value in plain.state_dict().items()})
    assert net(x).abs().max() == 0
    assert (copy.deepcopy(net).cpu()(x) == 0).all()


def test_parts_put_elsewhere() -> None:
    net = jitnet.nn.Sequential(jitnet.nn.Sequential(jitnet.nn.ReLU()))
    net.set_submodule("0.0", jitnet.nn.Tanh())
    net.set_submodule("0.1", net[0][0])
    assert len(list(net.modules())) == 3 and len(list(net.modules(remove_duplicate=False))) == 4
    with pytest.raises(AttributeError, match="no submodule '2'"):
        net.set_submodule("0.2", jitnet.nn.Tanh(), strict=True)
    with pytest.raises(ValueError, match="name one below it"):
        net.set_submodule("", jitnet.nn.Tanh())


def test_hooks_that_are_always_called() -> None:
    class Fails(jitnet.nn.Module):
        def forward(self, x: Any) -> Any:
            raise ArithmeticError("no")

    net, seen = Fails(), []
    net.register_forward_hook(lambda module, args, result: seen.append(1))
    net.register_forward_hook(lambda module, args, result: seen.append(result), always_call=True)
    with pytest.raises(ArithmeticError):
        net(jitnet.ones(1))
    assert seen == [None]


def test_parameter_dict_is_a_dict() -> None:
    held = jitnet.nn.ParameterDict({"a": jitnet.ones(1), "b": jitnet.zeros(1)})
    twin = held.copy()
    assert held.get("c") is None and held.setdefault("c", jitnet.ones(2)).requires_grad
    assert held.pop("a") is twin["a"] and held.popitem()[0] == "c" and list(held) == ["b"]
    held.clear()
    assert len(held) == 0 and len(twin) == 2
