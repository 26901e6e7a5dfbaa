"""Checkpoints exchanged with PyTorch, both ways: files, names in a state_dict, optimizers."""

from __future__ import annotations

import argparse
import io
import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")

# name -> the arguments that both frameworks take
MODULES: dict[str, tuple[Any, ...]] = {
    "Linear": (3, 4),
    "Bilinear": (2, 3, 4),
    "Conv1d": (2, 3, 3),
    "Conv2d": (2, 3, 3),
    "Conv3d": (2, 3, 3),
    "ConvTranspose1d": (2, 3, 3),
    "ConvTranspose2d": (2, 3, 3),
    "ConvTranspose3d": (2, 3, 3),
    "BatchNorm1d": (3,),
    "BatchNorm2d": (3,),
    "BatchNorm3d": (3,),
    "InstanceNorm1d": (3, 1e-5, 0.1, True, True),
    "InstanceNorm2d": (3, 1e-5, 0.1, True, True),
    "InstanceNorm3d": (3, 1e-5, 0.1, True, True),
    "LayerNorm": ((2, 3),),
    "GroupNorm": (2, 4),
    "RMSNorm": (4,),
    "PReLU": (3,),
    "Embedding": (5, 3, 0),
    "RNN": (2, 3, 2),
    "LSTM": (2, 3, 2, True, False, 0.0, True, 2),
    "GRU": (2, 3, 2, True, True, 0.0, True),
    "RNNCell": (2, 3),
    "LSTMCell": (2, 3),
    "GRUCell": (2, 3),
    "MultiheadAttention": (4, 2),
    "TransformerEncoderLayer": (4, 2, 8),
    "TransformerDecoderLayer": (4, 2, 8),
    "Transformer": (4, 2, 1, 1, 8),
    "CrossEntropyLoss": (),
    "BCEWithLogitsLoss": (),
    "Dropout": (),
    "ReLU": (),
}


def _nested(framework: Any) -> Any:
    """A model with containers, a shared weight, and a buffer."""
    layers = framework.nn
    net = layers.Sequential(
        OrderedDict(
            first=layers.Linear(4, 4),
            more=layers.ModuleList([layers.Linear(4, 4, bias=False), layers.BatchNorm1d(4)]),
            named=layers.ModuleDict({"a": layers.Conv1d(1, 1, 1)}),
            plain=layers.ParameterList([layers.Parameter(framework.ones(2))]),
        )
    )
    net.more[0].weight = net.first.weight
    net.register_buffer("seen", framework.arange(3))
    net.register_buffer("passing", framework.arange(3), persistent=False)
    return net


MAKERS: dict[str, Callable[[Any], Any]] = {
    **{
        name: lambda framework, name=name, args=args: getattr(framework.nn, name)(*args)
        for name, args in MODULES.items()
    },
    "nested": _nested,
}


def _from_torch(value: Any) -> Any:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return jitnet.load(file)


def _to_torch(value: Any) -> Any:
    file = io.BytesIO()
    jitnet.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def _same(ours: jitnet.Tensor, theirs: Any) -> None:
    """Assert equal bits, dtype, shape, strides and place in the storage."""
    assert repr(ours.dtype).removeprefix("jitnet.") == repr(theirs.dtype).removeprefix("torch.")
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.requires_grad == theirs.requires_grad
    flat = theirs.detach().contiguous().view(-1).view(torch.uint8)
    assert ours._copied().tobytes() == bytes(flat.tolist())
    many = [size > 1 for size in ours.shape]
    assert [s for s, m in zip(ours.stride(), many, strict=True) if m] == [
        s for s, m in zip(theirs.stride(), many, strict=True) if m
    ]


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("name", MAKERS)
def test_state_dicts_have_pytorchs_names_and_go_both_ways(name: str) -> None:
    ours, theirs = MAKERS[name](jitnet), MAKERS[name](torch)
    expected = theirs.state_dict()
    assert {key: tuple(value.shape) for key, value in ours.state_dict().items()} == {
        key: tuple(value.shape) for key, value in expected.items()
    }
    assert list(ours.state_dict()) == list(expected)
    ours.load_state_dict(_from_torch(expected))
    for key, value in ours.state_dict().items():
        _same(value, expected[key])
    other = MAKERS[name](torch)
    other.load_state_dict(_to_torch(ours.state_dict()))
    for key, value in other.state_dict().items():
        assert torch.equal(value, expected[key])


DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64"]
DTYPES += ["uint16", "uint32", "uint64"]
DTYPES += ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3)])
def test_every_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    count = math.prod(shape)
    value = torch.arange(-2, count - 2).reshape(shape).to(getattr(torch, dtype))
    back = _from_torch({"x": value})["x"]
    _same(back, value)
    _same(back, _to_torch({"x": back})["x"])


