"""jitnet.testing and jitnet.hub."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import jitnet
from jitnet import hub
from jitnet.testing import assert_close, make_tensor


def test_what_is_close() -> None:
    one = jitnet.tensor([1.0, 2.0])
    assert_close(one, one + 1e-6)
    assert_close({"a": [one, 2]}, {"a": [one, 2]})
    assert_close(one.double(), one, check_dtype=False)
    assert_close(jitnet.tensor(float("nan")), jitnet.tensor(float("nan")), equal_nan=True)


@pytest.mark.parametrize(
    ("actual", "expected", "says"),
    [
        (jitnet.tensor([1.0, 2.0]), jitnet.tensor([1.0, 2.1]), "Mismatched elements: 1 / 2"),
        (jitnet.ones(2), jitnet.ones(3), "'shape' do not match"),
        (jitnet.ones(2), jitnet.ones(2).double(), "'dtype' do not match"),
        (jitnet.tensor(float("nan")), jitnet.tensor(float("nan")), "not close"),
        ([1, 2], [1, 3], r"failure occurred for item \[1\]"),
        ([1], [1, 3], "length of the sequences"),
        ({"a": 1}, {"b": 1}, "keys of the mappings"),
    ],
)
def test_what_is_not_close(actual: object, expected: object, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        assert_close(actual, expected)


def test_tensors_to_test_with() -> None:
    for dtype in (
        jitnet.float32,
        jitnet.bool,
        jitnet.uint8,
        jitnet.uint64,
        jitnet.int64,
        jitnet.complex64,
    ):
        made = make_tensor(50, 2, dtype=dtype, exclude_zero=True)
        assert made.dtype is dtype and made.shape == (50, 2) and (made != 0).all()
    assert make_tensor((3,), dtype=jitnet.float64, low=2, high=3).min() >= 2


def test_a_checkpoint_is_downloaded_once(tmp_path: Path) -> None:
    source = tmp_path / "weights.pt"
    jitnet.save({"w": jitnet.ones(2)}, source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    named = source.rename(tmp_path / f"weights-{digest}.pt")
    folder = tmp_path / "cache"
    load = hub.load_state_dict_from_url
    for _ in range(2):
        assert load(named.as_uri(), str(folder), check_hash=True)["w"].tolist() == [1, 1]
        named.unlink(missing_ok=True)


def test_a_download_that_is_not_what_it_should_be_leaves_nothing(tmp_path: Path) -> None:
    source = tmp_path / "weights-abcdef.pt"
    source.write_bytes(b"no")
    with pytest.raises(RuntimeError, match="invalid hash value"):
        hub.load_state_dict_from_url(source.as_uri(), str(tmp_path / "cache"), check_hash=True)
    assert not any((tmp_path / "cache").iterdir())


def test_a_hubs_code_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_chosen", [])
    hub.set_dir("/somewhere")
    assert hub.get_dir() == "/somewhere"
    with pytest.raises(NotImplementedError, match="load_state_dict_from_url"):
        hub.load("pytorch/vision", "resnet18")
