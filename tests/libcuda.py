"""A libcuda.so.1 whose functions are a Machine's, so that the real cuda-bindings calls them.

The library is made by a C compiler from a few lines: all it does is ask Python for functions.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.strict_machine import Machine
from tests.strict_rules import NO_DEVICE, NOT_FOUND, NOT_INITIALIZED

_SOURCE = """
typedef int (*finder)(const char *, void **);
static finder find;
void plug(finder with) { find = with; }
int cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags,
                        int *status) { return find(name, function); }
"""
# What each function takes, in order. Whole numbers: i, u of 32 bits, c of 8, p of 64 (addresses,
# sizes, handles), s a text. It gives what it writes to addresses: I, Q, F (float), Z (a text).
_TAKES = {
    "cuInit": "u", "cuDriverGetVersion": "I", "cuDeviceGetCount": "I", "cuDeviceGet": "Ii",
    "cuDeviceGetName": "pii", "cuDeviceTotalMem": "Qi", "cuDeviceGetAttribute": "Iii",
    "cuDevicePrimaryCtxRetain": "Qi", "cuCtxSetCurrent": "p", "cuDeviceCanAccessPeer": "Iii",
    "cuCtxEnablePeerAccess": "pu", "cuMemGetInfo": "QQ", "cuMemAlloc": "Qp", "cuMemFree": "p",
    "cuMemHostAlloc": "Qpu", "cuMemFreeHost": "p", "cuMemcpyHtoDAsync": "pppp",
    "cuMemcpyDtoHAsync": "pppp", "cuMemcpyDtoDAsync": "pppp", "cuMemcpyPeerAsync": "pppppp",
    "cuMemsetD8Async": "pcpp", "cuModuleLoadData": "Qp", "cuModuleGetFunction": "Qps",
    "cuLaunchKernel": "puuuuuuuppp", "cuStreamCreate": "Qu", "cuStreamCreateWithPriority": "Qui",
    "cuStreamDestroy": "p", "cuStreamSynchronize": "p", "cuStreamQuery": "p",
    "cuStreamWaitEvent": "ppu", "cuEventCreate": "Qu", "cuEventDestroy": "p",
    "cuEventRecord": "pp", "cuEventSynchronize": "p", "cuEventQuery": "p",
    "cuEventElapsedTime": "Fpp", "cuStreamBeginCapture": "pi", "cuStreamEndCapture": "pQ",
    "cuGraphInstantiateWithFlags": "Qpp", "cuGraphDestroy": "p", "cuGraphLaunch": "pp",
    "cuGraphExecDestroy": "p", "cuGetErrorName": "iZ", "cuGetErrorString": "iZ",
}  # fmt: skip
_GIVES: dict[str, Any] = {
    "I": ctypes.c_int32, "Q": ctypes.c_uint64, "F": ctypes.c_float, "Z": ctypes.c_char_p
}  # fmt: skip
_TYPES: dict[str, Any] = {
    "i": ctypes.c_int32, "u": ctypes.c_uint32, "c": ctypes.c_uint8, "p": ctypes.c_uint64,
    "s": ctypes.c_char_p, **{letter: ctypes.POINTER(kind) for letter, kind in _GIVES.items()},
}  # fmt: skip
_UNKNOWN = 999


class LibCuda:
    """The library of this process, and the machine that it speaks for: none at first."""

    def __init__(self, path: Path) -> None:
        self.machine: Machine | None = None
        self._texts: dict[int, tuple[bytes, bytes]] = {}
        self._functions = {name: self._function(name) for name in _TAKES}
        finder = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p))
        self._find = finder(self._found)
        self._library = ctypes.CDLL(str(path))
        self._library.plug(self._find)

    def _found(self, name: bytes, place: Any) -> int:
        function = self._functions.get(name.decode())
        if function is None:
            return NOT_FOUND
        place[0] = ctypes.cast(function, ctypes.c_void_p).value
        return 0

    def _function(self, name: str) -> Any:
        takes = _TAKES[name]

        def call(*args: Any) -> int:
            given = [arg for letter, arg in zip(takes, args, strict=True) if letter not in _GIVES]
            try:
                status, *found = self._call(name, given)
            except Exception as error:  # C has no exceptions: the test's end tells of it
                assert self.machine is not None
                self.machine.faults.append(f"{name}: {error!r}")
                return _UNKNOWN
            outs = [arg for letter, arg in zip(takes, args, strict=True) if letter in _GIVES]
            for out, value in zip(outs, found, strict=not status):
                out[0] = value
            return int(status)

        return ctypes.CFUNCTYPE(ctypes.c_int, *(_TYPES[letter] for letter in takes))(call)

    def _call(self, name: str, args: list[Any]) -> tuple[Any, ...]:
        if name.startswith("cuGetError"):
            return 0, self._said(args[0])
        if self.machine is None:
            return (NO_DEVICE if name == "cuInit" else NOT_INITIALIZED,)
        return self.machine.call(name, *args)

    def _said(self, status: int) -> bytes:
        from cuda.bindings import driver

        return self._texts.setdefault(status, (driver.CUresult(status).name.encode(), b""))[0]


_made: list[LibCuda] = []


def libcuda(folder: Path) -> LibCuda:
    """Return the library, made once in a process; skip where a driver is there, or no compiler."""
    if _made:
        return _made[0]
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler makes the library that stands in for NVIDIA's")
    from cuda.pathfinder import load_nvidia_dynamic_lib

    try:
        load_nvidia_dynamic_lib("cuda")
    except RuntimeError:  # what it raises where there is no driver
        source, path = folder / "libcuda.c", folder / "libcuda.so.1"
        source.write_text(_SOURCE)
        options = ["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", str(path)]
        subprocess.run([compiler, *options, str(source)], check=True)
        _made.append(LibCuda(path))
        return _made[0]
    pytest.skip("this computer has NVIDIA's driver")
