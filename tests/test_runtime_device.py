"""The processor, devices, and memory: what they say of themselves, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jitnet
from jitnet.runtime import cpu, layout, memory
from jitnet.runtime.device import CPU, Device, backend, host_target

AVX512 = {"avx512f": True, "avx512vl": True, "avx512dq": True, "avx2": True, "fma": True}


# -- devices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cpu", "cpu:0"])
def test_the_cpu_is_a_device(name: str) -> None:
    assert str(Device(name)) == name
    assert Device(name).type == "cpu"
    assert backend(Device(name)) is cpu


def test_a_gpu_is_named_whether_or_not_there_is_one() -> None:
    assert Device(0) == Device("cuda:0") == Device(Device("cuda", 0))
    assert Device("cuda:1") == Device("cuda", 1)


def test_a_device_prints_as_pytorchs() -> None:
    assert repr(CPU) == "device(type='cpu')"
    assert repr(Device("cuda", 1)) == "device(type='cuda', index=1)"


@pytest.mark.parametrize("name", ["cuda:", "tpu", "", "cpu:", "cpu:x"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(RuntimeError, match=f"no device is called '{name}'; there are 'cpu'"):
        Device(name)


# -- the processor ------------------------------------------------------------------------------


def test_the_host_is_described() -> None:
    target = host_target()
    assert target.vector_bytes in (16, 32, 64)
    assert target.vector_registers in (16, 32)
    assert target.cache_bytes >= 1 << 16
    assert target.lanes(4) == target.vector_bytes // 4
    assert target.cpu and target.triple


@pytest.mark.parametrize(
    ("has", "widest"),
    [
        (AVX512, 64),
        ({**AVX512, "avx512vl": False}, 32),
        ({"avx2": True, "fma": True}, 32),
        ({"avx2": True, "fma": False}, 16),
        ({"neon": True}, 16),
        ({}, 16),
    ],
)
def test_the_widest_vector_follows_from_the_features(has: dict[str, bool], widest: int) -> None:
    assert cpu.widest_vector(has) == widest


def test_narrower_vectors_turn_wider_features_off() -> None:
    has = {**AVX512, "avx": True, "avx10.1": True, "sse4.2": True, "f16c": True, "vaes": True}
    in_32 = cpu.without_wider_vectors(has, 32)
    assert {name for name, on in in_32.items() if on} == {
        "avx", "avx2", "fma", "sse4.2", "f16c", "vaes"
    }  # fmt: skip
    in_16 = cpu.without_wider_vectors(has, 16)
    assert {name for name, on in in_16.items() if on} == {"sse4.2"}
    assert cpu.without_wider_vectors(has, 64) == has


def test_vector_bytes_can_be_narrowed(monkeypatch: pytest.MonkeyPatch) -> None:
    widest = host_target().vector_bytes
    monkeypatch.setenv("JITNET_VECTOR_BYTES", "16")
    narrow = host_target()
    assert narrow.vector_bytes == 16
    if widest > 16:
        assert "+avx" not in narrow.features and not narrow.has_fma
        assert narrow.vector_registers == 16
        text = cpu.assembly(_sum_of_vectors(narrow.triple), narrow)
        assert "ymm" not in text and "zmm" not in text


@pytest.mark.parametrize("wanted", ["8", "wide", "128", "-16"])
def test_other_vector_bytes_are_refused(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("JITNET_VECTOR_BYTES", wanted)
    with pytest.raises(ValueError, match="must be 16, 32 or 64"):
        host_target()


def test_wider_vectors_than_the_processor_has_are_refused() -> None:
    with pytest.raises(ValueError, match="this processor has 16-byte ones; set 16 or less"):
        cpu._parse_vector_bytes("32", 16)


def test_the_level_2_cache_is_read_from_the_system(tmp_path: Path) -> None:
    caches = tmp_path / "sys/devices/system/cpu/cpu0/cache"
    for index, level, size in [(0, "1", "48K"), (2, "2", "2048K"), (3, "3", "32768K")]:
        (caches / f"index{index}").mkdir(parents=True)
        (caches / f"index{index}/level").write_text(level + "\n")
        (caches / f"index{index}/size").write_text(size + "\n")
    assert cpu.level_2_bytes(tmp_path) == 2 << 20
    (caches / "index2/size").unlink()
    assert cpu.level_2_bytes(tmp_path) == 1 << 19
    assert cpu.level_2_bytes(tmp_path / "absent") == 1 << 19


def _sum_of_vectors(triple: str) -> str:
    return f"""
target triple = "{triple}"
define void @add(ptr %a, ptr %b) {{
  %x = load <16 x float>, ptr %a, align 4
  %y = load <16 x float>, ptr %b, align 4
  %z = fadd <16 x float> %x, %y
  store <16 x float> %z, ptr %a, align 4
  ret void
}}
"""


def test_assembly_is_text() -> None:
    target = host_target()
    text = cpu.assembly(_sum_of_vectors(target.triple))
    assert "add:" in text and "ret" in text


@pytest.mark.parametrize("text", ["define void @f( {", "not llvm at all"])
def test_malformed_ir_is_an_error_not_a_crash(text: str) -> None:
    with pytest.raises(RuntimeError, match="LLVM refused generated code"):
        cpu.compile_object(text, host_target())


def test_debugging_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JITNET_DEBUG", "1")
    text = (
        "define i32 @f(i1 %c) {\nentry:\n  br label %b\nb:\n  %x = phi i32 [0, %b]\n  ret i32 %x\n}"
    )
    with pytest.raises(RuntimeError, match="LLVM refused generated code"):
        cpu.compile_object(text, host_target())


def test_loading_resolves_imports_and_names_what_is_missing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    target = host_target()
    text = f"""
