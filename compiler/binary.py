"""Binary: all that running a program takes, and its form on disk."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jitnet.compiler.ir.host import HostCall
from jitnet.runtime.dataclass import dataclass

_LENGTH_BYTES = 8


@dataclass(frozen=True)
class Binary:
    """Machine code and what it asks of its surroundings.

    symbol: the function that runs the program.  imports: the micro-kernels that it calls.
    host_calls: what it asks NumPy to compute.
    serial: whether one thread does it all.  constants: for the slots after the outputs.
    once: what makes the values that last from call to call.
    """

    object_code: bytes
    symbol: str
    imports: tuple[str, ...]
    host_calls: tuple[HostCall, ...]
    serial: bool
    arena_bytes: int
    scratch_bytes: int
    constants: tuple[NDArray[np.generic], ...]
    once: Once | None = None

    def to_bytes(self) -> bytes:
        """Return a header that says what there is, then code and constants as they are."""
        header = {
            "symbol": self.symbol,
            "imports": self.imports,
            "host_calls": [call.to_json() for call in self.host_calls],
            "serial": self.serial,
            "arena_bytes": self.arena_bytes,
            "scratch_bytes": self.scratch_bytes,
            "code": len(self.object_code),
            "constants": [[array.dtype.str, array.shape] for array in self.constants],
            "kept": self.once.kept if self.once else (),
        }
        text = json.dumps(header).encode()
        arrays = [array.tobytes() for array in self.constants]
        once = self.once.binary.to_bytes() if self.once else b""
        return b"".join(
            [len(text).to_bytes(_LENGTH_BYTES, "little"), text, self.object_code, *arrays, once]
        )

    @staticmethod
    def from_bytes(data: bytes) -> Binary:
        """Return what `to_bytes` wrote."""
        start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
        header: dict[str, Any] = json.loads(data[_LENGTH_BYTES:start])
        code = data[start : start + header["code"]]
        at = start + header["code"]
        constants: list[NDArray[np.generic]] = []
        for name, shape in header["constants"]:
            dtype = np.dtype(name)
            count = int(np.prod(shape, dtype=np.int64))
            constants.append(np.frombuffer(data, dtype, count, at).reshape(shape).copy())
            at += count * dtype.itemsize
        once = None
        if header["kept"]:
            once = Once(Binary.from_bytes(data[at:]), tuple(header["kept"]))
        else:
            assert at == len(data), "the entry is longer than its header says"
        return Binary(
            code,
            header["symbol"],
            tuple(header["imports"]),
            tuple(map(HostCall.from_json, header["host_calls"])),
            header["serial"],
            header["arena_bytes"],
            header["scratch_bytes"],
            tuple(constants),
            once,
        )


@dataclass(frozen=True)
class Once:
    """The program of what lasting inputs alone decide; its outputs are kept from call to call.

    kept: their bytes.
    """

    binary: Binary
    kept: tuple[int, ...]
