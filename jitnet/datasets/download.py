"""Download files from the first mirror that has them, and keep them only if they are right."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

TIMEOUT = 30.0  # seconds without any answer
_CHUNK = 1 << 16


@dataclass(frozen=True)
class File:
    """A file to download, and the MD5 of its bytes."""

    name: str
    md5: str


def fetch(wanted: Iterable[File], folder: Path, mirrors: Sequence[str]) -> None:
    """Download files into a folder, each whole or not at all.

    ConnectionError lists what went wrong at each mirror when none has a right file.
    """
    if not mirrors:
        raise ValueError("fetch wants at least one mirror")
    for file in wanted:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_one(file, folder, mirrors)


def _fetch_one(file: File, folder: Path, mirrors: Sequence[str]) -> None:
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{file.name}"
        try:
            _download(url, folder / file.name, file.md5)
            return
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"{url}: {error}")
    raise ConnectionError(f"cannot download {file.name}:\n  " + "\n  ".join(failures))


def _download(url: str, path: Path, md5: str) -> None:
    """Write what a URL gives to path, if it has this MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out, urlopen(url, timeout=TIMEOUT) as answer:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != md5:
            raise ValueError(f"its MD5 is {digest.hexdigest()}, want {md5}")
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
