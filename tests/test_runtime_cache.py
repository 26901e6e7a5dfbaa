"""The disk cache of object code: hits, damage, strangers, full disks, many writers, its bound."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from jitnet.runtime import cache, cpu
from jitnet.runtime.cache import compile_cached
from jitnet.runtime.device import host_target
from jitnet.runtime.target import Target

ROOT = Path(__file__).parents[1]
needs_posix = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
needs_user = pytest.mark.skipif(
    hasattr(os, "getuid") and os.getuid() == 0, reason="permissions do not bind root"
)


def text(number: int = 1) -> str:
    return f"define i64 @f() {{\n  ret i64 {number}\n}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("JITNET_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("JITNET_CACHE", raising=False)
    monkeypatch.setattr(cache, "_warned", set())
    return tmp_path / "cache" / "objects"


def entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def compile_counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each text that LLVM compiles."""
    compiled: list[str] = []
    original = cpu.compile_object

    def compile_object(text: str, target: Target, level: int) -> bytes:
        compiled.append(text)
        return original(text, target, level)

    monkeypatch.setattr(cpu, "compile_object", compile_object)
    return compiled


def test_the_second_time_comes_from_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_counted(monkeypatch)
    first, hit_first = compile_cached(text(), host_target())
    second, hit_second = compile_cached(text(), host_target())
    assert (hit_first, hit_second) == (False, True)
    assert first == second and len(compiled) == 1
    assert len(entries(folder)) == 1


@needs_posix
def test_only_the_user_may_look_inside(folder: Path) -> None:
    compile_cached(text(), host_target())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert entries(folder)[0].stat().st_mode & 0o777 == 0o600


def test_the_key_names_all_that_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    target = host_target()
    keys = {
        cache.text_key(text(), target),
        cache.text_key(text(2), target),
        cache.text_key(text(), target, cpu.FAST_COMPILE),
        cache.text_key(text(), replace(target, cpu="other")),
        cache.text_key(text(), replace(target, features="+other")),
        cache.text_key(text(), replace(target, triple="other")),
    }
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    keys.add(cache.text_key(text(), target))
    monkeypatch.setattr(cpu, "llvm_version", lambda: "0.0")
    keys.add(cache.text_key(text(), target))
    assert len(keys) == 8


def damage_nothing_left(data: bytes) -> bytes:
    return b""


def damage_cut(data: bytes) -> bytes:
    return data[:-7]


def damage_code(data: bytes) -> bytes:
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def damage_checksum(data: bytes) -> bytes:
    return data[:25] + bytes([data[25] ^ 1]) + data[26:]


def damage_magic(data: bytes) -> bytes:
    return b"X" + data[1:]


@pytest.mark.parametrize(
    "damage", [damage_nothing_left, damage_cut, damage_code, damage_checksum, damage_magic]
)
def test_a_damaged_entry_is_compiled_anew(folder: Path, damage) -> None:
    good, _ = compile_cached(text(), host_target())
    path = entries(folder)[0]
    path.write_bytes(damage(path.read_bytes()))
    assert compile_cached(text(), host_target()) == (good, False)
    assert compile_cached(text(), host_target()) == (good, True)


def test_an_entry_under_another_name_is_not_trusted(folder: Path) -> None:
    compile_cached(text(1), host_target())
    (one,) = entries(folder)
    good, _ = compile_cached(text(2), host_target())
    (two,) = set(entries(folder)) - {one}
    two.write_bytes(one.read_bytes())
    assert compile_cached(text(2), host_target()) == (good, False)


def test_the_cache_can_be_turned_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITNET_CACHE", "0")
    assert compile_cached(text(), host_target())[1] is False
    assert compile_cached(text(), host_target())[1] is False
    assert not folder.exists()


def test_without_a_choice_it_lies_where_caches_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JITNET_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache._chosen_folder() == Path("/x/jitnet")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache._chosen_folder() == Path.home() / ".cache/jitnet"


def test_a_folder_that_cannot_be_made_is_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("JITNET_CACHE_DIR", str(tmp_path / "file"))
    with pytest.warns(RuntimeWarning, match="keeps no compiled code on disk"):
        code, hit = compile_cached(text(), host_target())
    assert code and not hit
    assert compile_cached(text(), host_target())[1] is False  # and no second warning


@needs_posix
def test_a_folder_that_others_may_write_is_not_used(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="not a folder that only you may write"):
        compile_cached(text(), host_target())
    assert entries(folder) == []


@needs_posix
def test_a_link_in_place_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.parent.mkdir()
    folder.symlink_to(elsewhere)
    with pytest.warns(RuntimeWarning, match="not a folder that only you may write"):
        compile_cached(text(), host_target())
    assert entries(elsewhere) == []


@needs_posix
@needs_user
def test_a_read_only_folder_still_serves(folder: Path) -> None:
    good, _ = compile_cached(text(1), host_target())
    folder.chmod(0o500)
    try:
        assert compile_cached(text(1), host_target()) == (good, True)
        with pytest.warns(RuntimeWarning, match="cannot keep compiled code on disk"):
            assert compile_cached(text(2), host_target())[1] is False
    finally:
        folder.chmod(0o700)


def test_a_full_disk_is_one_warning_and_no_half_entry(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, destination: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(RuntimeWarning, match="No space left"):
        assert compile_cached(text(1), host_target())[1] is False
    assert compile_cached(text(2), host_target())[1] is False
    assert entries(folder) == []


def test_the_oldest_entries_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        compile_cached(text(number), host_target())
        for path in entries(folder):  # each a while older at every step
            old = path.stat().st_mtime_ns - 10**10
            os.utime(path, ns=(old, old))
    assert compile_cached(text(0), host_target())[1] is True  # used: no longer the oldest
    size = entries(folder)[0].stat().st_size
    cache._evict(folder, 2 * size)
    assert len(entries(folder)) == 2
    monkeypatch.setenv("JITNET_CACHE_MEGABYTES", "1000")
    hits = [compile_cached(text(number), host_target())[1] for number in range(4)]
    assert hits == [True, False, False, True]


def test_the_bound_holds_about_and_few_writes_look(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    evict = cache._evict
    monkeypatch.setattr(cache, "_evict", lambda *args: looks.append(1) or evict(*args))
    monkeypatch.setenv("JITNET_CACHE_MEGABYTES", "1")
    most = 0
    for number in range(1000):
        cache.keep(cache.digest(str(number)), lambda: bytes(4096))
        if number % 100 == 0:
            most = max(most, sum(path.stat().st_size for path in entries(folder)))
    assert most < 1.3 * 2**20
    assert len(looks) < 200


def test_a_bound_of_nothing_keeps_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITNET_CACHE_MEGABYTES", "0")
    assert compile_cached(text(), host_target())[1] is False
    assert entries(folder) == []
    monkeypatch.setenv("JITNET_CACHE_MEGABYTES", "lots")
    with pytest.raises(ValueError, match="JITNET_CACHE_MEGABYTES must be a whole number"):
        compile_cached(text(2), host_target())


def test_many_processes_write_at_once(folder: Path) -> None:
    script = (
        "from jitnet.runtime.cache import compile_cached\n"
        "from jitnet.runtime.device import host_target\n"
        "for number in range(8):\n"
        "    text = 'define i64 @f() {\\n  ret i64 %d\\n}\\n' % number\n"
        "    compile_cached(text, host_target())\n"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    assert len(entries(folder)) == 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(compile_cached(text(number), host_target())[1] for number in range(8))
