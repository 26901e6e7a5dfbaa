"""SparseTensor: coordinates, and the elements there; all others are zero.

It holds two dense tensors, and its ops are made of theirs (arithmetic.py): so its gradients are,
and it needs nothing of the compiler, to which it is a container of two tensors (tree.py).
"""

from __future__ import annotations

from typing import Any, NoReturn

from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.runtime.dtype import bool_, uint8

from .. import capture, creation, tree
from .. import functional as F
from ..device import Device
from ..errors import at_line
from ..grad_mode import no_grad
from ..tensor import Tensor, _base
from ..tensors.transfer import moved
from .places import coordinates, flat_places, starts_of

COO, CSR = "sparse_coo", "sparse_csr"


class SparseTensor(Tensor):
    """A tensor of which few elements are kept, with their coordinates.

    _places: int64 [sparse dims, n], the coordinates; a place may be there more than once: its
             elements add up.
    _elements: [n, *dense dims].
    _coalesced: whether places are in order, each there once.
    _layout: "sparse_coo", or "sparse_csr" for matrices that say how many elements a row has.
    """

    __slots__ = ("_coalesced", "_elements", "_layout", "_places")

    _places: Tensor
    _elements: Tensor
    _coalesced: bool
    _layout: str

    @staticmethod
    def made(
        places: Tensor,
        elements: Tensor,
        shape: tuple[int, ...],
        coalesced: bool = False,
        layout: str = COO,
    ) -> SparseTensor:
        """Return the sparse tensor of these parts, unchecked."""
        kind = TensorType(elements._type.dtype, tuple(shape))
        made = _base(None, None, kind, elements._device, SparseTensor)
        assert isinstance(made, SparseTensor)
        made._places, made._elements = places, elements
        made._coalesced, made._layout = coalesced, layout
        return made

    def like(self, elements: Tensor) -> SparseTensor:
        """Return other elements at the same places."""
        shape = self._type.shape[: self.sparse_dim()] + elements._type.shape[1:]
        return SparseTensor.made(self._places, elements, shape, self._coalesced, self._layout)

    # -- parts ----------------------------------------------------------------------------------

    def _indices(self) -> Tensor:
        return self._places

    def _values(self) -> Tensor:
        return self._elements

    def _nnz(self) -> int:
        return self._elements._type.shape[0]

    def indices(self) -> Tensor:
        """Return the coordinates, [sparse dims, n], of a tensor whose places are in order."""
        self._want(COO, "indices()")
        return self._places

    def values(self) -> Tensor:
        """Return the elements, [n, *dense dims], of a tensor whose places are in order."""
        if self._layout == COO:
            self._want(COO, "values()")
        return self._elements

    def crow_indices(self) -> Tensor:
        """Return where each row's elements begin, and their number, [rows + 1]."""
        self._want(CSR, "crow_indices()")
        return starts_of(self._places[0], self._type.shape[0])

    def col_indices(self) -> Tensor:
        """Return the column of each element, [n]."""
        self._want(CSR, "col_indices()")
        return self._places[1]

    def _want(self, layout: str, what: str) -> None:
        if self._layout != layout:
            raise RuntimeError(
                at_line(f"{what} wants the layout {layout}, got {self._layout}: convert first")
            )
        if layout == COO and not self._coalesced:
            raise RuntimeError(
                at_line(f"{what} of a tensor whose places are in no order: call coalesce() first")
            )

    def sparse_dim(self) -> int:
        """Return the number of dims that coordinates name."""
        return self._places._type.shape[0]

    def dense_dim(self) -> int:
        """Return the number of dims that every kept element has itself."""
        return len(self._elements._type.shape) - 1

    def is_coalesced(self) -> bool:
        """Return whether places are in order, each there once."""
        return self._coalesced

    # -- the same elsewhere ---------------------------------------------------------------------

    def coalesce(self) -> SparseTensor:
        """Return the tensor with places in order, equal ones added up; outside of traces only."""
        if self._coalesced:
            return self
        capture.refuse(
            "coalesce() (how many places there are depends on data)",
            "call it outside, or say is_coalesced=True where places are in order",
        )
        sizes = self._type.shape[: self.sparse_dim()]
        with no_grad():
            flat, where = F.unique(flat_places(self._places, sizes), return_inverse=True)
        elements = _summed(self._elements, where, flat._type.numel)
        return SparseTensor.made(coordinates(flat, sizes), elements, self._type.shape, True)

    def to_dense(self, dtype: Any = None, *, masked_grad: bool | None = None) -> Tensor:
        """Return the dense tensor of the same elements."""
        sizes = self._type.shape[: self.sparse_dim()]
        count = 1
        for size in sizes:
            count *= size
        dense = _summed(self._elements, flat_places(self._places, sizes), count)
        dense = F.reshape(dense, self._type.shape)
        return dense if dtype is None else dense.to(dtype)

    def to_sparse(self, sparse_dim: Any = None, *, layout: Any = None) -> SparseTensor:
        """Return the tensor with coordinates, or in the layout that is named."""
        if layout == CSR:
            return self.to_sparse_csr()
        return SparseTensor.made(self._places, self._elements, self._type.shape, self._coalesced)

    def to_sparse_coo(self) -> SparseTensor:
        """Return the tensor with coordinates."""
        return self.to_sparse()

    def to_sparse_csr(self, dense_dim: Any = None) -> SparseTensor:
        """Return a matrix that says how many elements a row has."""
        if len(self._type.shape) != 2 or self.dense_dim():
            raise RuntimeError(at_line(f"to_sparse_csr wants a sparse matrix, got {self._type}"))
        ordered = self.coalesce()
        return SparseTensor.made(ordered._places, ordered._elements, self._type.shape, True, CSR)

    def detach(self) -> SparseTensor:
        """Return the tensor without its history."""
        return self.like(self._elements.detach())

    def clone(self, *, memory_format: Any = None) -> SparseTensor:
        """Return a copy."""
        return SparseTensor.made(
            self._places.clone(), self._elements.clone(), self._type.shape, self._coalesced,
            self._layout,
        )  # fmt: skip

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseTensor:
        import copy

        return self.like(copy.deepcopy(self._elements, memo))

    def __reduce_ex__(self, protocol: Any) -> Any:
        parts = (self._places, self._elements, self._type.shape, self._coalesced, self._layout)
        return SparseTensor.made, parts

    # -- gradients ------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to the elements."""
        return self._elements.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Say whether gradients are wanted for the elements."""
        self._elements.requires_grad_(requires_grad)
        return self

    @property
    def grad_fn(self) -> Any:
        """The tape's record of how the elements were computed; None for a leaf."""
        return self._elements.grad_fn

    @property
    def grad(self) -> SparseTensor | None:
        """The gradient at the tensor's own places."""
        grad = self._elements.grad
        return None if grad is None else self.like(grad)

    @grad.setter
    def grad(self, value: SparseTensor | None) -> None:
        self._elements.grad = None if value is None else value._elements

    # -- what it is -----------------------------------------------------------------------------

    is_sparse = property(lambda self: self._layout == COO)
    is_sparse_csr = property(lambda self: self._layout == CSR)

    @property
    def layout(self) -> str:
        """The form: "sparse_coo" or "sparse_csr"."""
        return self._layout

    def __repr__(self) -> str:
        from .printing import describe

        return describe(self)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    # -- ops ------------------------------------------------------------------------------------

    def __bind__(self, op: Op, args: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor:
        from .arithmetic import RULES

        rule = RULES.get(op)
        if rule is None:
            raise self._refused(op.name)
        return rule(*args, **params)

    def _elsewhere(self) -> bool:
        return True

    def _moved(self, device: Device, non_blocking: bool) -> SparseTensor:
        places = moved(self._places, device, non_blocking)
        elements = moved(self._elements, device, non_blocking)
        return SparseTensor.made(places, elements, self._type.shape, self._coalesced, self._layout)

    def _copied(self) -> NoReturn:
        raise self._refused("what reads every element")

    def _assign(self, value: Tensor) -> NoReturn:
        raise self._refused("writing in place")

    @staticmethod
    def _refused(what: str) -> TypeError:
        return TypeError(at_line(f"{what} is not there for sparse tensors: to_dense() first"))


def _summed(elements: Tensor, where: Tensor, count: int) -> Tensor:
    """Return `count` sums of the elements, [count, *dense dims]: each goes to one place."""
    dtype = elements._type.dtype
    if dtype is bool_:
        return _summed(elements.to(uint8), where, count).to(bool_)
    zeros = creation.zeros((count, *elements._type.shape[1:]), dtype=dtype, device=elements.device)
    return F.index_add(zeros, 0, where, elements)


def _parts(value: SparseTensor) -> tuple[tuple[Any, ...], tuple[Any, ...], Any]:
    note = value._type.shape, value._coalesced, value._layout
    return ("_indices()", "_values()"), (value._places, value._elements), note


tree.CONTAINERS[SparseTensor] = tree.Container(
    _parts, lambda note, parts: SparseTensor.made(*parts, *note)
)
