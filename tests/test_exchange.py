"""Memory shared with other libraries: NumPy's protocols, DLPack, buffers, asarray."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet

DTYPES = ("bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 float32 float64").split()


def test_numpys_functions_take_tensors_and_give_tensors() -> None:
    x = jitnet.tensor([0.0, 1.0])
    assert isinstance(np.sin(x), jitnet.Tensor)
    assert np.sin(x).dtype is jitnet.float32
    assert np.add(np.ones(2), x).tolist() == [1.0, 2.0]
    assert isinstance(np.concatenate([x, x]), np.ndarray)
    assert np.asarray(x).ctypes.data == x.data_ptr()
    assert np.array(x, dtype=np.int8).tolist() == [0, 1]
    assert np.asarray(x, copy=False).dtype == np.float32
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(x, dtype=np.float64, copy=False)
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x.requires_grad_())


def test_arrays_meet_tensors_in_operators() -> None:
    x, a = jitnet.tensor([1.0, 2.0]), np.array([3.0, 4.0])
    for result in (x * a, a * x, np.multiply(a, x)):
        assert isinstance(result, jitnet.Tensor)
        assert result.tolist() == [3.0, 8.0]
    assert (np.float32(2) * x).dtype is jitnet.float32
    assert (a == x).dtype is jitnet.bool


@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_shares_memory_both_ways(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype).T
    x = jitnet.from_dlpack(array)
    assert x.dtype is getattr(jitnet, dtype)
    assert x.stride() == (1, 3)
    assert x.data_ptr() == array.ctypes.data
    back = np.from_dlpack(x)
    assert back.ctypes.data == array.ctypes.data
    assert back.strides == array.strides
    assert back.dtype == array.dtype
    x[0, 1] = 1
    assert array[0, 1] == back[0, 1] == 1


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_dlpack_with_pytorch(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    theirs = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype)).t()
    ours = jitnet.from_dlpack(theirs)
    assert repr(ours.dtype) == f"jitnet.{dtype}"
    assert ours.tolist() == theirs.tolist()
    back = torch.from_dlpack(ours)
    assert back.dtype is theirs.dtype
    assert back.data_ptr() == theirs.data_ptr() == ours.data_ptr()
    assert back.stride() == theirs.stride()
    for empty in (torch.zeros(0, 3), torch.tensor(3.0)):
        assert torch.equal(torch.from_dlpack(jitnet.from_dlpack(empty)), empty)


def test_dlpack_capsules_of_both_versions() -> None:
    x = jitnet.arange(3)
    for version in (None, (0, 5), (1, 0), (1, 1)):
        capsule = x.__dlpack__(max_version=version)
        assert ("versioned" in repr(capsule)) == (version is not None and version[0] == 1)
        assert jitnet.from_dlpack(capsule).data_ptr() == x.data_ptr()
        with pytest.raises(ValueError, match="fresh DLPack capsule"):
            jitnet.from_dlpack(capsule)
    assert jitnet.utils.dlpack.from_dlpack(jitnet.to_dlpack(x)).tolist() == [0, 1, 2]
    assert x.__dlpack_device__() == (1, 0)


def test_dlpack_keeps_memory_alive() -> None:
    x = jitnet.from_dlpack(jitnet.arange(1000).__dlpack__())
    jitnet.zeros(1000, dtype=jitnet.int64)
    assert x.sum().item() == 499500


def test_dlpack_options() -> None:
    array = np.arange(3.0)
    assert jitnet.from_dlpack(array, copy=True).data_ptr() != array.ctypes.data
    assert jitnet.from_dlpack(array, copy=False, device="cpu").data_ptr() == array.ctypes.data
    x = jitnet.from_dlpack(array)
    assert jitnet.from_dlpack(x.__dlpack__(copy=True)).data_ptr() != x.data_ptr()
    assert jitnet.from_dlpack(x.__dlpack__(dl_device=(1, 0))).data_ptr() == x.data_ptr()
    with pytest.raises(RuntimeError, match="not on meta"):
        jitnet.from_dlpack(array, device="meta")
    for options in ({"stream": 1}, {"dl_device": (2, 0)}):
        with pytest.raises(BufferError):
            x.__dlpack__(**options)  # type: ignore[arg-type]
    with pytest.raises(BufferError, match="detach"):
        x.requires_grad_().__dlpack__()


class _Elsewhere:
    """Memory of a GPU of another maker."""

    def __dlpack_device__(self) -> tuple[int, int]:
        return 10, 0

    def __dlpack__(self, **options: Any) -> Any:
        raise AssertionError("not asked for")


def test_dlpack_of_another_device_and_of_turned_memory() -> None:
    with pytest.raises(BufferError, match="device"):
        jitnet.from_dlpack(_Elsewhere())
    with pytest.raises(ValueError, match="negative strides"):
        jitnet.from_dlpack(np.arange(3)[::-1])


def test_memory_for_reading_only_is_not_written() -> None:
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    x = jitnet.from_dlpack(array)
    assert x.data_ptr() == array.ctypes.data
    with pytest.raises(ValueError, match="read-only"):
        x.add_(1)

    @jitnet.compile
    def write(x: jitnet.Tensor) -> None:
        x.add_(1)

    with pytest.raises(ValueError, match="read-only"):
        write(x)
    assert array.tolist() == [0.0, 0.0, 0.0]


def test_compiled_code_sees_writes_from_outside() -> None:
    array = np.ones(3, np.float32)
    x = jitnet.from_dlpack(array)
    run = jitnet.compile(lambda: x.sum() * 2)
    assert run().item() == 6
    array[:] = 5
    assert run().item() == 30


def test_asarray() -> None:
    array = np.arange(3.0)
    x = jitnet.asarray(array)
    assert x.data_ptr() == array.ctypes.data
    assert jitnet.asarray(x) is x
    assert jitnet.asarray(x, copy=True).data_ptr() != x.data_ptr()
    assert jitnet.asarray(x, dtype=jitnet.float32).dtype is jitnet.float32
    assert jitnet.asarray([1, 2], requires_grad=False).dtype is jitnet.int64
    assert jitnet.asarray([1.0], requires_grad=True).requires_grad
    weight = jitnet.ones(2, requires_grad=True)
    assert jitnet.asarray(weight, requires_grad=True) is weight
    assert not jitnet.asarray(weight).requires_grad
    assert jitnet.asarray(bytearray(8), dtype=jitnet.int32).tolist() == [0, 0]
    for value, options in (([1], {}), (array, {"dtype": jitnet.int8})):
        with pytest.raises(ValueError, match="cop"):
            jitnet.asarray(value, copy=False, **options)


def test_frombuffer() -> None:
    buffer = bytearray(b"\x01\0\0\0\x02\0\0\0\x03")
    x = jitnet.frombuffer(buffer, dtype=jitnet.int32, count=2)
    assert x.tolist() == [1, 2]
    x[0] = 7
    assert buffer[0] == 7
    assert jitnet.frombuffer(buffer, dtype=jitnet.uint8, offset=8).tolist() == [3]
    for options in ({}, {"offset": 9}, {"count": 3}, {"count": 0}, {"offset": -1}):
        with pytest.raises(ValueError, match="buffer"):
            jitnet.frombuffer(buffer, dtype=jitnet.int32, **options)
