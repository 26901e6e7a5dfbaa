"""jitnet.nn.attention.flex_attention: attention whose scores and masks are functions of places.

In PyTorch it is a family of kernels; here it is what these compute, whose scores a compiled
function need not keep apart. Functions of places get all places at once, as tensors that broadcast
to [batch, heads, queries, keys], where PyTorch calls them for each place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jitnet import creation
from jitnet.errors import ShapeError, at_line
from jitnet.functional.attention import shared_heads, softmax_or_zero
from jitnet.runtime.dtype import float32
from jitnet.tensor import Tensor

Mask = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # of batch, head, query, key
Score = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]  # of a score, and these


class AuxRequest(NamedTuple):
    """What flex_attention is to return beside the result."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """What was asked for, for each query: the logarithm of the sum of exponentials, the maximum."""

    lse: Tensor | None = None
    max_scores: Tensor | None = None


@dataclass(frozen=True, eq=False)
class BlockMask:
    """A mask of [batch, heads, queries, keys], evaluated once; sizes that it does not ask are 1."""

    mask_mod: Mask
    mask: Tensor
    BLOCK_SIZE: tuple[int, int] = (128, 128)

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its dims."""
        return tuple(self.mask.shape)

    def to(self, device: Any) -> BlockMask:
        """Return it on another device."""
        return BlockMask(self.mask_mod, self.mask.to(device), self.BLOCK_SIZE)

    def to_dense(self) -> Tensor:
        """Return for each block of places whether attention looks into it, as 1 or 0."""
        rows, columns = self.BLOCK_SIZE
        queries, keys = self.shape[2:]
        blocks = creation.zeros(*self.shape[:2], -(-queries // rows), -(-keys // columns)).int()
        for i in range(blocks.shape[2]):
            for j in range(blocks.shape[3]):
                part = self.mask[:, :, i * rows : (i + 1) * rows, j * columns : (j + 1) * columns]
                blocks[:, :, i, j] = part.any(-1).any(-1).int()
        return blocks

    def sparsity(self) -> float:
        """Return which part of the blocks attention does not look into, in percent."""
        return 100.0 * (1.0 - float(self.to_dense().float().mean()))


def flex_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_mod: Score | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: Any = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """Return softmax(score_mod(query * scale @ key.T)) @ value, for [batch, heads, length, size].

    A query that may see no key gets zeros. return_lse: also log-sum-exp of each query's scores.
    https://docs.pytorch.org/docs/stable/nn.attention.flex_attention.html
    """
    for name, given in (("query", query), ("key", key), ("value", value)):
        if given.ndim != 4:
            raise ShapeError(at_line(f"flex_attention wants {name} with 4 dims, got {given.shape}"))
    if enable_gqa:
        key, value = shared_heads(query, key), shared_heads(query, value)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    working = query.dtype if query.dtype.size == 8 else float32
    scores = (query @ key.transpose(-2, -1)).to(working) * factor
    if score_mod is not None:
        scores = score_mod(scores, *_places(tuple(scores.shape), query.device)).to(working)
    if block_mask is not None:
        mask = block_mask.mask[..., : scores.shape[2], : scores.shape[3]]
        scores = scores.masked_fill(mask.logical_not(), -math.inf)
    result = softmax_or_zero(scores).to(value.dtype) @ value
    wanted = AuxRequest(lse=return_lse) if return_aux is None else return_aux
    lse = scores.logsumexp(-1) if wanted.lse else None
    if return_lse:
        return result, lse
    highest = scores.amax(-1) if wanted.max_scores else None
    return result if return_aux is None else (result, AuxOutput(lse, highest))


def create_mask(
    mod_fn: Mask,
    B: int | None,  # noqa: N803 - PyTorch's names
    H: int | None,  # noqa: N803
    Q_LEN: int,  # noqa: N803
    KV_LEN: int,  # noqa: N803
    device: Any = None,
) -> Tensor:
    """Return a function of places as a tensor [B, H, Q_LEN, KV_LEN] of bools; None counts as 1."""
    shape = (B or 1, H or 1, Q_LEN, KV_LEN)
    found = mod_fn(*_places(shape, device))
    return found.expand(shape).contiguous()


def create_block_mask(
    mask_mod: Mask,
    B: int | None,  # noqa: N803
    H: int | None,  # noqa: N803
    Q_LEN: int,  # noqa: N803
    KV_LEN: int,  # noqa: N803
    device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = 128,  # noqa: N803
    _compile: bool = False,
    **options: Any,
) -> BlockMask:
    """Return a function of places as a mask for flex_attention; None for what it does not ask.

    options: how PyTorch's kernels store it, which decides nothing here.
    """
    block = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    return BlockMask(mask_mod, create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device), block)


def and_masks(*mask_mods: Mask) -> Mask:
    """Return the mask that holds where all of these do."""

    def both(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        found = noop_mask(b, h, q, k)
        for mask in mask_mods:
            found = found & mask(b, h, q, k)
        return found

    return both


def or_masks(*mask_mods: Mask) -> Mask:
    """Return the mask that holds where one of these does."""

    def either(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        found = ~noop_mask(b, h, q, k)
        for mask in mask_mods:
            found = found | mask(b, h, q, k)
        return found

    return either


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """Return the mask that hides nothing."""
    return batch >= 0


def _places(shape: tuple[int, ...], device: Any) -> list[Tensor]:
    """Return the places along each dim, as tensors that broadcast to the shape."""
    found = []
    for axis, size in enumerate(shape):
        ones = [1] * len(shape)
        ones[axis] = size
        found.append(creation.arange(size, device=device).view(ones))
    return found
