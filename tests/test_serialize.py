"""save and load: what comes back, what is refused, and that nothing is half done."""

from __future__ import annotations

import io
import json
import math
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jitnet
from jitnet import nn
from jitnet.serialize import load_file, save_file

DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64".split()


def _round_trip(value: Any) -> Any:
    file = io.BytesIO()
    jitnet.save(value, file)
    file.seek(0)
    return jitnet.load(file)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3)])
def test_every_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.arange(math.prod(shape)).reshape(shape)
    back = _round_trip({"x": jitnet.tensor(values, dtype=getattr(jitnet, dtype))})["x"]
    assert back.dtype is getattr(jitnet, dtype)
    assert tuple(back.shape) == shape
    assert back.tolist() == values.astype(bool if dtype == "bool" else int).tolist()


def test_non_contiguous_tensors() -> None:
    x = jitnet.arange(12).reshape(3, 4)
    back = _round_trip([x.t(), x[::2, 1:3], x[0].expand(2, 4)])
    assert back[0].tolist() == x.t().tolist()
    assert back[1].tolist() == [[1, 2], [9, 10]]
    assert back[2].tolist() == [[0, 1, 2, 3]] * 2
    back[2][0, 0] = 7
    assert back[2][1, 0].item() == 0


def test_a_model_and_its_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.jt"
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = jitnet.optim.Adam(net.parameters(), lr=0.1)
    net(jitnet.randn(5, 3)).square().sum().backward()
    optimizer.step()
    state = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    jitnet.save(state, path)
    loaded = jitnet.load(path)
    assert loaded["epoch"] == 3
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    twin = jitnet.optim.Adam(other.parameters(), lr=0.5)
    other.load_state_dict(loaded["model"])
    twin.load_state_dict(loaded["optimizer"])
    assert twin.param_groups[0]["lr"] == 0.1
    assert twin.param_groups[0]["betas"] == (0.9, 0.999)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name].numpy(), value.numpy())
    mean = optimizer.state[net[0].weight]["exp_avg"]
    np.testing.assert_array_equal(twin.state[other[0].weight]["exp_avg"].numpy(), mean.numpy())


def test_plain_values_keep_their_types() -> None:
    value = {
        "none": None,
        "bool": True,
        "int": 2**70,
        "float": 0.1,
        "str": "ü\n",
        "bytes": b"\x00\xff",
        "list": [1, (2, [3.0])],
        "empty": [(), {}, []],
        "set": {1, 2},
        "dtype": jitnet.float32,
        3: "int key",
        None: "none key",
        True: "bool key",
        "numpy": np.float64(0.25),
    }
    back = _round_trip(value)
    assert back == {**value, "numpy": 0.25}
    assert [type(key) for key in back] == [type(key) for key in value]
    assert type(back["list"][1]) is tuple
    specials = _round_trip([math.inf, -math.inf, math.nan, -0.0])
    assert specials[:2] == [math.inf, -math.inf]
    assert math.isnan(specials[2])
    assert math.copysign(1, specials[3]) == -1
    array = _round_trip({"a": np.arange(3)})["a"]
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [0, 1, 2]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=12,
    )
)
def test_any_nested_plain_value(value: Any) -> None:
    assert _round_trip(value) == value


def test_a_tensor_in_two_places_stays_one() -> None:
    shared = jitnet.ones(3)
    back = _round_trip({"a": shared, "b": [shared], "c": shared.detach(), "d": jitnet.ones(3)})
    assert back["a"] is back["b"][0]
    assert back["a"] is back["c"]
    assert back["a"] is not back["d"]


def test_names_that_collide() -> None:
    back = _round_trip({"a.b": jitnet.zeros(1), "a": {"b": jitnet.ones(1)}, 1: jitnet.ones(2)})
    assert back["a.b"].tolist() == [0.0]
    assert back["a"]["b"].tolist() == [1.0]
    assert _round_trip(jitnet.ones(2)).tolist() == [1.0, 1.0]
    assert _round_trip(5) == 5


