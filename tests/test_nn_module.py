"""Module: what it registers, how it is walked, saved, loaded, switched and printed."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor, nn
from jitnet.nn import epoch


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.fc2 = nn.Linear(3, 2, bias=False)
        self.register_buffer("scale", jitnet.ones(()))
        self.register_buffer("scratch", jitnet.zeros(2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.norm(self.fc1(x))) * self.scale


def test_parameters_and_buffers_are_found_in_order_of_assignment() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "fc1.weight",
        "fc1.bias",
        "norm.weight",
        "norm.bias",
        "fc2.weight",
    ]
    assert [name for name, _ in net.named_buffers()] == [
        "scale",
        "scratch",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
    ]
    assert [name for name, _ in net.named_children()] == ["fc1", "norm", "fc2"]
    assert [name for name, _ in net.named_modules()] == ["", "fc1", "norm", "fc2"]
    assert len(list(net.parameters(recurse=False))) == 0


def test_a_shared_parameter_is_found_once_and_saved_under_both_names() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    assert set(net.state_dict()) == {"0.weight", "0.bias", "1.weight", "1.bias"}


def test_state_dict_leaves_out_non_persistent_buffers_and_shares_memory() -> None:
    net = Net()
    state = net.state_dict()
    assert list(state) == [
        "scale",
        "fc1.weight",
        "fc1.bias",
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
        "fc2.weight",
    ]
    assert not any(value.requires_grad for value in state.values())
    with jitnet.no_grad():
        state["fc1.bias"].fill_(7.0)
    assert net.fc1.bias.tolist() == [7.0, 7.0, 7.0]
    assert net.state_dict(keep_vars=True)["fc1.bias"] is net.fc1.bias


def test_load_state_dict_copies_in_place() -> None:
    source, target = Net(), Net()
    weight = target.fc1.weight
    result = target.load_state_dict(source.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert target.fc1.weight is weight
    assert weight.tolist() == source.fc1.weight.tolist()
    source.fc1.weight.data.fill_(0.0)
    assert weight.tolist() != source.fc1.weight.tolist()


def test_load_state_dict_lists_all_errors_and_writes_nothing() -> None:
    net = Net()
    before = {name: value.tolist() for name, value in net.state_dict().items()}
    state = Net().state_dict()
    del state["fc1.bias"]
    state["fc1.weight"] = jitnet.zeros(4, 4)
    state["norm.bias"] = 3
    state["extra"] = jitnet.zeros(1)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    assert 'Missing key(s) in state_dict: "fc1.bias"' in message
    assert 'Unexpected key(s) in state_dict: "extra"' in message
    assert "size mismatch for fc1.weight" in message
    assert "(4, 4)" in message
    assert "(3, 4)" in message
    assert '"norm.bias" must be a Tensor' in message
    assert {name: value.tolist() for name, value in net.state_dict().items()} == before


def test_load_state_dict_not_strict_returns_what_did_not_match() -> None:
    net = Net()
    state = {"fc1.bias": jitnet.ones(3), "extra": jitnet.zeros(1)}
    result = net.load_state_dict(state, strict=False)
    assert "fc1.weight" in result.missing_keys
    assert result.unexpected_keys == ["extra"]
    assert net.fc1.bias.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict({"fc1.bias": jitnet.ones(4)}, strict=False)


def test_an_old_checkpoint_may_lack_num_batches_tracked() -> None:
    state = Net().state_dict()
    del state["norm.num_batches_tracked"]
    Net().load_state_dict(state)


def test_load_state_dict_assign_takes_the_tensors_themselves() -> None:
    net = nn.Linear(2, 1)
    state = {"weight": jitnet.ones(1, 2), "bias": jitnet.ones(1)}
    net.load_state_dict(state, assign=True)
    assert isinstance(net.weight, nn.Parameter)
    with jitnet.no_grad():
        state["bias"].fill_(5.0)
    assert net.bias.tolist() == [5.0]


@pytest.mark.parametrize("what", [3, None, [("a", 1)]])
def test_load_state_dict_wants_a_dict(what: object) -> None:
    with pytest.raises(TypeError, match="state_dict must be a dict"):
        Net().load_state_dict(what)  # type: ignore[arg-type]


def test_train_and_eval_reach_every_module() -> None:
    net = Net()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.train()
    assert all(module.training for module in net.modules())
    with pytest.raises(ValueError, match="must be a bool"):
        net.train(1)  # type: ignore[arg-type]


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    Net().apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Linear", "Net"]


def test_zero_grad_drops_or_clears() -> None:
    net = nn.Linear(2, 1)
    net(jitnet.ones(3, 2)).sum().backward()
    assert net.bias.grad is not None
    net.zero_grad(set_to_none=False)
    assert net.bias.grad.tolist() == [0.0]
    net.zero_grad()
    assert net.bias.grad is None


def test_requires_grad_freezes() -> None:
    net = nn.Linear(2, 1).requires_grad_(False)
    assert not net(jitnet.ones(1, 2)).requires_grad


def test_casting_keeps_parameter_objects_and_integer_buffers() -> None:
    net = Net()
    weight = net.fc1.weight
    net.double()
    assert net.fc1.weight is weight
    assert weight.dtype is jitnet.float64
    assert weight.requires_grad
    assert net.norm.num_batches_tracked.dtype is jitnet.int64
    assert net(jitnet.ones(4, 4, dtype=jitnet.float64)).dtype is jitnet.float64
    assert net.to(jitnet.float32).norm.running_mean.dtype is jitnet.float32
    assert net.to("cpu", jitnet.float64).scale.dtype is jitnet.float64
    assert net.float().scale.dtype is jitnet.float32
    assert net.cpu() is net
    with pytest.raises(TypeError, match="floating-point"):
        net.to(jitnet.int64)


def test_forward_hooks_change_arguments_and_results() -> None:
    layer = nn.Identity()
    calls: list[str] = []

    def before(module: nn.Module, args: tuple[Tensor]) -> Tensor:
        calls.append("before")
        return args[0] + 1

    def after(module: nn.Module, args: tuple[Tensor], result: Tensor) -> Tensor:
        calls.append("after")
        return result * 2

    handles = [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
    layer.register_forward_hook(lambda *_: calls.append("first"), prepend=True)
    assert layer(jitnet.ones(1)).tolist() == [4.0]
    assert calls == ["before", "first", "after"]
    for handle in handles:
        handle.remove()
        handle.remove()
    assert layer(jitnet.ones(1)).tolist() == [1.0]
    with pytest.raises(TypeError, match="callable"):
        layer.register_forward_hook(3)  # type: ignore[arg-type]


def test_hooks_with_kwargs() -> None:
    class Scale(nn.Module):
        def forward(self, x: Tensor, *, by: float) -> Tensor:
            return x * by

    layer = Scale()
    layer.register_forward_pre_hook(
        lambda module, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True
    )
    layer.register_forward_hook(
        lambda module, args, kwargs, result: result + kwargs["by"], with_kwargs=True
    )
    assert layer(jitnet.ones(1), by=2.0).tolist() == [6.0]


def test_assigning_before_init_says_what_to_do() -> None:
    class Wrong(nn.Module):
        def __init__(self) -> None:
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"begin Wrong.__init__ with super\(\).__init__\(\)"):
        Wrong()


def test_wrong_registrations_are_refused() -> None:
    net = nn.Module()
    net.weight = nn.Parameter(jitnet.ones(1))
    with pytest.raises(TypeError, match="cannot assign Tensor as parameter 'weight'"):
        net.weight = jitnet.ones(1)
    with pytest.raises(KeyError, match="must not be empty"):
        net.register_buffer("a.b", jitnet.ones(1))
    with pytest.raises(KeyError, match="already has an attribute"):
        net.register_buffer("forward", jitnet.ones(1))
    with pytest.raises(TypeError, match=r"nn.Parameter or None"):
        net.register_parameter("other", jitnet.ones(1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="leaf"):
        net.register_parameter("other", _computed_parameter())
    net.weight = None
    assert net.weight is None
    assert list(net.parameters()) == []
    del net.weight
    assert not hasattr(net, "weight")
    with pytest.raises(AttributeError, match="no attribute 'weight'"):
        net.weight  # noqa: B018


def _computed_parameter() -> nn.Parameter:
    """A Parameter that is no leaf any more: it was written in place from what wants gradients."""
    param = nn.Parameter(jitnet.ones(1), requires_grad=False)
    param.mul_(jitnet.ones(1, requires_grad=True))
    return param


def test_a_name_moves_between_kinds() -> None:
    net = nn.Module()
    net.thing = 3
    net.thing = nn.Parameter(jitnet.ones(1))
    assert list(net.state_dict()) == ["thing"]
    net.thing = nn.Linear(1, 1)
    assert list(net.state_dict()) == ["thing.weight", "thing.bias"]
    net.other = nn.Buffer(jitnet.ones(1), persistent=False)
    assert [name for name, _ in net.named_buffers()] == ["other"]
    assert "other" not in net.state_dict()
    net.other = jitnet.zeros(1)
    assert [name for name, _ in net.named_buffers()] == ["other"]


def test_get_submodule_parameter_and_buffer() -> None:
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_parameter("fc1.weight") is net.fc1.weight
    assert net.get_buffer("norm.running_mean") is net.norm.running_mean
    with pytest.raises(AttributeError, match="no submodule 'fc9'"):
        net.get_submodule("fc9.weight")
    with pytest.raises(AttributeError, match="no parameter"):
        net.get_parameter("fc2.bias")
    with pytest.raises(AttributeError, match="no buffer"):
        net.get_buffer("fc2.bias")


def test_missing_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


def test_printing_nests() -> None:
    assert repr(nn.Linear(4, 3)) == "Linear(in_features=4, out_features=3, bias=True)"
    assert repr(nn.ReLU()) == "ReLU()"
    net = nn.Sequential(nn.Linear(1, 2), nn.Sequential(nn.ReLU()))
    assert repr(net) == (
        "Sequential(\n"
        "  (0): Linear(in_features=1, out_features=2, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Parameter(jitnet.ones(2))).startswith("Parameter containing:\n")


def test_deepcopy_is_independent() -> None:
    net = Net()
    twin = copy.deepcopy(net)
    twin.fc1.weight.data.fill_(0.0)
    assert abs(net.fc1.weight).sum().item() > 0
    assert isinstance(twin.fc1.weight, nn.Parameter)
    assert len(list(twin.parameters())) == len(list(net.parameters()))


def test_modules_and_optimizers_can_be_pickled() -> None:
    net = Net()
    net.extra = nn.Buffer(jitnet.ones(1), persistent=False)
    optimizer = jitnet.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(jitnet.randn(4, 4)).sum().backward()
    optimizer.step()
    for twin, other in (
        pickle.loads(pickle.dumps((net, optimizer))),
        copy.deepcopy((net, optimizer)),
    ):
        assert list(twin.state_dict()) == list(net.state_dict())
        assert not twin.extra.persistent
        assert other.param_groups[0]["params"][0] is twin.fc1.weight
        assert other.state[twin.fc1.weight]["momentum_buffer"].shape == (3, 4)
        before = epoch.current
        twin.fc1.weight = None
        other.param_groups[0]["momentum"] = 0.5
        assert epoch.current > before + 1


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.eval(),
        lambda net: setattr(net, "flag", True),
        lambda net: setattr(net, "scale", jitnet.zeros(())),
        lambda net: setattr(net.fc1, "weight", nn.Parameter(jitnet.zeros(3, 4))),
        lambda net: net.add_module("more", nn.ReLU()),
        lambda net: net.register_buffer("more", None),
        lambda net: net.register_parameter("more", None),
        lambda net: delattr(net, "fc2"),
        lambda net: net._modules.update(fc2=nn.Identity()),
        lambda net: net._parameters.clear(),
        lambda net: net._buffers.popitem(),
        lambda net: net.fc1.register_forward_hook(lambda *_: None),
    ],
)
def test_rebinding_moves_the_epoch(change: object) -> None:
    net = Net()
    before = epoch.current
    change(net)  # type: ignore[operator]
    assert epoch.current > before


def test_what_rebinds_nothing_leaves_the_epoch() -> None:
    net = Net()
    net(jitnet.ones(4, 4)).sum().backward()
    before = epoch.current
    net(jitnet.ones(4, 4)).sum().backward()
    net.train()
    net.training = True
    net.zero_grad()
    net.load_state_dict(net.state_dict())
    net.norm.running_mean += 1
    assert epoch.current == before


# Containers


def test_sequential_by_name_and_index() -> None:
    net = nn.Sequential({"a": nn.Linear(2, 3), "b": nn.ReLU()})
    assert list(net.state_dict()) == ["a.weight", "a.bias"]
    assert net.a is net[0]
    assert net[-1] is net.b
    assert len(net) == 2
    assert list(net[:1]._modules) == ["a"]
    net.append(nn.Tanh())
    assert isinstance(net[2], nn.Tanh)
    assert isinstance(net + nn.Sequential(nn.ReLU()), nn.Sequential)
    with pytest.raises(IndexError, match="out of range"):
        net[5]
    assert net(jitnet.ones(1, 2)).shape == (1, 3)


def test_module_list_edits() -> None:
    layers = nn.ModuleList([nn.Linear(1, 1), nn.ReLU()])
    layers.insert(1, nn.Tanh())
    assert [type(layer).__name__ for layer in layers] == ["Linear", "Tanh", "ReLU"]
    del layers[0]
    assert list(layers._modules) == ["0", "1"]
    layers += [nn.Sigmoid()]
    layers[0] = nn.GELU()
    assert [type(layer).__name__ for layer in layers] == ["GELU", "ReLU", "Sigmoid"]
    assert isinstance(layers.pop(-1), nn.Sigmoid)
    assert len(layers[:1]) == 1
    assert layers[1] in layers
    with pytest.raises(TypeError, match="must be a Module"):
        layers.append(3)  # type: ignore[arg-type]


def test_module_dict_edits() -> None:
    layers = nn.ModuleDict({"a": nn.Linear(1, 1)})
    layers["b"] = nn.ReLU()
    layers.update([("c", nn.Tanh())])
    assert list(layers) == ["a", "b", "c"]
    assert "a" in layers
    assert isinstance(layers.pop("b"), nn.ReLU)
    del layers["c"]
    assert [name for name, _ in layers.items()] == ["a"]
    layers.clear()
    assert len(layers) == 0


def test_parameter_list_and_dict() -> None:
    params = nn.ParameterList([jitnet.ones(2), nn.Parameter(jitnet.zeros(1))])
    params.append(jitnet.ones(3))
    assert list(params.state_dict()) == ["0", "1", "2"]
    assert all(isinstance(param, nn.Parameter) for param in params)
    assert params[-1].shape == (3,)
    named = nn.ParameterDict({"w": jitnet.ones(2)})
    named["b"] = jitnet.zeros(2)
    assert list(named.keys()) == ["w", "b"]
    assert isinstance(named["w"], nn.Parameter)
    assert "Parameter containing" in repr(named)


def test_parameters_of_integers_want_no_gradient() -> None:
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(jitnet.arange(3))
    assert not nn.Parameter(jitnet.arange(3), requires_grad=False).requires_grad
    with pytest.raises(TypeError, match="wants a Tensor"):
        nn.Parameter(np.ones(3))


def test_what_is_replaced_keeps_its_place() -> None:
    model = nn.Module()
    model.first, model.second = nn.Linear(1, 2), nn.Linear(1, 1)
    model.a, model.b = nn.Parameter(jitnet.ones(1)), nn.Parameter(jitnet.ones(2))
    model.first, model.a = nn.Linear(2, 3), nn.Parameter(jitnet.ones(3))
    assert [name for name, _ in model.named_children()] == ["first", "second"]
    assert [p.numel() for p in model.parameters()] == [3, 2, 6, 3, 1, 1]


def test_parameters_take_attributes_that_compiled_code_sees() -> None:
    layer = nn.Linear(2, 2)
    assert not hasattr(layer.weight, "factor")

    @jitnet.compile
    def scaled(x: Any) -> Any:
        return layer(x) * getattr(layer.weight, "factor", 1)

    x = jitnet.ones(1, 2)
    for factor in (None, 3, 3, 4):
        if factor is not None:
            layer.weight.factor = factor
        assert jitnet.equal(scaled(x), layer(x) * (factor or 1))
    assert len(scaled.variants) == 3


def test_lists_of_parameters_nest_and_hold_other_values() -> None:
    inner = nn.ParameterList([jitnet.zeros(3)])
    values = nn.ParameterList([nn.Parameter(jitnet.ones(2)), inner, "word"])
    assert list(values.state_dict()) == ["0", "1.0"] and len(list(values.parameters())) == 2
    assert values[1] is inner and values[-1] == "word" and list(values)[2] == "word"
    assert "(2): Object of type: str" in repr(values)
    values[2] = jitnet.zeros(1)
    assert list(values.state_dict()) == ["0", "2", "1.0"] and len(values) == 3
