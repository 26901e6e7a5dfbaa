"""save and load: what comes back, what is refused, and that nothing is half done.

PyTorch's files are in test_serialize_pytorch.py, harmful ones in test_serialize_hostile.py.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jitnet
from jitnet import nn
from jitnet.serialize import CheckpointError, load_file, save_file
from jitnet.serialize.objects import read_objects, write_objects

DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "complex64"
).split()


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
    assert [part.stride() for part in back] == [(1, 4), (8, 1), (0, 1)]
    back[1][0, 0] = 9
    assert back[0].tolist() == [[0, 4, 8], [9, 5, 9], [2, 6, 10], [3, 7, 11]]
    assert back[2].tolist() == [[0, 9, 2, 3]] * 2


def test_a_model_and_its_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
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
        "device": jitnet.device("cpu"),
        "size": jitnet.Size([2, 3]),
        "complex": 1 - 2j,
        "frozen": frozenset({1}),
        "namespace": argparse.Namespace(lr=0.1),
        "ordered": OrderedDict(b=1, a=2),
        3: "int key",
        None: "none key",
        True: "bool key",
        "numpy": np.float64(0.25),
    }
    back = _round_trip(value)
    assert back == {**value, "numpy": 0.25}
    assert [type(key) for key in back] == [type(key) for key in value]
    assert type(back["list"][1]) is tuple
    assert type(back["size"]) is jitnet.Size
    assert list(back["ordered"].items()) == [("b", 1), ("a", 2)]
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
    back["a"][0] = 5
    assert back["c"].tolist() == [5.0, 1.0, 1.0]
    assert back["d"].tolist() == [1.0, 1.0, 1.0]


def test_views_share_memory_again_and_compiled_code_knows() -> None:
    x = jitnet.arange(24.0).reshape(2, 3, 4)
    back = _round_trip([x, x[:, ::2], x[1].t(), x[0, 1]])

    @jitnet.compile
    def add(part: jitnet.Tensor, whole: jitnet.Tensor) -> jitnet.Tensor:
        part.add_(100)
        return whole.sum()

    for part in back[1:]:
        expected = back[0].sum().item() + 100 * part.numel()
        assert add(part, back[0]).item() == expected


def test_a_list_in_two_places_stays_one() -> None:
    shared = [1]
    back = _round_trip({"a": shared, "b": (shared,)})
    assert back["a"] is back["b"][0]


def test_leaves_want_gradients_again() -> None:
    back = _round_trip(
        [
            nn.Parameter(jitnet.ones(1)),
            nn.Parameter(jitnet.ones(1, dtype=jitnet.int64), False),
            jitnet.ones(1, requires_grad=True) * 2,
            jitnet.ones(1),
        ]
    )
    assert [type(x) for x in back] == [nn.Parameter, nn.Parameter, jitnet.Tensor, jitnet.Tensor]
    assert [x.requires_grad for x in back] == [True, False, True, False]
    assert all(x.is_leaf for x in back)


def _unpicklable() -> nn.Module:
    layer = nn.Linear(1, 1)
    layer.activation = lambda x: x
    return layer


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (_unpicklable(), TypeError, r"cannot save the module: .*; save its state_dict\(\)"),
        ({"model": {"fn": len}}, TypeError, "model.fn: a builtin_function_or_method"),
        ([1, object()], TypeError, "1: a object"),
        ({((1, 2), 3): 3}, TypeError, "keys must be plain values"),
        ({"a": np.array(["x"])}, TypeError, "a: a ndarray"),
        ({"a": 1 << 4096}, ValueError, "513 bytes"),
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
    path = tmp_path / "file.pth"
    jitnet.save({"x": 1}, path)
    with pytest.raises(TypeError):
        jitnet.save({"x": object()}, path)
    assert jitnet.load(path) == {"x": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["file.pth"]


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.pth"
    jitnet.save({"x": 1}, path)

    def fail(descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        jitnet.save({"x": 2}, path)
    assert jitnet.load(path) == {"x": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["file.pth"]


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    path, other = tmp_path / "file.pth", tmp_path / "other"
    jitnet.save(1, path)
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o600)
    jitnet.save(2, path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        jitnet.load(tmp_path / "nothing.pth")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        jitnet.save(1, tmp_path / "nowhere" / "file.pth")


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
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.pth is neither a safetensors file nor"):
        jitnet.load(path)


def test_a_cut_off_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    jitnet.save({"x": jitnet.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="damaged"):
        jitnet.load(path)


def test_pickles_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(ValueError, match="is a bare pickle"):
        jitnet.load(path)


def test_dtypes_that_are_missing_here_are_named(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes(
        _header(b'{"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}', b"\0" * 4)
    )
    with pytest.raises(ValueError, match=r"'w'.*F8_E4M3"):
        jitnet.load(path)


def test_flat_files() -> None:
    file = io.BytesIO()
    save_file({"a.b": jitnet.ones(2)}, file)
    file.seek(0)
    assert load_file(file)["a.b"].tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="dict of str to Tensor"):
        save_file({"a": 3}, io.BytesIO())  # type: ignore[dict-item]


def test_load_knows_a_format_by_its_content(tmp_path: Path) -> None:
    flat, nested = tmp_path / "a.pth", tmp_path / "b.safetensors"
    save_file({"x": jitnet.ones(1)}, flat)
    jitnet.save({"x": jitnet.ones(1)}, nested)
    assert jitnet.load(flat)["x"].tolist() == jitnet.load(nested)["x"].tolist() == [1.0]


def test_load_reads_from_where_a_file_stands() -> None:
    file = io.BytesIO()
    file.write(b"before")
    jitnet.save([1], file)
    file.seek(len(b"before"))
    assert jitnet.load(file) == [1]


def test_mmap_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    jitnet.save([jitnet.zeros(3), jitnet.ones(0), jitnet.ones(1)], path)
    mapped = jitnet.load(path, mmap=True)
    mapped[0][1] = 5
    assert mapped[0].tolist() == [0.0, 5.0, 0.0]
    assert jitnet.load(path)[0].tolist() == [0.0, 0.0, 0.0]
    assert all(x.numpy().ctypes.data % 64 == 0 for x in (mapped[0], mapped[2]))
    with pytest.raises(ValueError, match="path of a file"):
        jitnet.load(io.BytesIO(), mmap=True)
    save_file({"x": jitnet.ones(1)}, path)
    with pytest.raises(ValueError, match="without mmap"):
        jitnet.load(path, mmap=True)


class Custom(nn.Module):
    """A module of a class that a file can name."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LSTM(2, 3))
        self.shared = self.layers[0].weight
        self.register_buffer("mask", jitnet.ones(2).bool())


