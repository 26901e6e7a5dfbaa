"""Files made to do harm: each is refused with an error, before memory is taken or code runs."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import jitnet
from jitnet.serialize.pickling import Call, Name, Persistent, write_pickle

FLOATS = Name("torch", "FloatStorage")
TENSOR = Name("torch._utils", "_rebuild_tensor_v2")


def _unknown(value: Any, path: str) -> Any:
    raise TypeError(path)


def _file(
    content: bytes | Any, entries: Iterable[tuple[str, bytes]] = (("data/0", bytes(24)),)
) -> bytes:
    """A checkpoint with this pickle, or the pickle of this value, and these entries."""
    if not isinstance(content, bytes):
        content = write_pickle(content, _unknown)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in [("data.pkl", content), *entries]:
            archive.writestr(f"archive/{name}", data)
    return file.getvalue()


def _storage(key: Any = "0", numel: Any = 6, kind: Name = FLOATS, where: Any = "cpu") -> Persistent:
    return Persistent(("storage", kind, key, where, numel))


def _tensor(
    offset: Any = 0, shape: Any = (2, 3), strides: Any = (3, 1), storage: Any = None
) -> Call:
    storage = _storage() if storage is None else storage
    return Call(TENSOR, (storage, offset, shape, strides, False, OrderedDict()))


def _load(blob: bytes) -> Any:
    return jitnet.load(io.BytesIO(blob))


def test_the_files_made_here_are_good() -> None:
    assert _load(_file([_tensor()]))[0].shape == (2, 3)


@pytest.mark.parametrize(
    "tensor",
    [
        _tensor(offset=1),
        _tensor(offset=-1),
        _tensor(offset=7, shape=(0,), strides=(1,)),
        _tensor(shape=(2, 4)),
        _tensor(shape=(3, 3)),
        _tensor(shape=(-2, -3)),
        _tensor(strides=(-3, 1), offset=3),
        _tensor(strides=(4, 1)),
        _tensor(strides=(3,)),
        _tensor(shape=(2.0, 3)),
        _tensor(shape=(True, 3)),
        _tensor(shape="ab", strides="ab"),
        _tensor(shape=(1 << 40,), strides=(1 << 40,)),
        _tensor(shape=(1 << 62, 1 << 62), strides=(0, 0)),
        _tensor(shape=(1,) * 65, strides=(1,) * 65),
        _tensor(shape=None),
        _tensor(storage=_storage(numel=7)),
        _tensor(storage=_storage(numel=5)),
        _tensor(storage=_storage(numel=-6)),
        _tensor(storage=_storage(numel="6")),
        _tensor(storage=_storage(numel=1 << 60)),
        _tensor(storage=_storage(key="1")),
        _tensor(storage=_storage(key="../../data.pkl")),
        _tensor(storage=_storage(key=0)),
        _tensor(storage=_storage(kind=Name("torch", "DoubleStorage"))),
        _tensor(storage=_storage(kind=Name("torch", "QInt8Storage"))),
        _tensor(storage=_storage(kind=TENSOR)),
        _tensor(storage=Persistent(("module", FLOATS, "0", "cpu", 6))),
        _tensor(storage=(1, 2)),
        Call(TENSOR, (_storage(), 0, (6,))),
        Call(TENSOR, (_storage(), 0, (6,), (1,), 1, OrderedDict())),
        Call(TENSOR, (_storage(), 0, (6,), (1,), False, OrderedDict(), {"conj": True})),
        Call(Name("torch._utils", "_rebuild_parameter"), (3, True, OrderedDict())),
    ],
)
def test_tensors_that_reach_out_of_their_storage(tensor: Call) -> None:
    with pytest.raises(jitnet.CheckpointError):
        _load(_file(tensor))


def test_integers_that_want_gradients() -> None:
    storage = _storage(kind=Name("torch", "IntStorage"))
    wanting = Call(TENSOR, (storage, 0, (6,), (1,), True, OrderedDict()))
    with pytest.raises(jitnet.CheckpointError, match="requires_grad"):
        _load(_file(wanting))


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "builtins.eval", "builtins.exec", "builtins.getattr", "posix.system",
        "torch.load", "torch.hub.load", "jitnet.load", "collections.defaultdict", "__main__.Net",
        "torch.nn.modules.linear.Linear", "torch.storage._load_from_bytes", "functools.partial",
        "torch.QInt8Storage", "collections.OrderedDict.update", "torch.bfloat17",
    ],
)  # fmt: skip
def test_names_that_are_not_in_the_list(name: str, tmp_path: Path) -> None:
    module, _, last = name.rpartition(".")
    made = tmp_path / "made"
    for call in (Call(Name(module, last), (f"touch {made}",)), Name(module, last)):
        with pytest.raises(pickle.UnpicklingError):
            _load(_file([call]))
    assert not made.exists()


class _Runs:
    """What a pickle would call when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_code_is_not_run(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "made"
    with pytest.raises(jitnet.CheckpointError):
        _load(_file(pickle.dumps({"x": _Runs(path)}, protocol)))
    assert not path.exists()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_values_of_every_protocol(protocol: int) -> None:
    shared = ["ü", b"\0\xff", 2**70, -(2**40), 0.5, None, True]
    value = {"a": shared, "b": (shared, {1, (2, "x")}, frozenset("c")), 3: {}, "d": bytearray(b"q")}
    back = _load(_file(pickle.dumps(value, protocol)))
    assert back == value
    assert back["a"] is back["b"][0]


CALL_LIST = b"\x80\x02]q\x00h\x00)R."  # calls a list
BUILD_LIST = b"\x80\x02]}b."  # gives a list attributes


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x80", b"\x80\x02", b"\x80\x02.", b"\x80\x02K\x01K\x02.", b"\x80\x02(.",
        b"\x80\x02h\x05.", b"\x80\x02j\xff\xff\xff\xff.", b"\x80\x02a.", b"\x80\x02e.",
        b"\x80\x02K\x01K\x02s.", b"\x80\x02}(K\x01u.", b"\x80\x02}]K\x01s.", b"\x80\x02q\x01.",
        b"\x80\x02X\xff\xff\xff\xffab.", b"\x80\x04\x8d" + b"\xff" * 8 + b"ab.",
        b"\x80\x04\x8e" + b"\xff" * 8 + b"ab.", b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02X\x01\x00\x00\x00\xff.", b"\x80\x02ctorch.", b"\x80\x02K\x01K\x02\x93.",
        b"\x80\x02\x81.", b"\x80\x02}K\x01b.", b"\x80\x02b.", b"\x80\x02I99\n.",
        b"\x80\x02\x82\x01.",
        CALL_LIST, BUILD_LIST,
        b"\x80\x02ccollections\nOrderedDict\n)R}X\x04\x00\x00\x00keysNsb.",
        b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.",
        b"\x80\x02cbuiltins\nset\n]]a\x85R.",
    ],
)  # fmt: skip
def test_damaged_pickles(content: bytes) -> None:
    with pytest.raises(jitnet.CheckpointError):
        _load(_file(content))


