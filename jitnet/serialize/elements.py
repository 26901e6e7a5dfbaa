"""Element types as files name them: one row for each, for both formats.

A row whose dtype jitnet does not have yet makes a clear error, and works once it has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from jitnet.runtime.dtype import DTYPES, DType

from .errors import CheckpointError


@dataclass(frozen=True)
class Element:
    """What one element type is called."""

    dtype: str  # ours, and PyTorch's
    storage: str | None  # the class of the storage in a .pth file; None: one without a type
    safetensors: str


ELEMENTS = (
    Element("bool", "BoolStorage", "BOOL"),
    Element("uint8", "ByteStorage", "U8"),
    Element("int8", "CharStorage", "I8"),
    Element("int16", "ShortStorage", "I16"),
    Element("int32", "IntStorage", "I32"),
    Element("int64", "LongStorage", "I64"),
    Element("uint16", None, "U16"),
    Element("uint32", None, "U32"),
    Element("uint64", None, "U64"),
    Element("float16", "HalfStorage", "F16"),
    Element("bfloat16", "BFloat16Storage", "BF16"),
    Element("float32", "FloatStorage", "F32"),
    Element("float64", "DoubleStorage", "F64"),
    Element("complex64", "ComplexFloatStorage", "C64"),
    Element("complex128", "ComplexDoubleStorage", "C128"),
)
_HAVE = {dtype.name: dtype for dtype in DTYPES}
BY_STORAGE = {element.storage: element.dtype for element in ELEMENTS if element.storage}
BY_SAFETENSORS = {element.safetensors: element.dtype for element in ELEMENTS}
STORAGE_OF = {element.dtype: element.storage for element in ELEMENTS}


def stored_dtype(name: str) -> DType:
    """Return the dtype of that name; CheckpointError for one that jitnet lacks."""
    if name not in _HAVE:
        raise CheckpointError(
            f"the file holds {name} tensors, a dtype that jitnet lacks; convert them before "
            "saving, such as by .float()"
        )
    return _HAVE[name]
