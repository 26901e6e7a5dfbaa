"""Multi-head attention as a layer."""

from __future__ import annotations

from typing import Any

from jitnet import creation
from jitnet import functional as F
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from . import init
from .linear import NonDynamicallyQuantizableLinear
from .module import Module
from .parameter import Parameter


class MultiheadAttention(Module):
    """Attention of num_heads heads, each of embed_dim / num_heads features.

    in_proj_weight: [3 * embed_dim, embed_dim], for query, key and value; or, where kdim or vdim
    differ from embed_dim, q_proj_weight, k_proj_weight and v_proj_weight.  in_proj_bias:
    [3 * embed_dim].  out_proj: a Linear.  add_bias_kv: bias_k and bias_v [1, 1, embed_dim], one
    more key and value that all queries see.  add_zero_attn: one more of zeros.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0 or embed_dim % num_heads:
            raise ValueError(
                "MultiheadAttention wants embed_dim > 0 and a num_heads > 0 that divides it, "
                f"got {embed_dim} and {num_heads}"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        made = {"device": device, "dtype": dtype}
        for name, shape in self._weights(bias, add_bias_kv).items():
            weight = None if shape is None else Parameter(creation.empty(shape, **made))
            self.register_parameter(name, weight)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **made)
        self._reset_parameters()

    def _weights(self, bias: bool, bias_kv: bool) -> dict[str, tuple[int, ...] | None]:
        """Return the shapes of the parameters; None for those that these settings do without."""
        width, packed = self.embed_dim, self._qkv_same_embed_dim
        return {
            "q_proj_weight": None if packed else (width, width),
            "k_proj_weight": None if packed else (width, self.kdim),
            "v_proj_weight": None if packed else (width, self.vdim),
            "in_proj_weight": (3 * width, width) if packed else None,
            "in_proj_bias": (3 * width,) if bias else None,
            "bias_k": (1, 1, width) if bias_kv else None,
            "bias_v": (1, 1, width) if bias_kv else None,
        }

    def _reset_parameters(self) -> None:
        """Draw new initial values."""
        packed = (self.in_proj_weight,)
        apart = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        for weight in packed if self._qkv_same_embed_dim else apart:
            init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        if self.bias_k is not None:
            init.xavier_normal_(self.bias_k)
            init.xavier_normal_(self.bias_v)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output [L, N, E] and the weights [N, L, S]; [N, L, E] with batch_first.

        See F.multi_head_attention_forward for the arguments.
        """
        return F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            batch_first=self.batch_first,
        )
