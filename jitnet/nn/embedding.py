"""Embedding and EmbeddingBag: tables of vectors, looked up by integer."""

from __future__ import annotations

from typing import Any

from jitnet import creation
from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from . import init
from .module import Module
from .parameter import Parameter


class Embedding(Module):
    """Rows of weight [num_embeddings, embedding_dim] for integer inputs of any shape.

    padding_idx: a row that starts as zeros and gets no gradient; negative counts from the end.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(
                f"padding_idx must be in -{num_embeddings}..{num_embeddings - 1}, got {padding_idx}"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx % num_embeddings if padding_idx is not None else None
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        if _weight is None:
            weight = creation.empty((num_embeddings, embedding_dim), device=device, dtype=dtype)
            self.weight = Parameter(weight, requires_grad=not _freeze)
            self.reset_parameters()
            return
        if tuple(_weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(
                f"_weight must have shape ({num_embeddings}, {embedding_dim}), "
                f"got {tuple(_weight.shape)}"
            )
        self.weight = Parameter(_weight, requires_grad=not _freeze)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Return an Embedding over a given table [num_embeddings, embedding_dim]."""
        rows, columns = _table(embeddings)
        return cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )

    def reset_parameters(self) -> None:
        """Draw new initial values from a standard normal; the padding row is zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(self, input: Tensor) -> Tensor:
        """Return the rows: shape [*input.shape, embedding_dim]."""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.num_embeddings}, {self.embedding_dim}{_settings(self)}"


def _table(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.dim() != 2:
        raise ValueError(f"embeddings must be 2D, got shape {tuple(embeddings.shape)}")
    rows, columns = embeddings.shape
    return rows, columns


def _settings(layer: Embedding | EmbeddingBag) -> str:
    """Return the settings that differ from their defaults."""
    text = ""
    if layer.padding_idx is not None:
        text += f", padding_idx={layer.padding_idx}"
    if layer.max_norm is not None:
        text += f", max_norm={layer.max_norm}"
    if layer.norm_type != 2:
        text += f", norm_type={layer.norm_type}"
    if layer.scale_grad_by_freq:
        text += f", scale_grad_by_freq={layer.scale_grad_by_freq}"
    if isinstance(layer, EmbeddingBag):
        return f"{text}, mode={layer.mode!r}"
    return f"{text}, sparse=True" if layer.sparse else text


class EmbeddingBag(Module):
    """The sum, mean or max of rows of weight [num_embeddings, embedding_dim], a bag at a time."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(
                f"padding_idx must be in -{num_embeddings}..{num_embeddings - 1}, got {padding_idx}"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self.padding_idx = padding_idx % num_embeddings if padding_idx is not None else None
        if _weight is not None and tuple(_weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(
                f"_weight must have shape ({num_embeddings}, {embedding_dim}), "
                f"got {tuple(_weight.shape)}"
            )
        if _weight is not None:
            self.weight = Parameter(_weight)
            return
        made = creation.empty((num_embeddings, embedding_dim), device=device, dtype=dtype)
        self.weight = Parameter(made)
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, **settings: Any
    ) -> EmbeddingBag:
        """Return an EmbeddingBag over a given table [num_embeddings, embedding_dim]."""
        layer = cls(*_table(embeddings), _weight=embeddings, **settings)
        layer.weight.requires_grad = not freeze
        return layer

    def reset_parameters(self) -> None:
        """Draw new initial values from a standard normal; the padding row is zeros."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Return [bags, embedding_dim]."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{self.num_embeddings}, {self.embedding_dim}{_settings(self)}"
