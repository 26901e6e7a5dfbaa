"""Small language models, for jitnet and PyTorch alike: build(library, sizes) gives classes."""

from __future__ import annotations

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
    """Return Encoder, GPT2 and GPT2Decode."""
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

    return SimpleNamespace(Encoder=Encoder, GPT2=GPT2, GPT2Decode=GPT2Decode)