def test_a_memo_number_takes_no_memory() -> None:
    assert _load(_file(b"\x80\x02K\x07r\xff\xff\xff\xff0j\xff\xff\xff\xff.")) == 7


def test_deep_nesting() -> None:
    depth = 200_000
    deep = _load(_file(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."))
    count = 0
    while deep:
        deep, count = deep[0], count + 1
    assert count == depth - 1
    nested = b"\x80\x02}" + b")" + b"\x85" * depth + b"K\x01s."
    with pytest.raises(jitnet.CheckpointError, match="plain value"):
        _load(_file(nested))


def test_errors_about_large_values_are_short() -> None:
    wide: Any = 1
    for _ in range(60):
        wide = [wide, wide]
    deep = b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999
    huge = b"\x80\x02\x8b" + struct.pack("<I", 5000) + b"\x01" * 5000
    contents = [deep + b"Q.", huge + b"Q.", deep + b"\x85Q.", huge + b"\x85Q."]
    contents.append(write_pickle(Persistent((wide,)), _unknown))
    contents.append(write_pickle(Call(Name("torch", "device"), (wide,)), _unknown))
    pair = b"\x80\x02ccollections\nCounter\n]]" + b")" + b"\x85" * 100_000 + b"aK\x01aa\x85R."
    contents.append(pair)
    contents.append(write_pickle(_tensor(shape=(wide,)), _unknown))
    contents.append(write_pickle(Call(Name("collections", "OrderedDict"), (), wide), _unknown))
    for content in contents:
        with pytest.raises(jitnet.CheckpointError) as caught:
            _load(_file(content))
        assert len(str(caught.value)) < 400


def test_many_tensors_take_no_more_than_their_storage() -> None:
    tensors = _load(_file([_tensor(shape=(1 << 40,), strides=(0,)) for _ in range(3)]))
    assert tensors[0].shape == (1 << 40,)
    assert tensors[0].stride() == (0,)


# -- the archive --------------------------------------------------------------------------------


def test_compressed_entries() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", write_pickle([1], _unknown))
        archive.writestr("archive/data/0", bytes(10_000_000))
    with pytest.raises(jitnet.CheckpointError, match="compressed"):
        _load(file.getvalue())


def _directory(blob: bytes, name: bytes) -> int:
    """Where the directory at the file's end has the entry."""
    return blob.rindex(name) - 46


def _patched(blob: bytes, at: int, format: str, *values: int) -> bytes:
    changed = bytearray(blob)
    struct.pack_into("<" + format, changed, at, *values)
    return bytes(changed)


def test_entries_that_reach_out_of_the_file() -> None:
    blob = _file([_tensor()])
    entry = _directory(blob, b"archive/data/0")
    for size in (len(blob), 1 << 31):
        with pytest.raises(jitnet.CheckpointError, match="past the end"):
            _load(_patched(blob, entry + 20, "II", size, size))
    with pytest.raises(jitnet.CheckpointError):
        _load(_patched(blob, entry + 42, "I", len(blob) - 4))
    with pytest.raises(jitnet.CheckpointError, match="compressed"):
        _load(_patched(blob, entry + 24, "I", 1 << 30))


def test_entries_that_overlap() -> None:
    blob = _file([_tensor()], [("data/0", bytes(24)), ("data/1", bytes(24))])
    first, second = _directory(blob, b"archive/data/0"), _directory(blob, b"archive/data/1")
    where = struct.unpack_from("<I", blob, first + 42)[0]
    with pytest.raises(jitnet.CheckpointError, match="overlaps"):
        _load(_patched(blob, second + 42, "I", where))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["archive/data.pkl", "elsewhere/data/1", "/etc/passwd"])
def test_entries_that_have_no_place(name: str) -> None:
    file = io.BytesIO(_file([1]))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(jitnet.CheckpointError, match="unexpected entry"):
        _load(file.getvalue())


def test_damaged_bytes() -> None:
    blob = _file([_tensor()], [("data/0", b"\x01" * 24)])
    at = blob.index(b"\x01" * 24)
    with pytest.raises(jitnet.CheckpointError, match="CRC"):
        _load(_patched(blob, at, "B", 2))
    for end in (len(blob) - 1, len(blob) // 2, 30, 4):
        with pytest.raises(jitnet.CheckpointError):
            _load(blob[:end])


def test_every_damaged_byte_gives_a_value_or_an_error() -> None:
    parts = {"x": [_tensor()], "y": (1, "text", 2.0), "z": OrderedDict(a=None)}
    content = write_pickle(parts, _unknown)
    outcomes = set()
    for at in range(len(content)):
        for value in (0, 0xFF, content[at] ^ 0x01, content[at] ^ 0x20):
            try:
                outcomes.add(type(_load(_file(_patched(content, at, "B", value)))))
            except (jitnet.CheckpointError, RuntimeError) as error:  # of a device's name
                outcomes.add(type(error))
    assert {dict, jitnet.CheckpointError, RuntimeError} <= outcomes


def test_every_damaged_byte_of_the_archive_gives_a_value_or_an_error() -> None:
    blob = _file([_tensor()])
    for at in range(len(blob)):
        for value in (0, 0xFF, blob[at] ^ 0x01):
            try:
                _load(_patched(blob, at, "B", value))
            except jitnet.CheckpointError:
                continue


@pytest.mark.parametrize("entry", [("constants.pkl", b""), ("byteorder", b"middle")])
def test_archives_of_another_kind(entry: tuple[str, bytes]) -> None:
    with pytest.raises(jitnet.CheckpointError, match=r"TorchScript|byte order"):
        _load(_file([1], [entry]))
    with pytest.raises(jitnet.CheckpointError, match=r"no entry 'data\.pkl'"):
        _load(_file([1]).replace(b"data.pkl", b"data.qkl"))
