"""Following a thread's calls: what is told, what is passed over, what listeners raise."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

from jitnet.runtime import profile


@pytest.mark.parametrize("known", [True, False])
def test_frames_are_followed_with_native_code_and_without(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "LAYOUT_KNOWN", known and profile.LAYOUT_KNOWN)
    quiet, heard, refused = profile.Quiet(), [], []

    def inner(number: int) -> int:
        return number + 1

    def outer() -> int:
        random.random()
        return inner(1) + inner(2)

    def hear(frame: Any) -> None:
        heard.append(frame.f_code.co_name)
        if frame.f_code is inner.__code__:
            quiet.add(frame.f_code)

    generator = random.Random()
    before = sys.getprofile()
    with profile.following(quiet, hear, random.Random, lambda builtin: refused.append(builtin)):
        outer()
        generator.random()
        outer()
    assert sys.getprofile() is before
    assert [name for name in heard if name in ("outer", "inner")] == ["outer", "inner", "outer"]
    assert [builtin.__self__ for builtin in refused] == [
        random.random.__self__,
        generator,
        random.random.__self__,
    ]


def test_what_listeners_raise_the_call_raises() -> None:
    def refuse(what: Any) -> None:
        raise ValueError(f"not {what.__name__}")

    generator = random.Random()
    with (
        profile.following(profile.Quiet(), lambda frame: None, random.Random, refuse),
        pytest.raises(ValueError, match="not random"),
    ):
        generator.random()
    assert sys.getprofile() is None


@pytest.mark.parametrize("known", [True, False])
def test_what_goes_on_in_an_unheard_function_is_not_told(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "LAYOUT_KNOWN", known and profile.LAYOUT_KNOWN)
    heard = []

    def user() -> None:
        pass

    @profile.unheard
    def busy(fails: bool) -> None:
        user()
        if fails:
            raise ValueError("it failed")

    def hear(frame: Any) -> None:
        if frame.f_code is user.__code__:
            heard.append(frame.f_back.f_code.co_name)

    with profile.following(profile.Quiet(), hear, random.Random, lambda builtin: None):
        busy(False)
        with pytest.raises(ValueError, match="it failed"):
            busy(True)
        user()
    busy(False)
    told = "test_what_goes_on_in_an_unheard_function_is_not_told"
    if sys.version_info < (3, 12):
        assert heard == [told]
    else:
        assert heard == ["busy", "busy", told]
    assert sys.getprofile() is None
