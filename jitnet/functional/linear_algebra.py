"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from jitnet.compiler import ops
from jitnet.compiler.ir.dims import numel
from jitnet.runtime.dtype import bool_, promote

from ..errors import DTypeError, ShapeError, at_line
from ..tensor import Tensor
from .arithmetic import add, mul
from .out import with_out
from .precision import autocast_lowers, autocast_passes, autocast_widens, rounded_once
from .promote import as_tensor_like, broadcast_shapes, normal_dim, to_dtype, to_shape

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "cdist", "cross", "dot", "ger", "inner",
    "kron", "matmul", "mm", "mv", "outer", "tensordot", "vdot",
]  # fmt: skip


def _same_dtype(name: str, *values: Tensor) -> None:
    for value in values:
        if value._type.dtype is not values[0]._type.dtype:
            listed = " and ".join(str(each._type) for each in values)
            raise DTypeError(
                at_line(f"{name}: expected the same dtype, got {listed}; cast one with .to(dtype)")
            )
    if values[0]._type.dtype is bool_:
        raise DTypeError(at_line(f"{name} has no meaning for bools; cast with .to(dtype)"))


def _wrong(name: str, a: Tensor, b: Tensor, why: str) -> ShapeError:
    shapes = f"{list(a._type.shape)} @ {list(b._type.shape)}"
    return ShapeError(at_line(f"{name} wants {why}, got {shapes}"))


@with_out
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Return the matrix product; leading dims are batches and broadcast, vectors are allowed.

    Of two dtypes in the one that they meet in, as the array API standard wants.
    """
    a, b = as_tensor_like(input, "matmul"), as_tensor_like(other, "matmul")
    kind = promote(a._type.dtype, b._type.dtype)
    return product(to_dtype(a, kind), to_dtype(b, kind))


@autocast_lowers
def product(a: Tensor, b: Tensor) -> Tensor:
    """Return what matmul returns; DTypeError for two dtypes, which layers must not mix."""
    _same_dtype("matmul", a, b)
    if a.ndim == 0 or b.ndim == 0:
        raise _wrong("matmul", a, b, "at least one dim on both sides")
    left, right = a._type.shape, b._type.shape
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        inner = f"{left[-1]} and {right[-2 if len(right) > 1 else 0]}"
        raise _wrong("matmul", a, b, f"inner dims equal ({inner} are not)")
    if len(left) == 2 and len(right) == 2:
        return ops.matmul(a, b)
    if len(left) == 1:
        a = ops.reshape(a, shape=(1, *left))
    if len(right) == 1:
        b = ops.reshape(b, shape=(*right, 1))
    result = _batched(a, b)
    shape = result._type.shape
    if len(left) == 1:
        shape = (*shape[:-2], shape[-1])
    if len(right) == 1:
        shape = shape[:-1]
    return result if shape == result._type.shape else ops.reshape(result, shape=shape)


def _batched(a: Tensor, b: Tensor) -> Tensor:
    """Multiply with broadcast batch dims; a plain matrix on the right folds the batch into rows."""
    left, right = a._type.shape, b._type.shape
    if len(right) == 2 and len(left) > 2:
        rows = ops.reshape(a, shape=(numel(left[:-1]), left[-1]))
        return ops.reshape(ops.matmul(rows, b), shape=(*left[:-1], right[-1]))
    batch = broadcast_shapes(left[:-2], right[:-2])
    return ops.matmul(to_shape(a, (*batch, *left[-2:])), to_shape(b, (*batch, *right[-2:])))


def _ranked(name: str, a: Tensor, b: Tensor, ranks: tuple[int, int]) -> Tensor:
    if (as_tensor_like(a, name).ndim, as_tensor_like(b, name).ndim) != ranks:
        raise _wrong(name, a, b, f"{ranks[0]} and {ranks[1]} dims")
    return product(a, b)


@with_out
@autocast_lowers
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Return the product of two matrices."""
    return _ranked("mm", input, mat2, (2, 2))


@with_out
@autocast_lowers
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Return the products of two equal batches of matrices."""
    if input.ndim == 3 and mat2.ndim == 3 and input._type.shape[0] != mat2._type.shape[0]:
        raise _wrong("bmm", input, mat2, "equal batch sizes")
    return _ranked("bmm", input, mat2, (3, 3))


@with_out
@autocast_passes
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Return the product of a matrix and a vector."""
    return _ranked("mv", input, vec, (2, 1))


@with_out
@autocast_passes
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Return the inner product of two vectors."""
    return _ranked("dot", input, tensor, (1, 1))


inner_product = dot


@with_out
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Return the sums of products over the last dims."""
    if input.ndim == 0 or other.ndim == 0:
        return mul(input, other)
    return tensordot(input, other, ([-1], [-1]))


@with_out
@autocast_passes
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Return the products of all pairs of two vectors' elements."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise _wrong("outer", input, vec2, "two vectors")
    return mul(input.unsqueeze(1), vec2.unsqueeze(0))


ger = outer


def _total(x: Tensor, dims: Any, keepdim: bool = False) -> Tensor:
    """Return sums in x's own dtype, as products have them: whole numbers do not become int64."""
    return x.sum(dims, keepdim, dtype=x._type.dtype)


