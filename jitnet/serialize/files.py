"""Files: opened for reading from a path or an object, and replaced at once when written."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

FileLike = str | os.PathLike[str] | BinaryIO


def open_file(f: FileLike) -> tuple[BinaryIO, str]:
    """Return what to read from, and its name for errors.

    What a file object holds behind its position is read at once: the caller goes on with it.
    """
    if isinstance(f, str | os.PathLike):
        return Path(f).open("rb"), str(f)
    if not hasattr(f, "read"):
        raise TypeError(f"a file is given by its path or opened for reading, got {f!r}")
    return io.BytesIO(f.read()), str(getattr(f, "name", None) or type(f).__name__)


def write_file(f: FileLike, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` write a whole file, or leave the old one as it was."""
    if not isinstance(f, str | os.PathLike):
        whole = io.BytesIO()
        write(whole)
        f.write(whole.getbuffer())
        return
    path = Path(f)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot save to {path}: there is no folder {path.parent}")
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_for(path))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode_for(path: Path) -> int:
    """Return the permissions of the old file, or those that a new one gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
