"""How sparse tensors print: as PyTorch prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tensor import Tensor

if TYPE_CHECKING:
    from .tensor import SparseTensor

_INDENT = " " * len("tensor(")


def _named(name: str, part: Tensor) -> str:
    """Return `name=tensor(...)` without its dtype, its further lines under the first."""
    text = str(part).replace(f", dtype={part.dtype!r})", ")")
    deeper = "\n" + _INDENT + " " * (len(name) + 1)
    return f"{name}={text.replace(chr(10), deeper)}"


def describe(x: SparseTensor) -> str:
    """Return the tensor as text."""
    values = x._values().detach()
    if x.is_sparse_csr:
        parts = [_named("crow_indices", x.crow_indices()), _named("col_indices", x.col_indices())]
    else:
        parts = [_named("indices", x._indices())]
    dtype = f"dtype={x.dtype!r}, " if f"dtype={x.dtype!r}" in str(values) else ""
    tail = f"size={tuple(x._type.shape)}, nnz={x._nnz()}, {dtype}layout=jitnet.{x.layout}"
    if x.requires_grad:
        tail += f", grad_fn=<{x.grad_fn.name()}>" if x.grad_fn else ", requires_grad=True"
    text = f",\n{_INDENT}".join([*parts, _named("values", values), tail])
    return f"tensor({text})"
