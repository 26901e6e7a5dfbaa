"""LLVM IR text to machine code for this processor, and machine code into this process."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from .target import Target

_VECTOR_BYTES = (16, 32, 64)
_AVX512_WANTED = ("avx512f", "avx512vl", "avx512dq")
_LEVEL_2 = "sys/devices/system/cpu/cpu0/cache"

# LLVM serves one thread at a time. Held across a fork (see threads.py), this keeps a child from
# inheriting LLVM in the middle of a call by a thread that the child does not have.
llvm_lock = threading.RLock()


@cache
def _llvm() -> ModuleType:
    """Return llvmlite.binding, ready to generate native code; the import takes 0.1 s, so late."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    binding: ModuleType = llvm
    return binding


_held: list[Any] = []  # llvmlite's own lock, while the process is copied


def hold_llvm() -> None:
    """Let no other thread call LLVM: not even a finalizer, which takes llvmlite's lock alone."""
    llvm_lock.acquire()
    if _llvm.cache_info().currsize:
        lock = _llvm().ffi.lib._lock
        lock.__enter__()
        _held.append(lock)


def release_llvm() -> None:
    """Undo `hold_llvm`."""
    if _held:
        _held.pop().__exit__()
    llvm_lock.release()


def llvm_version() -> str:
    """Return the version of LLVM that generates code, such as "22.1.0"."""
    return ".".join(map(str, _llvm().llvm_version_info))


# -- the processor ------------------------------------------------------------------------------


def host_target() -> Target:
    """Return the processor that this process runs on.

    JITNET_VECTOR_BYTES (16, 32 or 64) asks for narrower vectors than the processor has.
    """
    return _host_target(os.environ.get("JITNET_VECTOR_BYTES", ""))


@cache
def _host_target(wanted: str) -> Target:
    with llvm_lock:
        llvm = _llvm()
        triple = llvm.get_process_triple()
        has = dict(llvm.get_host_cpu_features())
        cpu = llvm.get_host_cpu_name()
    widest = widest_vector(has)
    width = _parse_vector_bytes(wanted, widest)
    kept = without_wider_vectors(has, width)
    arm = triple.startswith(("aarch64", "arm64"))
    return Target(
        cpu=cpu,
        features=",".join(f"{'+' if kept[name] else '-'}{name}" for name in sorted(kept)),
        triple=triple,
        vector_bytes=width,
        vector_registers=32 if arm or width == 64 else 16,
        cache_bytes=level_2_bytes(Path("/")),
        has_fma=arm or kept.get("fma", False),
    )


def widest_vector(has: Mapping[str, bool]) -> int:
    """Return the bytes of the widest vector register that a processor's features allow."""
    if all(has.get(name, False) for name in _AVX512_WANTED):
        return 64
    return 32 if has.get("avx2", False) and has.get("fma", False) else 16


def without_wider_vectors(has: Mapping[str, bool], vector_bytes: int) -> dict[str, bool]:
    """Return the features with every one that brings wider vectors than asked for turned off."""
    if vector_bytes >= widest_vector(has):
        return dict(has)
    wider = ("avx512", "avx10", "amx") if vector_bytes == 32 else ("avx", "amx", "fma", "f16c")
    also = () if vector_bytes == 32 else ("xop", "vaes", "vpclmulqdq")
    return {name: on and not (name.startswith(wider) or name in also) for name, on in has.items()}


def _parse_vector_bytes(wanted: str, widest: int) -> int:
    if not wanted:
        return widest
    if not wanted.isdigit() or int(wanted) not in _VECTOR_BYTES:
        raise ValueError(f"JITNET_VECTOR_BYTES must be 16, 32 or 64, got {wanted!r}; unset it")
    if int(wanted) > widest:
        raise ValueError(
            f"JITNET_VECTOR_BYTES asks for {wanted}-byte vectors, but this processor has"
            f" {widest}-byte ones; set {widest} or less"
        )
    return int(wanted)