def test_leaves_want_gradients_again() -> None:
    back = _round_trip([nn.Parameter(jitnet.ones(1)), jitnet.ones(1, requires_grad=True) * 2])
    assert back[0].requires_grad
    assert not back[1].requires_grad


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (nn.Linear(1, 1), TypeError, r"a Linear; save its state_dict\(\)"),
        ({"model": {"fn": len}}, TypeError, "model.fn: a builtin_function_or_method"),
        ([1, object()], TypeError, "1: a object"),
        ({(1, 2): 3}, TypeError, "keys must be plain values"),
        ({"a": 1j}, TypeError, "a: a complex"),
    ],
)
def test_what_cannot_be_saved(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        jitnet.save(value, io.BytesIO())


def test_what_contains_itself() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="contains itself"):
        jitnet.save(value, io.BytesIO())


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.jt"
    jitnet.save({"x": 1}, path)
    with pytest.raises(TypeError):
        jitnet.save({"x": object()}, path)
    assert jitnet.load(path) == {"x": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["file.jt"]


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.jt"
    jitnet.save({"x": 1}, path)

    def fail(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        jitnet.save({"x": 2}, path)
    assert jitnet.load(path) == {"x": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["file.jt"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    path, other = tmp_path / "file.jt", tmp_path / "other"
    jitnet.save(1, path)
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o600)
    jitnet.save(2, path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        jitnet.load(tmp_path / "nothing.jt")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        jitnet.save(1, tmp_path / "nowhere" / "file.jt")


def _header(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        b"This is a text file and no checkpoint at all.",
        _header(b"not json"),
        _header(b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', b"\0" * 4),
        _header(b'{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}', b"\0" * 8),
        _header(b'{"x":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}', b"\0" * 8),
        struct.pack("<Q", 2**60) + b"{}",
    ],
)
def test_a_file_that_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.jt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.jt is not a safetensors file, or is damaged"):
        jitnet.load(path)


def test_a_cut_off_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "file.jt"
    jitnet.save({"x": jitnet.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="damaged"):
        jitnet.load(path)


def test_pickles_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(ValueError, match="is a pickle"):
        jitnet.load(path)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("{", "damaged metadata"),
        ("{}", "damaged metadata"),
        (json.dumps({"format": "9", "structure": 1}), "format 9"),
        (json.dumps({"format": "1", "structure": {"tensor": "y"}}), "damaged metadata"),
        (json.dumps({"format": "1", "structure": {"object": 1}}), "damaged metadata"),
        (json.dumps({"format": "1", "structure": {"list": 1}}), "damaged metadata"),
        (json.dumps({"format": "1", "structure": {"dict": [1], "x": 2}}), "damaged metadata"),
    ],
)
def test_damaged_metadata(tmp_path: Path, head: str, message: str) -> None:
    path = tmp_path / "file.jt"
    save_file({"x": jitnet.ones(1)}, path, {"jitnet": head})
    with pytest.raises(ValueError, match=message):
        jitnet.load(path)


def test_dtypes_that_are_missing_here_are_named(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes(
        _header(b'{"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}', b"\0" * 4)
    )
    with pytest.raises(ValueError, match=r"such as 'w' \(F8_E4M3\)"):
        jitnet.load(path)


def test_flat_files() -> None:
    file = io.BytesIO()
    save_file({"a.b": jitnet.ones(2)}, file)
    file.seek(0)
    assert load_file(file)["a.b"].tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="dict of str to Tensor"):
        save_file({"a": 3}, io.BytesIO())  # type: ignore[dict-item]


def test_exchange_with_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    theirs = pytest.importorskip("safetensors.torch")
    path = tmp_path / "model.safetensors"
    model = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    theirs.save_file(model.state_dict(), path)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    net.load_state_dict(jitnet.load(path))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[name].numpy(), value.numpy())
    jitnet.save(net.state_dict(), path)
    model.load_state_dict(theirs.load_file(path))
    jitnet.save({"model": net.state_dict(), "epoch": 1}, path)
    assert "model.0.weight" in theirs.load_file(path)
