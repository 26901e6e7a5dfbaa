"""Small language models, for jitnet and PyTorch alike: build(library, sizes) gives classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


@dataclass(frozen=True)
class Sizes:
    """What the models of build() are made of."""

    words: int = 50
    places: int = 16
    width: int = 24
    heads: int = 3
    layers: int = 2


def build(library: Any, sizes: Sizes) -> SimpleNamespace:
    """Return Encoder, GPT2, GPT2Decode and Tied."""
    nn, functional = library.nn, library.nn.functional
    width, heads = sizes.width, sizes.heads

    class Encoder(nn.Module):
        """Words to logits, through TransformerEncoderLayers."""

        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(sizes.words, width)
            self.layers = nn.ModuleList(
                nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.0, batch_first=True)
                for _ in range(sizes.layers)
            )
            self.head = nn.Linear(width, sizes.words)

        def forward(self, x: Any) -> Any:
            h = self.emb(x)
            for layer in self.layers:
                h = layer(h)
            return self.head(h).flatten(0, 1)

    class Block(nn.Module):
        """Attention with or without a cache of keys and values, then a small network."""

        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(
            self, x: Any, keys: Any = None, values: Any = None, pos: Any = None, mask: Any = None
        ) -> Any:
            batch, length, _ = x.shape
            q, k, v = (
                t.view(batch, length, heads, width // heads).transpose(1, 2)
                for t in self.qkv(self.ln1(x)).split(width, -1)
            )
            if keys is None:
                a = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                keys = keys.index_copy_(2, pos, k)
                values = values.index_copy_(2, pos, v)
                a = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
            x = x + self.proj(a.transpose(1, 2).reshape(batch, length, width))
            return x + self.out(functional.gelu(self.fc(self.ln2(x)), approximate="tanh"))

    class GPT2(nn.Module):
        """Logits of the last place, or of all."""

        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(sizes.words, width), nn.Embedding(sizes.places, width)
            self.h = nn.ModuleList([Block() for _ in range(sizes.layers)])
            self.lnf = nn.LayerNorm(width)

        def forward(self, idx: Any, last: bool = True) -> Any:
            x = self.wte(idx) + self.wpe(library.arange(idx.shape[1]))
            for block in self.h:
                x = block(x)
            return functional.linear(self.lnf(x[:, -1] if last else x), self.wte.weight)

    class GPT2Decode(nn.Module):
        """Logits for one more word; its key and value join the caches."""

        def __init__(self, gpt: Any) -> None:
            super().__init__()
            self.g = gpt

        def forward(self, idx: Any, pos: Any, keys: Any, values: Any) -> Any:
            gpt = self.g
            x = gpt.wte(idx) + gpt.wpe(pos)
            mask = (library.arange(sizes.places) <= pos).view(1, 1, 1, sizes.places)
            for block, own_keys, own_values in zip(gpt.h, keys, values, strict=True):
                x = block(x, own_keys, own_values, pos, mask)
            return functional.linear(gpt.lnf(x[:, -1]), gpt.wte.weight)

    class TiedAttention(nn.Module):
        """Attention spelled out, with its mask in a buffer."""

        def __init__(self) -> None:
            super().__init__()
            self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            ones = library.ones(sizes.places, sizes.places)
            mask = library.tril(ones).view(1, 1, sizes.places, sizes.places)
            self.register_buffer("mask", mask, persistent=False)

        def forward(self, x: Any) -> Any:
            batch, length, _ = x.size()
            parts = self.c_attn(x).unflatten(-1, (3, heads, width // heads)).unbind(2)
            q, k, v = (part.transpose(1, 2) for part in parts)
            scores = library.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(k.size(-1))
            hidden = self.mask[:, :, :length, :length] == 0
            weights = functional.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1)
            y = (weights @ v).transpose(1, 2).contiguous().view(batch, length, width)
            return self.c_proj(y)

    class Tied(nn.Module):
        """A GPT as in nanoGPT: modules in a dict, the head's weight that of the words."""

        def __init__(self) -> None:
            super().__init__()
            wide = 4 * width
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(sizes.words, width, padding_idx=0),
                    "wpe": nn.Embedding(sizes.places, width),
                    "norms": nn.ModuleList(nn.LayerNorm(width) for _ in range(sizes.layers)),
                    "attention": nn.ModuleList(TiedAttention() for _ in range(sizes.layers)),
                    "mlp": nn.Sequential(
                        nn.Linear(width, wide), nn.GELU(approximate="tanh"), nn.Linear(wide, width)
                    ),
                }
            )
            self.lm_head = nn.Linear(width, sizes.words, bias=False)
            self.transformer.wte.weight = self.lm_head.weight

        def forward(self, idx: Any) -> Any:
            places = library.arange(0, idx.size(1), dtype=library.long, device=idx.device)
            parts = self.transformer
            x = parts.wte(idx) + parts.wpe(places)
            for norm, attention in zip(parts.norms, parts.attention, strict=True):
                x = x + attention(norm(x))
                x = x + parts.mlp(x)
            return self.lm_head(x)

        def generate(self, idx: Any, count: int) -> Any:
            for _ in range(count):
                logits = self(idx[:, -sizes.places :])[:, -1, :] / 0.8
                best, _ = library.topk(logits, 3)
                logits[logits < best[:, [-1]]] = -float("Inf")
                chosen = functional.softmax(logits, dim=-1).argmax(-1, keepdim=True)
                idx = library.cat((idx, chosen), dim=1)
            return idx

    return SimpleNamespace(Encoder=Encoder, GPT2=GPT2, GPT2Decode=GPT2Decode, Tied=Tied)
