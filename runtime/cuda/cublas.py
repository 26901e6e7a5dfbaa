"""NVIDIA's cuBLAS, where it is installed: the only file that calls it, through ctypes.

Nothing is allocated by a call: memory to work in is given with each, so that calls can be captured
in graphs. A handle serves one thread at a time.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import POINTER, byref, c_int, c_longlong, c_size_t, c_void_p
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from .driver import CudaError, OutOfMemoryError, Properties
from .gemm import Gemm, Matrix

_OPERATIONS = {"N": 0, "T": 1}
_TYPES = {"float32": 0, "float64": 1, "float16": 2, "bfloat16": 14}  # cudaDataType
_COMPUTE = {"32F": 68, "64F": 70, "32F_FAST_TF32": 77}  # cublasComputeType_t
_ANY_ALGORITHM = -1  # CUBLAS_GEMM_DEFAULT
_SUMS_OF_32_BITS = 16  # CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION
_NOT_ALLOCATED = 3
_STATUS = {
    1: "CUBLAS_STATUS_NOT_INITIALIZED: the driver or the runtime does not start",
    _NOT_ALLOCATED: "CUBLAS_STATUS_ALLOC_FAILED: no memory for its handle",
    7: "CUBLAS_STATUS_INVALID_VALUE: an argument is not supported",
    8: "CUBLAS_STATUS_ARCH_MISMATCH: the GPU lacks what the product needs",
    11: "CUBLAS_STATUS_MAPPING_ERROR: memory cannot be reached",
    13: "CUBLAS_STATUS_EXECUTION_FAILED: a kernel failed",
    14: "CUBLAS_STATUS_INTERNAL_ERROR: cuBLAS failed inside",
    15: "CUBLAS_STATUS_NOT_SUPPORTED: cuBLAS does not do this product",
    16: "CUBLAS_STATUS_LICENSE_ERROR: a license is missing",
}

_MATRIX = (c_void_p, c_int, c_int, c_longlong)  # where, type, lead, step
_PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "cublasCreate_v2": (POINTER(c_void_p),),
    "cublasSetMathMode": (c_void_p, c_int),
    "cublasSetStream_v2": (c_void_p, c_void_p),
    "cublasSetWorkspace_v2": (c_void_p, c_void_p, c_size_t),
    "cublasGemmStridedBatchedEx": (
        *(c_void_p, c_int, c_int, c_int, c_int, c_int),
        *(c_void_p, *_MATRIX, *_MATRIX),
        *(c_void_p, *_MATRIX),
        *(c_int, c_int, c_int),
    ),
}


@lru_cache(maxsize=1)
def find() -> str | None:
    """Return where cuBLAS is, with what it needs loaded: of wheels, conda or a toolkit."""
    if find_spec("cuda") is None or find_spec("cuda.pathfinder") is None:
        return None
    from cuda import pathfinder

    try:
        found: str | None = pathfinder.load_nvidia_dynamic_lib("cublas").abs_path
    except pathfinder.DynamicLibNotFoundError:  # it need not be there
        return None
    return found


class Cublas:
    """A handle of cuBLAS on one GPU; see Library.

    enter: makes that GPU the one that calls go to.
    """

    def __init__(self, library: Any, properties: Properties, enter: Callable[[], None]) -> None:
        self._library = library
        self._enter = enter
        self._lock = threading.Lock()
        # What NVIDIA's documentation of cublasSetWorkspace recommends.
        self.workspace_bytes = (32 if properties.capability >= (9, 0) else 4) << 20
        self._handle = c_void_p()
        for name, arguments in _PROTOTYPES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, c_int
        enter()
        self._do("cublasCreate_v2", byref(self._handle))
        self._do("cublasSetMathMode", self._handle, _SUMS_OF_32_BITS)

    def multiply(self, gemm: Gemm, a: int, b: int, c: int, workspace: int, stream: int) -> None:
        """Ask a stream for products, given addresses; numbers alpha and beta are read at once."""
        number = ctypes.c_double if gemm.compute == "64F" else ctypes.c_float
        one, zero = number(1), number(0)
        with self._lock:
            self._enter()
            self._do("cublasSetStream_v2", self._handle, stream)  # forgets the workspace: first
            self._do("cublasSetWorkspace_v2", self._handle, workspace, self.workspace_bytes)
            self._do(
                "cublasGemmStridedBatchedEx",
                self._handle,
                *(_OPERATIONS[gemm.a.op], _OPERATIONS[gemm.b.op], gemm.m, gemm.n, gemm.k),
                *(ctypes.addressof(one), *_lying(gemm.a, a), *_lying(gemm.b, b)),
                *(ctypes.addressof(zero), *_lying(gemm.c, c)),
                *(gemm.count, _COMPUTE[gemm.compute], _ANY_ALGORITHM),
            )

    def _do(self, name: str, *arguments: Any) -> None:
        """Call a function; CudaError says what went wrong."""
        status = getattr(self._library, name)(*arguments)
        if status == 0:
            return
        kind = OutOfMemoryError if status == _NOT_ALLOCATED else CudaError
        said = _STATUS.get(status, f"status {status}")
        raise kind(
            f"CUDA error: {name}: {said}; "
            "jitnet's own kernels multiply with JITNET_CUBLAS=0 in the environment"
        )


def _lying(matrix: Matrix, address: int) -> tuple[int, int, int, int]:
    return address, _TYPES[matrix.dtype], matrix.lead, matrix.step