def test_a_whole_module(tmp_path: Path) -> None:
    file, model = tmp_path / "model.pt", Custom()
    jitnet.save({"model": model, "epoch": 3}, file)
    with jitnet.serialization.safe_globals([Custom]):
        back = jitnet.load(file)
    assert back["epoch"] == 3 and isinstance(back["model"], Custom)
    assert back["model"].shared is back["model"].layers[0].weight
    for name, value in model.state_dict().items():
        assert back["model"].state_dict()[name].equal(value), name
    assert isinstance(jitnet.load(file, weights_only=False)["model"], Custom)
    with pytest.raises(CheckpointError, match=r"Custom, which is code: .*add_safe_globals"):
        jitnet.load(file)


@pytest.mark.parametrize("weights_only", [True, False, None])
def test_a_file_of_modules_calls_nothing(tmp_path: Path, weights_only: bool | None) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "made"),)

    file, model = tmp_path / "model.pt", nn.Linear(1, 1)
    model.extra = Hostile()
    jitnet.save(model, file)
    with pytest.raises(CheckpointError, match="mkdir, which is code"):
        jitnet.load(file, weights_only=weights_only)
    assert not (tmp_path / "made").exists()


def test_damaged_modules(tmp_path: Path) -> None:
    whole = write_objects(nn.Sequential(nn.Linear(2, 3), nn.Tanh()))
    rng = np.random.default_rng(0)
    read_objects(whole, None)
    for place in range(0, len(whole) - 1, 7):
        with pytest.raises(CheckpointError):
            read_objects(whole[:place], None)
        changed = bytearray(whole)
        changed[place] = int(rng.integers(256))
        with contextlib.suppress(CheckpointError):  # what it gives otherwise is data all the same
            read_objects(bytes(changed), False)


@pytest.mark.parametrize("dtype", [jitnet.bfloat16, jitnet.float16, jitnet.complex64])
def test_a_whole_module_of_other_elements(dtype: Any, tmp_path: Path) -> None:
    file, model = tmp_path / "model.pt", nn.Linear(2, 3, dtype=dtype)
    jitnet.save(model, file)
    back = jitnet.load(file)
    assert back.weight.dtype is dtype and back.weight.equal(model.weight)


def test_a_file_of_modules_says_nothing_to_numpy() -> None:
    for value in (np.dtype("f4"), np.ones(2, np.float32)):
        with pytest.raises(CheckpointError, match="which is code"):
            read_objects(pickle.dumps(value, 2), False)


def test_layers_need_no_leave(tmp_path: Path) -> None:
    jitnet.save(nn.Sequential(nn.Linear(2, 3), nn.Tanh()), tmp_path / "model.pt")
    assert repr(jitnet.load(tmp_path / "model.pt")[0]) == repr(nn.Linear(2, 3))


@pytest.mark.parametrize("name", ["os\nsystem", "jitnet.hub\nload", "jitnet.nn.modules\nrepeat"])
def test_a_module_file_names_no_functions(name: str, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    blob = b"\x80\x02c" + name.encode() + b"\nX\x04\x00\x00\x00echo\x85R."
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/objects.pkl", blob)
        archive.writestr("archive/version", b"3\n")
    with pytest.raises(CheckpointError, match="which is code"):
        jitnet.load(file)
