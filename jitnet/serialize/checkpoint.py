"""save and load: nested state in the zip format of torch.save."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from jitnet import capture

from .archive import Archive, is_archive, write_archive
from .describing import Describer
from .errors import CheckpointError
from .files import FileLike, open_file, write_file
from .flat import decode
from .legacy import MAGIC, read_legacy
from .machine import read_pickle
from .objects import ENTRY, HoldsModuleError, read_objects, write_objects
from .pickling import write_pickle
from .storages import MapLocation, Storages, check_map_location
from .vocabulary import vocabulary

_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def save(
    obj: Any,
    f: FileLike,
    pickle_module: None = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Write nested dicts, lists and tuples of tensors and plain values, as torch.save does.

    torch.load(weights_only=True) reads the file back, bit for bit. Tensors that share memory share
    it again when loaded: the whole memory of a view's base is written, clone() writes less. The
    file is replaced at once when all is written: a failure leaves the old one. TypeError names
    what cannot be stored, such as a function. A whole Module can be, for jitnet.load alone, which
    wants its class to be there: prefer its state_dict().

    >>> jitnet.save({"model": model.state_dict(), "epoch": 3}, "checkpoint.pth")
    """
    if pickle_module is not None or pickle_protocol != 2 or not _use_new_zipfile_serialization:
        raise ValueError(
            "save writes PyTorch's zip format with a pickle of protocol 2; it takes no "
            "pickle_module, pickle_protocol or _use_new_zipfile_serialization"
        )
    describer = Describer()
    try:
        pickle = write_pickle(obj, describer.describe)
    except HoldsModuleError:
        objects = {ENTRY: write_objects(obj), "version": b"3\n"}
        write_file(f, lambda file: write_archive(file, objects))
        return
    entries: dict[str, Any] = {"data.pkl": pickle, "byteorder": sys.byteorder.encode()}
    for number, storage in enumerate(describer.storages):
        entries[f"data/{number}"] = storage.view(np.uint8).data
    write_file(f, lambda file: write_archive(file, {**entries, "version": b"3\n"}))


def load(
    f: FileLike,
    map_location: Any = None,
    pickle_module: None = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """Return what torch.save or jitnet.save wrote; of a safetensors file, a dict of its tensors.

    No code runs that a file names: tensors, parameters, numbers, strings, NumPy arrays and
    containers of them are all that can be in it. Only a whole module, as jitnet.save writes it, may
    have classes besides, those that serialization.add_safe_globals() allows; with
    weights_only=False, every module class that the program has imported. mmap: leave the tensors
    in the file, whose pages are read when used and copied when written. map_location as in
    PyTorch: tensors saved on another device load with map_location="cpu". CheckpointError (a
    ValueError) if the file is damaged or is something else; then nothing is loaded.
    """
    if pickle_module is not None:
        raise ValueError("load takes no pickle_module: it runs no code from files")
    check_map_location(map_location)
    if mmap and hasattr(f, "read"):
        raise ValueError("mmap=True wants the path of a file, got an open file")
    file, name = open_file(f)
    with file, capture.suspended():
        if not is_archive(file):
            if mmap:
                raise CheckpointError(f"{name} is no file of torch.save: load it without mmap")
            blob = file.read()
            return _other(blob, name, map_location)
        archive = Archive(file, name, bool(mmap))
        if "constants.pkl" in archive:
            raise CheckpointError(
                f"{name} is a TorchScript program; in PyTorch, save its state_dict() instead"
            )
        if ENTRY in archive:
            return read_objects(bytes(archive.read(ENTRY)), weights_only)
        storages = Storages(archive, map_location)
        try:
            return read_pickle(bytes(archive.read("data.pkl")), vocabulary(storages.persistent))
        except CheckpointError as error:
            raise CheckpointError(f"{name}: {error}") from error


def _other(blob: bytes, name: str, map_location: MapLocation) -> Any:
    """Return what a file holds that is no archive."""
    if blob.startswith(MAGIC):
        try:
            return read_legacy(blob, map_location)
        except CheckpointError as error:
            raise CheckpointError(f"{name}: {error}") from error
    if blob[:2] in _PICKLES:
        raise CheckpointError(
            f"{name} is a bare pickle, which jitnet does not read: save its content with torch.save"
        )
    return decode(blob, name)
