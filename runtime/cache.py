"""Keeps compiled code on disk, so that a second process need not compile."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from . import cpu
from .target import Target

# Raise when the same text would become other object code: options of the code generator, names or
# meaning of the runtime's symbols.
FORMAT = 1

_MAGIC = b"jitnet object code\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
_DEFAULT_MEGABYTES = 512
_SUFFIX = ".object"

_warn_lock = threading.Lock()
_warned: set[str] = set()


def compile_cached(text: str, target: Target, level: int = cpu.FAST_CODE) -> tuple[bytes, bool]:
    """Return the object code of LLVM IR text, and whether it came from disk."""
    return keep(text_key(text, target, level), lambda: cpu.compile_object(text, target, level))


def text_key(text: str, target: Target, level: int = cpu.FAST_CODE) -> bytes:
    """Return the digest of everything that decides what the object code of a text will be."""
    versions = (str(FORMAT), cpu.llvm_version(), str(level))
    return digest(*versions, target.triple, target.cpu, target.features, text)


def digest(*parts: str) -> bytes:
    """Return a digest of texts that tells apart all lists of texts."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode()
        found.update(len(data).to_bytes(8, "little"))
        found.update(data)
    return found.digest()


def keep(key: bytes, make: Callable[[], bytes]) -> tuple[bytes, bool]:
    """Return the data kept under a key, else what `make` makes; and whether it came from disk.

    JITNET_CACHE=0 turns the disk off, JITNET_CACHE_DIR moves it, JITNET_CACHE_MEGABYTES bounds it.
    """
    folder = cache_folder()
    if folder is None:
        return make(), False
    path = folder / f"{key.hex()}{_SUFFIX}"
    found = _read(path, key)
    if found is not None:
        return found, True
    data = make()
    _write(path, key, data)
    return data, False


def cache_folder() -> Path | None:
    """Return the folder of object code, made where it was missing; None where there is no cache."""
    if os.environ.get("JITNET_CACHE", "1") == "0":
        return None
    folder = _chosen_folder() / "objects"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except (OSError, RuntimeError) as error:
        _warn(f"jitnet keeps no compiled code on disk: {error}; set JITNET_CACHE_DIR")
        return None
    if not _is_private(status):
        _warn(
            f"jitnet keeps no compiled code in {folder}: it is not a folder that only you may"
            f" write; run chmod 700 on it, or set JITNET_CACHE_DIR to a folder of your own"
        )
        return None
    return folder


def _chosen_folder() -> Path:
    """Return the folder that the user, or else the platform, chose for jitnet's cache."""
    chosen = os.environ.get("JITNET_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")).expanduser() / "jitnet"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/jitnet").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jitnet"


def _is_private(status: os.stat_result) -> bool:
    """Tell whether only this user can write: what lies here is run."""
    if not stat.S_ISDIR(status.st_mode):
        return False
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _checksum(key: bytes, data: bytes) -> bytes:
    return hashlib.sha256(key + data).digest()


def _read(path: Path, key: bytes) -> bytes | None:
    """Return the data of an intact entry; a damaged one counts as missing and is written anew."""
    try:
        entry = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(f"jitnet cannot read its compiled code: {error}; compiling again")
        return None
    start = len(_MAGIC) + _DIGEST_BYTES
    data = entry[start:]
    if entry[:start] != _MAGIC + _checksum(key, data):
        return None
    try:
        os.utime(path)  # eviction takes the entry that was used longest ago
    except OSError:  # a cache that cannot be written still serves; it cannot evict either
        return data
    return data


def _write(path: Path, key: bytes, data: bytes) -> None:
    """Write an entry whole or not at all; failing to is a warning, since the data is at hand."""
    try:
        handle, temporary = tempfile.mkstemp(suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + _checksum(key, data))
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        limit = _megabytes() << 20
        if _is_due(key, len(data), limit):
            _evict(path.parent, limit)
    except OSError as error:
        _warn(f"jitnet cannot keep compiled code on disk: {error}; set JITNET_CACHE_DIR")


def _megabytes() -> int:
    text = os.environ.get("JITNET_CACHE_MEGABYTES", str(_DEFAULT_MEGABYTES))
    if not text.isdigit():
        raise ValueError(f"JITNET_CACHE_MEGABYTES must be a whole number, got {text!r}")
    return int(text)


def _is_due(key: bytes, size: int, limit: int) -> bool:
    """Tell whether the write of an entry is one that makes room: keys are as good as dice.

    To look through a folder of 30,000 entries takes 0.2 s. So that happens about once for each 32nd
    part of the limit that is written, by whatever processes; about so well does the limit hold.
    """
    return int.from_bytes(key[:8], "little") * limit < (size * 32) << 64


def _evict(folder: Path, limit: int) -> None:
    """Delete the entries used longest ago until the folder holds at most `limit` bytes.

    Leftovers of writers that were killed count as entries, so they go with time.
    """
    entries = []
    for entry in os.scandir(folder):
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # another process evicts too
            continue
        entries.append((status.st_mtime_ns, status.st_size, entry.path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries):
        if total <= limit:
            return
        Path(path).unlink(missing_ok=True)
        total -= size


def _warn(message: str) -> None:
    """Warn once a process about each problem."""
    with _warn_lock:
        if message in _warned:
            return
        _warned.add(message)
    warnings.warn(message, RuntimeWarning, stacklevel=4)
