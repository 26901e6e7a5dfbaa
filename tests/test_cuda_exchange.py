"""A GPU's memory shared with other libraries: DLPack both ways, CUDA's array interface."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor
from jitnet.runtime.cuda import dlpack
from jitnet.runtime.dtype import DTYPES, DType
from tests.gpu_fixture import REAL

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]
GPU = jitnet.device("cuda:0")


class Library:
    """Another library's array: what is asked of it is written down."""

    def __init__(self, x: Tensor, versions: bool = True) -> None:
        self.x, self.versions, self.asked = x, versions, {}  # type: ignore[var-annotated]

    def __dlpack__(self, **asked: Any) -> Any:
        if "max_version" in asked and not self.versions:
            raise TypeError("max_version")
        self.asked = asked
        return self.x.__dlpack__(**asked)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.x.__dlpack_device__()  # type: ignore[no-any-return]


class Interface:
    """An array with CUDA's array interface."""

    def __init__(self, x: Tensor, **changes: Any) -> None:
        self.x = x
        self.__cuda_array_interface__ = {**x.__cuda_array_interface__, **changes}


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.short)
@pytest.mark.parametrize("versions", [True, False])
def test_dlpack_shares_memory(dtype: DType, versions: bool) -> None:
    x = jitnet.arange(6).reshape(2, 3).to("cuda", dtype)
    other = Library(x, versions)
    y = jitnet.from_dlpack(other)
    assert (y.device, y.dtype, y.shape) == (GPU, dtype, x.shape)
    assert y.tolist() == x.tolist()
    assert other.asked["stream"] > 0
    x.zero_()
    assert y.tolist() == x.tolist()


def test_views_and_empty_tensors() -> None:
    x = jitnet.arange(12.0, device="cuda").reshape(3, 4)
    y = jitnet.from_dlpack(x.t()[1:])
    assert y.stride() == (1, 4) and y.tolist() == x.t()[1:].tolist()
    y += 100
    assert x[2, 3].item() == 111
    assert jitnet.from_dlpack(jitnet.zeros(0, 3, device="cuda")).shape == (0, 3)
    assert jitnet.from_dlpack(jitnet.tensor(2.0, device="cuda")).item() == 2


def test_memory_stays_while_somebody_has_it() -> None:
    x = jitnet.arange(4.0, device="cuda") + 1
    before = len(dlpack._lent)
    capsule = x.__dlpack__()
    del x
    gc.collect()
    filler = jitnet.zeros(4, device="cuda")
    y = jitnet.from_dlpack(capsule)
    assert y.tolist() == [1, 2, 3, 4] and len(dlpack._lent) == before + 1
    with pytest.raises(ValueError, match="fresh DLPack capsule"):
        jitnet.from_dlpack(capsule)
    del y, filler
    gc.collect()
    jitnet.cuda.synchronize()  # before that the GPU may still use it
    assert len(dlpack._lent) == before
    untaken = jitnet.zeros(2, device="cuda").__dlpack__(max_version=(1, 0))
    assert len(dlpack._lent) == before + 1
    del untaken
    gc.collect()
    assert len(dlpack._lent) == before


def test_devices_and_copies() -> None:
    x = jitnet.arange(3.0, device="cuda")
    assert x.__dlpack_device__() == (2, 0) and jitnet.zeros(1).__dlpack_device__() == (1, 0)
    assert jitnet.from_dlpack(x, device="cpu").device.type == "cpu"
    assert np.from_dlpack(jitnet.from_dlpack(x, device="cpu")).tolist() == [0, 1, 2]
    copied = jitnet.from_dlpack(x, copy=True)
    x.zero_()
    assert copied.tolist() == [0, 1, 2]
    here = x.__dlpack__(dl_device=(1, 0))
    assert jitnet.from_dlpack(here).device.type == "cpu"
    with pytest.raises(BufferError, match="uncopied"):
        jitnet.from_dlpack(x, device="cpu", copy=False)
    with pytest.raises(BufferError, match="a copy would be needed"):
        x.__dlpack__(dl_device=(1, 0), copy=False)
    with pytest.raises(BufferError, match="stream wants"):
        x.__dlpack__(stream=0)
    with pytest.raises(BufferError, match="require gradient"):
        x.requires_grad_().__dlpack__()


@pytest.mark.skipif(REAL, reason="looks into a simulated GPU")
def test_the_taker_s_stream_waits(gpu: Any) -> None:
    x = jitnet.ones(4, device="cuda") * 3
    driver = gpu.drivers[0]
    theirs = driver.new_stream()
    y = Library(x)
    capsule = y.__dlpack__(stream=theirs)
    found = np.empty(4, np.float32)
    contents = dlpack.contents_of(capsule)
    driver.download(found.ctypes.data, contents.address, found.nbytes, theirs)
    driver.synchronize(theirs)
    contents.give_back()
    assert found.tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize("through", [jitnet.as_tensor, jitnet.asarray])
def test_the_array_interface(through: Any) -> None:
    x = jitnet.arange(6.0, device="cuda").reshape(2, 3)
    told = x.__cuda_array_interface__
    assert (told["shape"], told["typestr"], told["strides"]) == ((2, 3), "<f4", None)
    y = through(Interface(x))
    assert y.device == GPU and y.tolist() == x.tolist()
    x += 1
    assert y.tolist() == x.tolist()
    turned = through(Interface(x.t()))
    assert turned.stride() == (1, 3) and turned.tolist() == x.t().tolist()
    assert through(Interface(x), device="cpu").device.type == "cpu"
    with pytest.raises(BufferError, match="may be written"):
        through(Interface(x, data=(x.data_ptr(), True)))


def test_what_has_no_interface() -> None:
    assert not hasattr(jitnet.zeros(2), "__cuda_array_interface__")
    with pytest.raises(AttributeError, match="no bfloat16"):
        jitnet.zeros(2, dtype=jitnet.bfloat16, device="cuda").__cuda_array_interface__  # noqa: B018
    with pytest.raises(RuntimeError, match="requires grad"):
        jitnet.zeros(2, device="cuda").requires_grad_().__cuda_array_interface__  # noqa: B018
