"""The memory of tensors as PyTorch's storages show it: where it is, how large; views share one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import at_line

if TYPE_CHECKING:
    from .tensor import Tensor


class UntypedStorage:
    """The bytes that a tensor and its views lie in."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor if tensor._base is None else tensor._base

    def data_ptr(self) -> int:
        """Return the address of the first byte."""
        return self._tensor.data_ptr()  # type: ignore[no-any-return]

    def nbytes(self) -> int:
        """Return the size in bytes."""
        return self._tensor._type.nbytes

    def size(self) -> int:
        """Return how many items there are: bytes."""
        return self.nbytes()

    def element_size(self) -> int:
        """Return the bytes of an item: 1."""
        return 1

    def __len__(self) -> int:
        return self.size()

    def is_shared(self) -> bool:
        """Return False: processes do not share memory."""
        return False

    def resize_(self, size: int) -> NoReturn:
        """Refuse: memory keeps its size."""
        raise NotImplementedError(
            at_line(
                f"the memory of a tensor keeps its size, {self.size()}, not {size}; make another"
            )
        )


class TypedStorage(UntypedStorage):
    """The elements that a tensor and its views lie in, in the order of memory."""

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self._tensor._type.dtype

    def size(self) -> int:
        """Return how many elements there are."""
        return self._tensor._type.numel

    def element_size(self) -> int:
        """Return the bytes of an element."""
        return self.dtype.size  # type: ignore[no-any-return]

    def untyped(self) -> UntypedStorage:
        """Return the same memory as bytes."""
        return UntypedStorage(self._tensor)

    def tolist(self) -> list[Any]:
        """Return the elements."""
        return self._tensor.detach().reshape(-1).tolist()  # type: ignore[no-any-return]

    def __getitem__(self, place: int) -> Any:
        return self._tensor.detach().reshape(-1)[place].item()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())


def untyped_storage(self: Tensor) -> UntypedStorage:
    """Return the memory that this tensor lies in, as bytes."""
    return UntypedStorage(self)


def storage(self: Tensor) -> TypedStorage:
    """Return the memory that this tensor lies in, as elements."""
    return TypedStorage(self)


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Return whether two tensors are the same view of the same memory."""
    same = (self._type, self.stride(), self.storage_offset())
    return UntypedStorage(self).data_ptr() == UntypedStorage(tensor).data_ptr() and same == (
        tensor._type,
        tensor.stride(),
        tensor.storage_offset(),
    )
