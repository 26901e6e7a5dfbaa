"""jitnet.hub: downloads of files and checkpoints, kept in a folder of one's own."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlparse
from urllib.request import Request, urlopen

from .errors import at_line
from .serialize import load as _load

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
_CHUNK = 1 << 17
_chosen: list[str] = []  # the folder that set_dir() chose


def get_dir() -> str:
    """Return the folder: what set_dir() chose, $TORCH_HOME/hub, or the cache's torch/hub."""
    if _chosen:
        return _chosen[0]
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.join(os.path.expanduser(os.environ.get("TORCH_HOME", f"{cache}/torch")), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Choose the folder."""
    _chosen[:] = [os.path.expanduser(d)]


def download_url_to_file(
    url: str, dst: str, hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Write what a URL gives to a file, if its SHA-256 begins with hash_prefix.

    RuntimeError if it does not; then there is no file. progress is accepted and changes nothing.
    """
    path, digest = Path(dst).expanduser(), hashlib.sha256()
    handle, temporary = tempfile.mkstemp(suffix=".partial", dir=path.parent)
    try:
        request = Request(url, headers={"User-Agent": "jitnet.hub"})
        with os.fdopen(handle, "wb") as out, urlopen(request) as answer:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
        found = digest.hexdigest()
        if hash_prefix is not None and not found.startswith(hash_prefix):
            raise RuntimeError(
                at_line(f'invalid hash value (expected "{hash_prefix}", got "{found}") of {url}')
            )
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Return what the checkpoint at a URL holds, downloaded once.

    check_hash: the file is called NAME-<first digits of its SHA-256>.EXT, and must be so.
    """
    folder = Path(model_dir or os.path.join(get_dir(), "checkpoints"))
    folder.mkdir(parents=True, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = folder / name
    if not path.exists():
        named = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, str(path), named.group(1) if named else None, progress)
    return _load(str(path), map_location=map_location)


def load(repo_or_dir: str, model: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Refuse: a hub's code is written for PyTorch, and downloaded code is not run here."""
    raise NotImplementedError(
        at_line(
            f"hub.load runs code of {repo_or_dir} that is written for PyTorch; build the model "
            "here, and load its weights with hub.load_state_dict_from_url"
        )
    )
