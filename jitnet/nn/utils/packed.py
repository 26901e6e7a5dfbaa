"""PackedSequence: sequences of different lengths without their padding, as recurrent nets run."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from jitnet import capture, creation
from jitnet.errors import at_line
from jitnet.tensor import Tensor


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences, longest first, step by step: the rows of all that have a first element, and so on.

    data: [sum of lengths, *]. batch_sizes: how many sequences have a step, int64.
    sorted_indices: which sequence was put where; unsorted_indices: where each one is.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        """Return a packed sequence; data may be the pair (data, batch_sizes)."""
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise TypeError("PackedSequence wants data and batch_sizes, or a pair of them")
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Return it with data of another dtype or on another device."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else self._replace(data=data)

    def cpu(self) -> Self:
        """Return itself: it is on the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """Move to a CUDA device."""
        return self.to("cuda" if device is None else device)

    def float(self) -> Self:
        """Return it with data as float32."""
        return self._replace(data=self.data.float())

    def double(self) -> Self:
        """Return it with data as float64."""
        return self._replace(data=self.data.double())

    def half(self) -> Self:
        """Return it with data as float16."""
        return self._replace(data=self.data.half())

    def bfloat16(self) -> Self:
        """Return it with data as bfloat16."""
        return self._replace(data=self.data.bfloat16())

    def long(self) -> Self:
        """Return it with data as int64."""
        return self._replace(data=self.data.long())

    def int(self) -> Self:
        """Return it with data as int32."""
        return self._replace(data=self.data.int())

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a CUDA device."""
        return self.data.device.type == "cuda"


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return where each element went: result[permutation[i]] = i."""
    if permutation is None:
        return None
    positions = creation.arange(0, permutation.numel(), device=permutation.device)
    return creation.zeros_like(permutation).scatter(0, permutation, positions)  # type: ignore[no-any-return]


def whole_numbers(values: Any, what: str) -> list[int]:
    """Return a tensor's or a sequence's elements as ints; a trace must know them."""
    if isinstance(values, Tensor):
        inside = "pack inside of the compiled function, with lengths as Python ints"
        values = capture.value_of(values, what, inside)
    return list(map(int, values))


def step_sizes(packed: PackedSequence) -> list[int]:
    """Return how many sequences have each step."""
    sizes = whole_numbers(packed.batch_sizes, "a PackedSequence's batch_sizes")
    if sum(sizes) != packed.data.shape[0] or sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            at_line(
                "batch_sizes must not grow and must add up to the rows of data, "
                f"{packed.data.shape[0]}, got {sizes}"
            )
        )
    return sizes
