"""SummaryWriter: what it writes is read back, record by record."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.utils.tensorboard import SummaryWriter
from jitnet.utils.tensorboard.records import crc32c, record


def _fields(data: bytes) -> dict[int, Any]:
    """Return the fields of a protobuf message by number, those of one number in a list."""
    found: dict[int, Any] = {}
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while place < len(data):
        key = varint()
        if key & 7 == 0:
            value: Any = varint()
        else:
            size = {1: 8, 5: 4}.get(key & 7) or varint()
            value = data[place : place + size]
            place += size
        found.setdefault(key >> 3, []).append(value)
    return found


def _events(folder: Path) -> Iterator[dict[int, Any]]:
    (path,) = folder.glob("events.out.tfevents.*")
    data = path.read_bytes()
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        content = data[12 : 12 + size]
        assert data[: size + 16] == record(content)
        yield _fields(content)
        data = data[size + 16 :]


def _values(folder: Path) -> dict[str, tuple[int, dict[int, Any]]]:
    """Return step and value by tag."""
    first, *rest = _events(folder)
    assert first[3] == [b"brain.Event:2"]
    found = {}
    for event in rest:
        value = _fields(_fields(event[5][0])[1][0])
        found[value[1][0].decode()] = event.get(2, [0])[0], value
    return found


def test_the_checksum() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_scalars_histograms_and_texts(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("loss", jitnet.tensor(2.5, requires_grad=True), 300)
        writer.add_scalars("both", {"a": 1, "b": 2.0}, 3)
        writer.add_histogram("weights", jitnet.arange(10.0), 1, bins=5)
        writer.add_text("note", "Grüße", 2)
    found = _values(tmp_path)
    assert found["loss"][0] == 300 and struct.unpack("<f", found["loss"][1][2][0]) == (2.5,)
    counts = np.frombuffer(_fields(found["weights"][1][5][0])[7][0])
    assert counts.tolist() == [0, 2, 2, 2, 2, 2]
    assert _fields(found["note/text_summary"][1][8][0])[8] == ["Grüße".encode()]
    assert struct.unpack("<f", _values(tmp_path / "both_b")["both"][1][2][0]) == (2.0,)


def test_images(tmp_path: Path) -> None:
    image_of = pytest.importorskip("PIL.Image", reason="Pillow reads the images").open
    picture = jitnet.rand(3, 4, 5)
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("one", picture, 1)
        writer.add_images("many", jitnet.ones(3, 1, 4, 5), 1)
    found = {tag: _fields(value[4][0]) for tag, (_, value) in _values(tmp_path).items()}
    assert [found["one"][field] for field in (1, 2, 3)] == [[4], [5], [3]]
    read = np.asarray(image_of(io.BytesIO(found["one"][4][0])))
    assert (read == (picture.permute(1, 2, 0).numpy() * 255).astype(np.uint8)).all()
    grid = np.asarray(image_of(io.BytesIO(found["many"][4][0])))
    assert grid.shape == (8, 10) and grid[:4].all() and not grid[4:, 5:].any()


def test_what_cannot_be_written_says_so(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        with pytest.raises(NotImplementedError, match="draws no graphs"):
            writer.add_graph(jitnet.nn.Linear(1, 1))
        with pytest.raises(ValueError, match="wants one number"):
            writer.add_scalar("loss", jitnet.ones(2))