def test_shared_storages_and_views() -> None:
    x = torch.arange(120.0).reshape(2, 3, 4, 5)
    value = [
        x, x[1], x.permute(3, 1, 0, 2), x[:, ::2, 1:3], x[0, 0, 0, ::3], x[..., 0], x[1:, :, :1],
        x[0, 0, 0, 0], x[:1].expand(2, 3, 4, 5), x.diagonal(0, 2, 3), x.view(-1)[7:], x[2:],
    ]  # fmt: skip
    ours = _from_torch(value)
    back = _to_torch(ours)
    for part, same, wanted in zip(ours, back, value, strict=True):
        _same(part, wanted)
        _same(part, same)
    ours[0].mul_(2)
    back[0].mul_(2)
    x.mul_(2)
    for part, same, wanted in zip(ours, back, value, strict=True):
        _same(part, wanted)
        _same(part, same)


def test_parameters_and_leaves() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    frozen = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    value = [weight, frozen, torch.ones(1, requires_grad=True), weight.detach(), weight * 2]
    ours = _from_torch(value)
    back = _to_torch(ours)
    for part, same, wanted in zip(ours, back, value, strict=True):
        assert (type(part).__name__ == "Parameter") == isinstance(wanted, torch.nn.Parameter)
        assert isinstance(same, torch.nn.Parameter) == isinstance(wanted, torch.nn.Parameter)
        _same(part, wanted)
        _same(part, same)


def test_plain_values() -> None:
    value = {
        "numbers": (1, -(2**80), 0.1, True, None, 1 - 2j),
        "text": "ü\ud800",
        "bytes": b"\x00\xff",
        3: [OrderedDict(b=1), {1, 2}, ()],
        (1, "a"): bytearray(b"xy"),
        "counter": Counter("aab"),
        "size": torch.Size([2]),
        "device": torch.device("cpu", 0),
        "dtype": torch.float32,
    }
    ours = _from_torch(value)
    assert ours.pop("device") == jitnet.device("cpu", 0)
    assert ours.pop("dtype") is jitnet.float32
    assert {key: value[key] for key in ours} == ours
    assert [type(item) for item in ours[3]] == [OrderedDict, set, tuple]
    more = {"device": jitnet.device("cpu"), "dtype": jitnet.int64, "size": jitnet.Size([2])}
    del ours[(1, "a")]
    assert _to_torch({**ours, **more}) == {
        **ours,
        "device": torch.device("cpu"),
        "dtype": torch.int64,
        "size": torch.Size([2]),
    }


