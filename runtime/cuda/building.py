"""The only file that imports numba-cuda: CUDA source to PTX and machine code; no GPU is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ..dataclass import dataclass

COMPUTE_CAPABILITY = (8, 0)  # of the PTX that is shown: A100, and what came after it

MOST_THREADS = 512  # of a block: the 65,536 registers of a processor are 128 for each

INSTALL = "pip install 'jitnet[cuda]'"


def why_not() -> str | None:
    """Return why no PTX can be made and what to do about it; None where it can."""
    if find_spec("numba_cuda") is not None:
        return None
    return f"CUDA source is compiled by numba-cuda, which is not installed: {INSTALL}"


def _numba() -> Any:
    """Return numba.cuda and Numba's types; RuntimeError where numba-cuda is not installed.

    Numba alone is not enough: the CUDA target in it is an old one.
    """
    reason = why_not()
    if reason is not None:
        raise RuntimeError(reason)
    from numba import cuda, types

    return cuda, types


def compile_ptx(
    source: str,
    functions: Mapping[str, Sequence[str]],
    capability: tuple[int, int] = COMPUTE_CAPABILITY,
) -> dict[str, str]:
    """Return the PTX of each function of a module's source; no GPU is needed.

    functions: by name, the Numba types of the elements that its pointers after the status lead to.
    RuntimeError for a GPU that the installed NVVM makes no code for any more.
    """
    cuda, types = _numba()
    unsupported = import_module("numba.cuda.cudadrv.error").CCSupportError
    namespace: dict[str, Any] = {}
    exec(compile(source, "<jitnet cuda>", "exec"), namespace)
    ptx: dict[str, str] = {}
    for name, elements in functions.items():
        pointers = [types.CPointer(getattr(types, element)) for element in ("int64", *elements)]
        try:
            ptx[name], _ = cuda.compile_ptx(
                namespace[name].py_func,
                types.void(*pointers),
                cc=capability,
                lineinfo=False,
                launch_bounds=MOST_THREADS,  # with more registers a launch of so many would fail
            )
        except unsupported as error:
            raise RuntimeError(
                f"{error}: pip install 'numba-cuda[cu12]' makes code for older GPUs; or use "
                "device='cpu'"
            ) from error
    return ptx


def versions() -> str:
    """Return the versions of what makes PTX and machine code of source."""
    _numba()
    names = ("numba-cuda", "numba", "nvidia-nvjitlink", "nvidia-nvvm", "cuda-toolkit")
    return ", ".join(f"{name} {_version(name)}" for name in names)


def _version(package: str) -> str:
    from importlib import metadata  # takes 20 ms

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # it came with a toolkit of the system
        return "?"


def symbol_of(ptx: str) -> str:
    """Return the name that the only kernel of some PTX has there."""
    (name,) = re.findall(r"^\s*\.visible\s+\.entry\s+([^\s(]+)", ptx, re.MULTILINE)
    return str(name)


@dataclass(frozen=True)
class Assembled:
    """Machine code of one kernel, and what a thread of it takes.

    registers: of a thread.  shared_bytes: of a block.  local_bytes: of a thread, in slow memory.
    """

    cubin: bytes
    registers: int
    shared_bytes: int
    local_bytes: int


def assemble(ptx: str, capability: tuple[int, int] = COMPUTE_CAPABILITY) -> Assembled:
    """Return PTX as machine code for one kind of GPU, made by NVIDIA's linker; none is needed."""
    try:
        from cuda.bindings import nvjitlink
    except ImportError as error:
        raise RuntimeError(
            f"PTX is assembled by nvJitLink, which is not installed: {INSTALL}"
        ) from error
    text = ptx.encode()
    options = [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose"]
    try:
        handle = nvjitlink.create(len(options), options)
    except nvjitlink.nvJitLinkError as error:
        raise RuntimeError(
            f"nvJitLink makes no code for {options[0][6:]}: {error}. It is older than the GPU: "
            "pip install --upgrade numba-cuda nvidia-nvjitlink"
        ) from error
    try:
        try:
            nvjitlink.add_data(handle, nvjitlink.InputType.PTX, text, len(text), "kernel")
            nvjitlink.complete(handle)
        except nvjitlink.nvJitLinkError as error:
            errors = bytearray(nvjitlink.get_error_log_size(handle))
            nvjitlink.get_error_log(handle, errors)
            raise RuntimeError(
                f"nvJitLink makes no code for {options[0][6:]}: {error}. {_text(errors)}"
            ) from error
        log = bytearray(nvjitlink.get_info_log_size(handle))
        nvjitlink.get_info_log(handle, log)
        cubin = bytearray(nvjitlink.get_linked_cubin_size(handle))
        nvjitlink.get_linked_cubin(handle, cubin)
    finally:
        nvjitlink.destroy(handle)
    said = _text(log)
    return Assembled(
        bytes(cubin),
        _said(said, r"used (\d+) registers"),
        _said(said, r"(\d+) bytes smem"),
        _said(said, r"(\d+) bytes lmem"),
    )


def _text(log: bytearray) -> str:
    return log.decode(errors="replace").rstrip("\0").strip()


def _said(log: str, pattern: str) -> int:
    """Return a number of the linker's report, whose last line is of the code as it is linked."""
    found = re.findall(pattern, log)
    assert found, f"the linker does not say {pattern!r}: {log}"
    return int(found[-1])