target triple = "{target.triple}"
@outside = external global i64
declare void @nowhere()
define ptr @where() {{
  ret ptr @outside
}}
"""
    code = cpu.compile_object(text, target)
    module = cpu.load(code, {"outside": 4096})
    assert module.address("where") != 0
    with pytest.raises(RuntimeError, match="cannot be linked for its symbol 'absent'"):
        module.address("absent")
    calling = text.replace("ret ptr", "call void @nowhere()\n  ret ptr")
    module = cpu.load(cpu.compile_object(calling, target), {"outside": 4096})
    with pytest.raises(RuntimeError, match="cannot be linked for its symbol 'where'"):
        module.address("where")
    assert "nowhere" in capfd.readouterr().err


# -- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 64, 100, 4096, 70_000, 3 << 20])
def test_an_arena_is_zero_and_aligned(size: int) -> None:
    arena = memory.Arena(size)
    assert arena.address % memory.ALIGNMENT == 0 and arena.address != 0
    assert arena.array.nbytes == size and not arena.array.any()
    if size:
        assert arena.array.ctypes.data == arena.address
        arena.array[:] = 255
    if size >= memory.HUGE_PAGE:
        assert arena.address % memory.HUGE_PAGE == 0


@pytest.mark.parametrize("size", [1 << 20, (2 << 20) + 4096, (3 << 20) + 5, 9 << 20])
def test_zeros_are_zero_where_an_earlier_array_was(size: int) -> None:
    for _ in range(3):
        zeros = memory.aligned_zeros((size,), np.dtype(np.uint8))
        assert zeros.nbytes == size and not zeros.any()
        zeros[:] = 1
        del zeros


@pytest.mark.parametrize("size", [1 << 50, 1 << 62])
def test_memory_that_there_is_not(size: int) -> None:
    for make in (memory.aligned_zeros, memory.aligned_empty):
        with pytest.raises(MemoryError, match="bytes for an array"):
            make((size,), np.dtype(np.uint8))


def test_rooms_of_large_results_share_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEEP_ROOMS", 5 << 20)
    monkeypatch.setattr(memory, "_large", {})

    def rooms(size: int) -> memory.Rooms | None:
        return memory.rooms_for((size,), np.dtype(np.uint8))

    first, second = rooms(1 << 20), rooms(1 << 20)
    assert first is not None and second is not None
    assert rooms(1 << 20) is None and rooms(100) is not None
    del second
    assert rooms(1 << 20) is not None


def test_large_results_lie_where_none_that_is_held_does() -> None:
    double = jitnet.compile(lambda x: 2 * x)
    ones = jitnet.ones(1 << 20)
    held = [double(ones * factor).numpy() for factor in range(4)]
    assert [float(array.min()) for array in held] == [0, 2, 4, 6]
    assert [float(array.max()) for array in held] == [0, 2, 4, 6]
    if layout.LAYOUT_KNOWN:
        assert len({double(ones).numpy().ctypes.data for _ in range(8)}) <= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_an_arena_is_not_shared_with_a_child(tmp_path: Path) -> None:
    script = (
        "import os\n"
        "from jitnet.runtime.memory import Arena\n"
        "arena = Arena(4096)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    arena.array[0] = 7\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "assert arena.array[0] == 0\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=_root())


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "int8"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (5, 7), (1000, 33)])
def test_fresh_arrays_are_aligned(shape: tuple[int, ...], dtype: str) -> None:
    for _ in range(5):
        zeros = memory.aligned_zeros(shape, np.dtype(dtype))
        assert (zeros == 0).all()
        one = np.broadcast_to(np.ones((), dtype), shape)
        for array in (
            memory.aligned_empty(shape, np.dtype(dtype)),
            zeros,
            memory.aligned_copy(one),
        ):
            assert type(array) is np.ndarray
            assert array.shape == shape and array.dtype == dtype
            assert array.ctypes.data % 64 == 0
            assert array.flags.c_contiguous and array.flags.writeable
            array[...] = 1
            assert (array == 1).all()


def test_addresses_are_those_of_the_first_element() -> None:
    block = np.arange(24.0).reshape(4, 6)
    for array in (block, block[1:, 3:], block[::-1, ::-1], block.T, block[2:2], block[3, 3, None]):
        assert layout.address_of(array) == array.ctypes.data
        assert layout._address_from_numpy(array) == array.ctypes.data


# -- imports ------------------------------------------------------------------------------------


def _root() -> Path:
    return Path(__file__).parents[1]


def test_importing_the_runtime_does_not_load_llvm() -> None:
    script = (
        "import sys\n"
        "import jitnet.runtime.cache, jitnet.runtime.program, jitnet.runtime.device\n"
        "assert 'llvmlite.binding' not in sys.modules, 'LLVM takes 0.1 s to load'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=_root())