def test_numpy_values_and_namespaces() -> None:
    arrays = [np.arange(6).reshape(2, 3).T, np.ones(2, ">f4"), np.zeros((0, 2)), np.array(1j)]
    value = {"arrays": arrays, "scalar": np.float32(0.1), "args": argparse.Namespace(lr=0.1)}
    ours = _from_torch(value)
    file = io.BytesIO()
    jitnet.save(ours, file)
    file.seek(0)
    for back in (ours, torch.load(file, weights_only=False)):
        for array, wanted in zip(back["arrays"], arrays, strict=True):
            np.testing.assert_array_equal(array, wanted)
            assert array.dtype == wanted.dtype.newbyteorder("=")  # NumPy itself changes the order
        assert back["scalar"] == value["scalar"]
        assert back["args"] == value["args"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_other_protocols_of_pickle(protocol: int) -> None:
    file = io.BytesIO()
    torch.save({"x": torch.ones(2), "od": OrderedDict(a=1)}, file, pickle_protocol=protocol)
    file.seek(0)
    assert jitnet.load(file)["x"].tolist() == [1.0, 1.0]


def test_the_versions_of_modules_stay() -> None:
    state = torch.nn.BatchNorm1d(2).state_dict()
    assert _to_torch(_from_torch(state))._metadata == state._metadata


def test_files_without_checksums() -> None:
    torch.serialization.set_crc32_options(False)
    try:
        assert _from_torch(torch.ones(2)).tolist() == [1.0, 1.0]
    finally:
        torch.serialization.set_crc32_options(True)


def test_mmap(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.pth", tmp_path / "theirs.pth"
    torch.save({"x": torch.arange(100)}, theirs)
    jitnet.save(jitnet.load(theirs, mmap=True), ours)
    assert torch.load(ours, mmap=True)["x"].tolist() == list(range(100))


def _before_1_6(value: Any) -> bytes:
    """The file that older versions of PyTorch wrote."""
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def test_files_of_pytorch_before_1_6() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    value = {"x": x, "t": x.t(), "w": torch.nn.Parameter(torch.ones(2)), "n": 3, "e": x[:0]}
    value["half"] = torch.ones(3, dtype=torch.bfloat16)
    ours = jitnet.load(io.BytesIO(_before_1_6(value)))
    for key in ("x", "t", "w", "e", "half"):
        _same(ours[key], value[key])
    ours["x"][0, 1] = 9
    assert ours["t"][1, 0].item() == 9
    with pytest.raises(RuntimeError, match="no GPU can be used"):
        jitnet.load(io.BytesIO(_before_1_6(value)), map_location={"cpu": "cuda:0"})


def test_damaged_files_of_pytorch_before_1_6() -> None:
    whole = _before_1_6({"x": torch.ones(2), "y": [torch.zeros(3)]})
    for end in range(20, len(whole)):
        with pytest.raises(jitnet.CheckpointError):
            jitnet.load(io.BytesIO(whole[:end]))
    for at in range(15, len(whole)):
        for value in (0, 0x7F, 0xFF, whole[at] ^ 1):
            damaged = bytearray(whole)
            damaged[at] = value
            try:
                jitnet.load(io.BytesIO(damaged))
            except (jitnet.CheckpointError, RuntimeError):  # of a device's name
                continue


def test_map_location() -> None:
    file = io.BytesIO()
    torch.save(torch.ones(2), file)
    blob = file.getvalue()

    def load(where: Any, blob: bytes = blob) -> Any:
        return jitnet.load(io.BytesIO(blob), map_location=where)

    seen = []
    places = [None, "cpu", jitnet.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage]
    places.append(lambda storage, place: seen.append(place))
    for where in places:
        assert load(where).tolist() == [1.0, 1.0]
    assert seen == ["cpu"]
    with pytest.raises(RuntimeError, match="no GPU can be used"):
        load("cuda")
    with pytest.raises(RuntimeError, match="map_location='cpu'"):
        load({"cpu": "cuda:0"})
    with pytest.raises(TypeError, match="map_location"):
        load(3)


def test_what_was_saved_on_another_device() -> None:
    from jitnet.serialize.archive import write_archive
    from jitnet.serialize.pickling import Call, Name, Persistent, write_pickle

    storage = Persistent(("storage", Name("torch", "FloatStorage"), "0", "cuda:0", 2))
    layout = (storage, 0, (2,), (1,), False, OrderedDict())
    tensor = Call(Name("torch._utils", "_rebuild_tensor_v2"), layout)
    file = io.BytesIO()
    content = write_pickle(tensor, lambda value, path: value)
    write_archive(file, {"data.pkl": content, "data/0": np.ones(2, np.float32).tobytes()})
    for where in ("cpu", {"cuda:0": "cpu"}, lambda storage, place: storage):
        file.seek(0)
        assert jitnet.load(file, map_location=where).tolist() == [1.0, 1.0]
    file.seek(0)
    with pytest.raises(RuntimeError, match="cuda:0"):
        jitnet.load(file)


def test_whole_modules_say_what_to_do() -> None:
    with pytest.raises(jitnet.CheckpointError, match=r"Linear.*state_dict\(\) instead"):
        _from_torch(torch.nn.Linear(1, 1))


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9},
    "Adam": {"lr": 0.1, "amsgrad": True},
    "AdamW": {"lr": 0.1, "weight_decay": 0.1},
    "Adamax": {},
    "Adagrad": {},
    "Adadelta": {},
    "NAdam": {},
    "RAdam": {},
    "RMSprop": {"momentum": 0.5, "centered": True},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_go_on_in_the_other_framework(name: str) -> None:
    start = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)

    def make(framework: Any) -> tuple[Any, Any]:
        weight = framework.nn.Parameter(framework.from_numpy(start.copy()))
        return weight, getattr(framework.optim, name)([weight], **OPTIMIZERS[name])

    def step(weight: Any, optimizer: Any, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            (weight * weight).sum().backward()
            optimizer.step()

    first, one = make(torch)
    step(first, one, 2)
    for framework, carry in (
        (jitnet, _from_torch),
        (torch, lambda state: _to_torch(_from_torch(state))),
    ):
        second, two = make(framework)
        two.load_state_dict(carry(one.state_dict()))
        with framework.no_grad():
            second.copy_(framework.from_numpy(first.detach().numpy()))
        step(second, two, 2)
        again, three = make(torch)
        three.load_state_dict(one.state_dict())
        with torch.no_grad():
            again.copy_(first)
        step(again, three, 2)
        np.testing.assert_allclose(second.detach().numpy(), again.detach().numpy(), rtol=2e-5)
        assert set(two.state_dict()["state"][0]) == set(three.state_dict()["state"][0])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pytorch_goes_on_with_our_optimizers(name: str) -> None:
    weight = nn.Parameter(jitnet.ones(3))
    ours = getattr(jitnet.optim, name)([weight], **OPTIMIZERS[name])
    twin = torch.nn.Parameter(torch.ones(3))
    theirs = getattr(torch.optim, name)([twin], **OPTIMIZERS[name])
    for parameter, optimizer in ((weight, ours), (twin, theirs)):
        (parameter * parameter).sum().backward()
        optimizer.step()
    assert set(ours.state_dict()["state"][0]) == set(theirs.state_dict()["state"][0])
    theirs.load_state_dict(_to_torch(ours.state_dict()))
    with torch.no_grad():
        twin.copy_(torch.from_numpy(weight.detach().numpy()))
    for parameter, optimizer in ((weight, ours), (twin, theirs)):
        optimizer.zero_grad()
        (parameter * parameter).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(weight.detach().numpy(), twin.detach().numpy(), rtol=2e-5)
