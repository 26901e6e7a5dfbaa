"""LLVM IR for what differs between systems: waiting on memory, pausing, float modes."""

from __future__ import annotations

import ctypes
import sys

from .dataclass import dataclass


@dataclass(frozen=True)
class PlatformCode:
    """IR text that defines the functions below, and the addresses of the symbols that it calls.

    - `@wait(ptr %word, i32 %expected)`: sleep while the word holds expected; may return early.
    - `@wake(ptr %word)`: wake all sleepers of the word.
    - `@pause()`: tell the core that this is a spinning loop.
    - `i64 @ticks()`: a clock of any unit, or always 0 where there is none that a program may read.
    - `i64 @float_mode()`, `@set_float_mode(i64)`: how denormals and rounding are treated.
    """

    text: str
    imports: dict[str, int]


def platform_code(triple: str) -> PlatformCode:
    """Return the code for this process's system and processor."""
    waiting = _waiting(triple)
    return PlatformCode(
        "\n".join([waiting.text, _pause(triple), _ticks(triple), _float_mode(triple)]),
        waiting.imports,
    )


# -- waiting ------------------------------------------------------------------------------------

# 128 and 129: FUTEX_WAIT and FUTEX_WAKE, for words that no other process sees.
_WAIT_LINUX = """
declare i64 @syscall(i64, ...)
define internal void @wait(ptr %word, i32 %expected) nounwind {
  %ignored = call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i64 128, i32 %expected, ptr null)
  ret void
}
define internal void @wake(ptr %word) nounwind {
  %ignored = call i64 (i64, ...) @syscall(i64 FUTEX, ptr %word, i64 129, i64 2147483647)
  ret void
}
"""

_WAIT_MACOS = """
declare i32 @os_sync_wait_on_address(ptr, i64, i64, i32)
declare i32 @os_sync_wake_by_address_all(ptr, i64, i32)
define internal void @wait(ptr %word, i32 %expected) nounwind {
  %wide = zext i32 %expected to i64
  %ignored = call i32 @os_sync_wait_on_address(ptr %word, i64 %wide, i64 4, i32 0)
  ret void
}
define internal void @wake(ptr %word) nounwind {
  %ignored = call i32 @os_sync_wake_by_address_all(ptr %word, i64 4, i32 0)
  ret void
}
"""

_WAIT_WINDOWS = """
declare i32 @WaitOnAddress(ptr, ptr, i64, i32)
declare void @WakeByAddressAll(ptr)
define internal void @wait(ptr %word, i32 %expected) nounwind {
  %compared = alloca i32
  store i32 %expected, ptr %compared
  %ignored = call i32 @WaitOnAddress(ptr %word, ptr %compared, i64 4, i32 -1)
  ret void
}
define internal void @wake(ptr %word) nounwind {
  call void @WakeByAddressAll(ptr %word)
  ret void
}
"""

# A system without waiting on memory: look again every 100 us.
_WAIT_SLEEPING = """
declare i32 @usleep(i32)
define internal void @wait(ptr %word, i32 %expected) nounwind {
  %ignored = call i32 @usleep(i32 100)
  ret void
}
define internal void @wake(ptr %word) nounwind {
  ret void
}
"""

_FUTEX_CALL = {"x86_64": 202, "aarch64": 98, "riscv64": 98, "powerpc64le": 221, "ppc64le": 221}


def _waiting(triple: str) -> PlatformCode:
    """Return @wait and @wake."""
    if sys.platform == "win32":
        synch = ctypes.CDLL("api-ms-win-core-synch-l1-2-0.dll")
        return PlatformCode(_WAIT_WINDOWS, _addresses(synch, "WaitOnAddress", "WakeByAddressAll"))
    process = ctypes.CDLL(None)
    futex = _FUTEX_CALL.get(triple.split("-")[0])
    if sys.platform == "linux" and futex is not None:
        text = _WAIT_LINUX.replace("FUTEX", str(futex))
        return PlatformCode(text, _addresses(process, "syscall"))
    if hasattr(process, "os_sync_wait_on_address"):
        names = ("os_sync_wait_on_address", "os_sync_wake_by_address_all")
        return PlatformCode(_WAIT_MACOS, _addresses(process, *names))
    return PlatformCode(_WAIT_SLEEPING, _addresses(process, "usleep"))


def _addresses(library: ctypes.CDLL, *names: str) -> dict[str, int]:
    """Return where a library's functions lie."""
    found = {}
    for name in names:
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        assert address is not None
        found[name] = address
    return found


# -- the processor ------------------------------------------------------------------------------


def _pause(triple: str) -> str:
    if triple.startswith(("x86_64", "i686")):
        declared, body = "declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"
    elif triple.startswith(("aarch64", "arm64")):
        # isb takes about as long as x86's pause; the yield instruction does nothing on most cores.
        declared = "declare void @llvm.aarch64.isb(i32)"
        body = "call void @llvm.aarch64.isb(i32 15)"
    else:
        declared, body = "", "; no such instruction is known"
    return f"{declared}\ndefine internal void @pause() nounwind {{\n  {body}\n  ret void\n}}\n"


def _ticks(triple: str) -> str:
    if triple.startswith(("x86_64", "i686")):
        name = "llvm.readcyclecounter"
    elif triple.startswith(("aarch64", "arm64")):
        name = "llvm.readsteadycounter"  # its cycle counter is the system's alone
    else:
        return "define internal i64 @ticks() nounwind {\n  ret i64 0\n}\n"
    body = f"  %now = call i64 @{name}()\n  ret i64 %now"
    return f"declare i64 @{name}()\ndefine internal i64 @ticks() nounwind {{\n{body}\n}}\n"


_FLOAT_MODE_X86 = """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal i64 @float_mode() nounwind {
  %cell = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %cell)
  %mode = load i32, ptr %cell
  %wide = zext i32 %mode to i64
  ret i64 %wide
}
define internal void @set_float_mode(i64 %wide) nounwind {
  %cell = alloca i32
  %mode = trunc i64 %wide to i32
  store i32 %mode, ptr %cell
  call void @llvm.x86.sse.ldmxcsr(ptr %cell)
  ret void
}
"""

_FLOAT_MODE_ARM = """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define internal i64 @float_mode() nounwind {
  %mode = call i64 @llvm.aarch64.get.fpcr()
  ret i64 %mode
}
define internal void @set_float_mode(i64 %mode) nounwind {
  call void @llvm.aarch64.set.fpcr(i64 %mode)
  ret void
}
"""

_FLOAT_MODE_NONE = """
define internal i64 @float_mode() nounwind {
  ret i64 0
}
define internal void @set_float_mode(i64 %mode) nounwind {
  ret void
}
"""


def _float_mode(triple: str) -> str:
    if triple.startswith(("x86_64", "i686")):
        return _FLOAT_MODE_X86
    return _FLOAT_MODE_ARM if triple.startswith(("aarch64", "arm64")) else _FLOAT_MODE_NONE
