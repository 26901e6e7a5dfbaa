"""GPT-2: a prompt at once, or one token with the keys and values of those before it."""

from __future__ import annotations

from typing import Any

from tinygrad import nn

from benchmarks.networks import Gpt2


class _Block:
    def __init__(self, network: Gpt2) -> None:
        width, self.count = network.width, network.heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def heads(self, x: Any) -> list[Any]:
        """Return queries, keys and values [batch, head, place, feature]."""
        batch, length, width = x.shape
        shape = (batch, length, self.count, width // self.count)
        parts = self.qkv(self.ln1(x)).chunk(3, -1)
        return [each.reshape(shape).transpose(1, 2) for each in parts]

    def rest(self, x: Any, seen: Any) -> Any:
        """Return the block's result from what it attended to."""
        x = x + self.proj(seen.transpose(1, 2).reshape(x.shape))
        return x + self.out(self.fc(self.ln2(x)).gelu())


class Gpt2Model:
    """GPT-2: the logits after the last of some tokens."""

    def __init__(self, network: Gpt2) -> None:
        self.wte = nn.Embedding(network.vocabulary, network.width)
        self.wpe = nn.Embedding(network.positions, network.width)
        self.h = [_Block(network) for _ in range(network.layers)]
        self.lnf = nn.LayerNorm(network.width)

    def __call__(self, tokens: Any) -> Any:
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            query, key, value = block.heads(x)
            x = block.rest(x, query.scaled_dot_product_attention(key, value, is_causal=True))
        return self._logits(x)

    def decode(self, token: Any, place: int, keys: list[Any], values: list[Any]) -> Any:
        """Return the logits after one token, which is written into the last place of the caches."""
        x = self.wte(token) + self.wpe.weight[place : place + 1]
        for block, kept_keys, kept_values in zip(self.h, keys, values, strict=True):
            query, key, value = block.heads(x)
            kept_keys[:, :, place : place + 1].assign(key)
            kept_values[:, :, place : place + 1].assign(value)
            x = block.rest(x, query.scaled_dot_product_attention(kept_keys, kept_values))
        return self._logits(x)

    def _logits(self, x: Any) -> Any:
        return self.lnf(x[:, -1]) @ self.wte.weight.T