def level_2_bytes(root: Path) -> int:
    """Return the size of one core's level 2 cache as Linux tells it; 512 KiB where it does not."""
    for index in sorted((root / _LEVEL_2).glob("index*")):
        try:
            if (index / "level").read_text().strip() != "2":
                continue
            text = (index / "size").read_text().strip()
        except OSError:  # a container may hide these files
            continue
        if text.endswith("K") and text[:-1].isdigit() and int(text[:-1]) > 0:
            return int(text[:-1]) << 10
    return 1 << 19


# -- compiling ----------------------------------------------------------------------------------


# LLVM's levels. 1 makes code as fast as 3 from vector IR. 0 makes kernels 1.5 to 4x slower, but of
# the runtime's own scalar code, which mostly waits and asks CPython, nearly the same in a tenth of
# the time.
FAST_CODE = 1
FAST_COMPILE = 0


@cache
def _target_machine(cpu: str, features: str, triple: str, level: int) -> Any:
    # Small, position-independent code reads constants as operands of the instruction that needs
    # them; the large model that a JIT gets by default loads an address into a register first.
    target = _llvm().Target.from_triple(triple)
    return target.create_target_machine(
        cpu=cpu, features=features, opt=level, reloc="pic", codemodel="small", jit=True
    )


def debugging() -> bool:
    """Whether JITNET_DEBUG asks to check what every step of the compiler makes."""
    return os.environ.get("JITNET_DEBUG", "0") not in ("", "0")


def _parse(text: str) -> Any:
    """Parse IR; when debugging, run LLVM's verifier, which takes a fifth as long again."""
    try:
        module = _llvm().parse_assembly(text)
        if debugging():
            module.verify()
    except RuntimeError as error:
        message = f"LLVM refused generated code; this is a bug in jitnet: {error}"
        raise RuntimeError(message) from error
    return module


def compile_object(text: str, target: Target, level: int = FAST_CODE) -> bytes:
    """Return the object code of a module of LLVM IR text; no pass runs, only code generation."""
    with llvm_lock:
        machine = _target_machine(target.cpu, target.features, target.triple, level)
        code: bytes = machine.emit_object(_parse(text))
    return code


def assembly(text: str, target: Target | None = None) -> str:
    """Return the assembly of a module of LLVM IR text, for people to read."""
    target = target or host_target()
    with llvm_lock:
        machine = _target_machine(target.cpu, target.features, target.triple, FAST_CODE)
        printed: str = machine.emit_assembly(_parse(text))
    return printed


# -- loading ------------------------------------------------------------------------------------

_library_numbers = itertools.count()


@cache
def _linker() -> Any:
    # JITLink makes the jumps and tables that position-independent code needs to reach any address.
    return _llvm().create_lljit_compiler(use_jit_link=True)


class NativeModule:
    """Object code in memory; its functions may be called while this lives."""

    def __init__(self, library: str, tracker: Any) -> None:
        self._library = library
        self._trackers = [tracker]
        self._addresses: dict[str, int] = {}

    def address(self, symbol: str) -> int:
        """Return the address of a function or global that the module defines.

        The first of these links the module: RuntimeError where it lacks this symbol, or needs one
        that `imports` does not have; LLVM then names that one on stderr.
        """
        found = self._addresses.get(symbol)
        if found is None:
            found = self._addresses[symbol] = self._look_up(symbol)
        return found

    def _look_up(self, symbol: str) -> int:
        with llvm_lock:
            try:
                tracker = _linker().lookup(self._library, symbol)
            except RuntimeError as error:
                message = f"generated code cannot be linked for its symbol {symbol!r}: {error}"
                raise RuntimeError(message) from error
        self._trackers.append(tracker)
        address: int = tracker[symbol]
        return address


def load(object_code: bytes, imports: Mapping[str, int]) -> NativeModule:
    """Load object code whose external symbols are `imports` (name -> address) or libc's.

    Only trusted, intact object code may come here: LLVM ends the process on a malformed one.
    """
    library = f"jitnet{next(_library_numbers)}"
    with llvm_lock:
        linker = _linker()
        builder = _llvm().JITLibraryBuilder().add_object_img(object_code).add_current_process()
        for name, address in imports.items():
            builder.import_symbol(name, address)
        try:
            tracker = builder.link(linker, library)
        except RuntimeError as error:
            raise RuntimeError(f"generated code could not be loaded: {error}") from error
    return NativeModule(library, tracker)