def _scaled(x: Tensor, factor: Any) -> Tensor:
    if isinstance(factor, float) and x._type.dtype.kind in ("int", "uint"):
        factor = int(factor)
    return x if factor == 1 else to_dtype(mul(x, factor), x._type.dtype)


def _plus_product(input: Tensor, made: Tensor, beta: Any, alpha: Any) -> Tensor:
    """Return beta * input + alpha * product; beta 0 ignores input, NaN and all.

    The product decides shape and dtype: whole numbers take whole parts of alpha and beta.
    """
    made = _scaled(made, alpha)
    if beta == 0:
        return made
    return add(to_shape(_scaled(input, beta), made._type.shape), made)


@with_out
@autocast_lowers
@rounded_once
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * (mat1 @ mat2)."""
    return _plus_product(input, mm(mat1, mat2), beta, alpha)


@with_out
@autocast_passes
@rounded_once
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * (mat @ vec)."""
    return _plus_product(input, mv(mat, vec), beta, alpha)


@with_out
@autocast_passes
@rounded_once
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """Return beta * input + alpha * outer(vec1, vec2)."""
    return _plus_product(input, outer(vec1, vec2), beta, alpha)


@with_out
@autocast_lowers
@rounded_once
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """Return beta * input + alpha * (batch1 @ batch2)."""
    return _plus_product(input, bmm(batch1, batch2), beta, alpha)


@with_out
@autocast_lowers
@rounded_once
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    """Return beta * input + alpha * the sum of all products of a batch."""
    return _plus_product(input, _total(bmm(batch1, batch2), 0), beta, alpha)


@autocast_lowers
@rounded_once
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return input @ weight.T + bias; weight is [out, in] (or [in])."""
    made = product(input, weight.t() if weight.ndim == 2 else weight)
    return made if bias is None else add(made, bias)


@with_out
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Return the sums of products over pairs of dims."""
    if isinstance(dims, int):
        first = list(range(a.ndim - dims, a.ndim))
        second = list(range(dims))
    else:
        first = [normal_dim(dim, a.ndim) for dim in _listed(dims[0])]
        second = [normal_dim(dim, b.ndim) for dim in _listed(dims[1])]
    rest_a = [axis for axis in range(a.ndim) if axis not in first]
    rest_b = [axis for axis in range(b.ndim) if axis not in second]
    if len(first) != len(second):
        raise _wrong("tensordot", a, b, f"as many dims of both, not {first} and {second}")
    for one, other in zip(first, second, strict=True):  # a dim of size 1 meets any other
        if a._type.shape[one] == 1 != b._type.shape[other]:
            b = _total(b, other, True)
        elif b._type.shape[other] == 1 != a._type.shape[one]:
            a = _total(a, one, True)
    inner = [a._type.shape[axis] for axis in first]
    if inner != [b._type.shape[axis] for axis in second]:
        raise _wrong("tensordot", a, b, f"equal sizes of dims {first} and {second}")
    shape = [a._type.shape[i] for i in rest_a], [b._type.shape[i] for i in rest_b]
    left = a.permute(rest_a + first).reshape(numel(shape[0]), numel(inner))
    right = b.permute(second + rest_b).reshape(numel(inner), numel(shape[1]))
    return matmul(left, right).reshape(shape[0] + shape[1])  # type: ignore[no-any-return]


def _listed(dims: Any) -> list[int]:
    return [dims] if isinstance(dims, int) else list(dims)


@autocast_widens
@rounded_once
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    """Return the p-norm distances of all pairs of rows, [..., P, R].

    compute_mode is a choice of speed in PyTorch; here all choices are computed alike.
    """
    from .reduction import norm

    for x in (x1, x2):
        if x.ndim < 2:
            raise ShapeError(at_line(f"cdist wants at least 2 dims, got {x._type}"))
    if x1._type.shape[-1] != x2._type.shape[-1]:
        raise ShapeError(at_line(f"cdist wants equal last dims, got {x1._type} and {x2._type}"))
    if p < 0:
        raise RuntimeError(at_line(f"cdist wants p >= 0, got {p}"))
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


@with_out
@autocast_passes
def cross(input: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    """Return the vector products of three-dimensional vectors along dim."""
    if input.ndim != other.ndim:
        raise _wrong("cross", input, other, "as many dims on both sides")
    axis = normal_dim(dim, input.ndim)
    if input._type.shape[axis] != 3 or other._type.shape[axis] != 3:
        raise _wrong("cross", input, other, f"3 elements along dim {dim}")
    return input.roll(-1, axis) * other.roll(-2, axis) - input.roll(-2, axis) * other.roll(-1, axis)  # type: ignore[no-any-return]


@with_out
@autocast_passes
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Return the Kronecker product."""
    rank = max(input.ndim, other.ndim)
    a = input.reshape((1,) * (rank - input.ndim) + input._type.shape)
    b = other.reshape((1,) * (rank - other.ndim) + other._type.shape)
    left = a.reshape([size for each in a._type.shape for size in (each, 1)])
    right = b.reshape([size for each in b._type.shape for size in (1, each)])
    shape = [m * n for m, n in zip(a._type.shape, b._type.shape, strict=True)]
    return (left * right).reshape(shape)  # type: ignore[no-any-return]


@with_out
@autocast_passes
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Return the inner product of two vectors, of which the first is conjugated."""
    return dot(ops.conj(input) if input._type.dtype.is_complex else input, other)
