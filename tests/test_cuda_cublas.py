"""What the C interface of cuBLAS gets, by a library of the same functions on the host's memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_int, c_longlong, c_size_t, c_void_p
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import jitnet
from jitnet import Tensor
from jitnet.compiler.codegen.cuda import library as rule
from jitnet.compiler.codegen.cuda.program import LibraryCall
from jitnet.compiler.cuda import lower_cuda
from jitnet.runtime.cuda import cublas
from jitnet.runtime.cuda.cublas import Cublas
from jitnet.runtime.cuda.driver import CudaError, Library, OutOfMemoryError, Properties
from jitnet.runtime.cuda.gemm import Gemm, Matrix
from tests.simulated_gpu import multiply

_MATRIX = (c_void_p, c_int, c_int, c_longlong)
# As cublas_api.h has them: cublasStatus_t and all enumerations are of 4 bytes.
HEADER = {
    "cublasCreate_v2": (POINTER(c_void_p),),
    "cublasSetMathMode": (c_void_p, c_int),
    "cublasSetStream_v2": (c_void_p, c_void_p),
    "cublasSetWorkspace_v2": (c_void_p, c_void_p, c_size_t),
    "cublasGemmStridedBatchedEx": (
        *(c_void_p, c_int, c_int, c_int, c_int, c_int, c_void_p),
        *(*_MATRIX, *_MATRIX, c_void_p, *_MATRIX, c_int, c_int, c_int),
    ),
}
_DTYPES = {0: np.float32, 1: np.float64, 2: np.float16, 14: ml_dtypes.bfloat16}
_SCALARS = {68: ctypes.c_float, 70: ctypes.c_double, 77: ctypes.c_float}
HANDLE = 4711


class CLibrary(SimpleNamespace):
    """cuBLAS as C functions, which do what NVIDIA's documentation says, on the host's memory."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.fails: dict[str, int] = {}
        for name, arguments in HEADER.items():
            setattr(self, name, CFUNCTYPE(c_int, *arguments)(self._called(name)))

    def _called(self, name: str) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            self.calls.append((name, *arguments))
            if name == "cublasCreate_v2":
                arguments[0][0] = HANDLE
            elif name == "cublasGemmStridedBatchedEx" and name not in self.fails:
                _gemm(*arguments)
            return self.fails.get(name, 0)

        return call


def _gemm(*given: Any) -> None:
    """c[j * ldc + i] = alpha * sum over l of op(a)(i, l) * op(b)(l, j) + beta * c, one by one."""
    _, transa, transb, m, n, k, alpha, a, at, lda, sa, b, bt, ldb, sb = given[:15]
    beta, c, ct, ldc, sc, count, compute, algorithm = given[15:]
    scalar = _SCALARS[compute]
    assert scalar.from_address(alpha).value == 1 and scalar.from_address(beta).value == 0
    assert algorithm == -1

    def element(address: int, kind: int, place: int) -> np.ndarray:
        dtype = np.dtype(_DTYPES[kind])
        memory = (ctypes.c_uint8 * dtype.itemsize).from_address(address + place * dtype.itemsize)
        return np.frombuffer(memory, dtype)

    for number in range(count):
        for i in range(m):
            for j in range(n):
                total = 0.0
                for term in range(k):
                    first = term * lda + i if transa == 0 else i * lda + term
                    second = j * ldb + term if transb == 0 else term * ldb + j
                    left = element(a, at, number * sa + first)[0]
                    total += float(left) * float(element(b, bt, number * sb + second)[0])
                element(c, ct, number * sc + j * ldc + i)[0] = total


def opened(library: CLibrary, capability: tuple[int, int] = (8, 0)) -> Cublas:
    properties = Properties("Some GPU", *capability, 1 << 30, 108)
    return Cublas(library, properties, lambda: None)


GEMMS = {
    "plain": Gemm(
        3, 4, 5, Matrix("float32", "N", 6, 30), Matrix("float32", "N", 5, 20),
        Matrix("float32", "N", 3, 12), 2, "32F",
    ),
    "turned": Gemm(
        3, 4, 5, Matrix("float64", "T", 5, 0), Matrix("float64", "T", 4, 24),
        Matrix("float64", "N", 4, 16), 2, "64F",
    ),
    "narrow": Gemm(
        4, 2, 8, Matrix("bfloat16", "T", 8, 0), Matrix("bfloat16", "N", 8, 0),
        Matrix("bfloat16", "N", 4, 0), 1, "32F",
    ),
    "half": Gemm(
        4, 2, 8, Matrix("float16", "N", 4, 0), Matrix("float16", "T", 2, 0),
        Matrix("float32", "N", 4, 0), 1, "32F",
    ),
    "tf32": Gemm(
        2, 2, 2, Matrix("float32", "T", 2, 0), Matrix("float32", "N", 2, 0),
        Matrix("float32", "N", 2, 0), 1, "32F_FAST_TF32",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GEMMS)
def test_arguments_in_c(name: str) -> None:
    """What the C interface gets makes the products that the simulated GPU makes."""
    gemm, c_library = GEMMS[name], CLibrary()
    library: Library = opened(c_library)
    rng = np.random.default_rng(0)
    a, b, c, wanted = (
        rng.integers(-4, 5, 64).astype(
            each.dtype if each.dtype != "bfloat16" else ml_dtypes.bfloat16
        )
        for each in (gemm.a, gemm.b, gemm.c, gemm.c)
    )
    wanted[...] = c
    library.multiply(gemm, a.ctypes.data, b.ctypes.data, c.ctypes.data, 512, 99)
    multiply(gemm, a, b, wanted)
    np.testing.assert_array_equal(c, wanted)
    assert [call[0] for call in c_library.calls] == [
        "cublasCreate_v2", "cublasSetMathMode", "cublasSetStream_v2", "cublasSetWorkspace_v2",
        "cublasGemmStridedBatchedEx",
    ]  # fmt: skip
    assert c_library.calls[2] == ("cublasSetStream_v2", HANDLE, 99)
    assert c_library.calls[3] == ("cublasSetWorkspace_v2", HANDLE, 512, 4 << 20)


PRODUCTS: dict[str, Callable[..., Tensor]] = {
    "plain": lambda x, y: x @ y.t().contiguous(),
    "b_turned": lambda x, y: x @ y.t(),
    "a_turned": lambda x, y: x.t() @ y,
    "both_turned": lambda x, y: y.t() @ x,
    "parts": lambda x, y: x[1:, 1:] @ y[:3, 1:].t(),
    "batches": lambda x, y: x.reshape(2, 3, 8) @ y.reshape(2, 3, 8).transpose(1, 2),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_from_tensors_to_c(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a product of tensors, what C gets makes the right one: nothing between is simulated."""
    monkeypatch.setattr(rule, "LEAST_SIDE", 2)
    monkeypatch.setattr(rule, "LEAST_MULTIPLICATIONS", 1)
    x, y = (jitnet.arange(48.0).reshape(6, 8) % 7 - number for number in (3, 2))
    compiled = jitnet.compile(PRODUCTS[name])
    wanted = compiled(x, y).numpy()
    graph = compiled.variants[0].programs[0].executable.compiled.graph
    (call,) = (
        each
        for each in lower_cuda(graph, library=True).program.launches
        if isinstance(each, LibraryCall)
    )
    found = np.zeros_like(wanted)
    memory = {"x": x.numpy(), "y": y.numpy(), "out0": found}
    if name == "plain":
        memory["t0"] = np.ascontiguousarray(y.numpy().T)  # what a kernel before it makes
    places = [
        memory[buffer.owner.name].ctypes.data + 4 * (buffer.offset + start)
        for buffer, start in call.operands
    ]
    opened(CLibrary()).multiply(call.gemm, *places, 512, 1)
    np.testing.assert_array_equal(found, wanted)
    assert Gemm.from_list(call.gemm.to_list()) == call.gemm


def test_workspaces_are_larger_on_hopper() -> None:
    assert opened(CLibrary(), (9, 0)).workspace_bytes == 32 << 20


def test_errors_are_named() -> None:
    c_library = CLibrary()
    library = opened(c_library)
    c_library.fails["cublasGemmStridedBatchedEx"] = 15
    with pytest.raises(CudaError, match=r"CUBLAS_STATUS_NOT_SUPPORTED.*JITNET_CUBLAS=0"):
        library.multiply(GEMMS["tf32"], 0, 0, 0, 512, 1)
    c_library.fails["cublasCreate_v2"] = 3
    with pytest.raises(OutOfMemoryError, match="CUBLAS_STATUS_ALLOC_FAILED"):
        opened(c_library)


def test_it_need_not_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cublas, "find_spec", lambda name: None)
    cublas.find.cache_clear()
    assert cublas.find() is None
    cublas.find.cache_clear()
