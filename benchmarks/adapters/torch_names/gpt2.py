"""GPT-2: a prompt at once, or one token with the keys and values of those before it."""

from __future__ import annotations

from typing import Any

from benchmarks.networks import Gpt2


def model(torch: Any, network: Gpt2) -> Any:
    """Return GPT-2: the logits after the last of some tokens."""
    nn = torch.nn
    block = _block(torch, network)

    class Model(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.wte = nn.Embedding(network.vocabulary, network.width)
            self.wpe = nn.Embedding(network.positions, network.width)
            self.h = nn.ModuleList(block() for _ in range(network.layers))
            self.lnf = nn.LayerNorm(network.width)

        def forward(self, tokens: Any) -> Any:
            x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
            for each in self.h:
                x = each(x)
            return self.logits(x)

        def logits(self, x: Any) -> Any:
            return nn.functional.linear(self.lnf(x[:, -1]), self.wte.weight)

    return Model()


def decoder(torch: Any, gpt2: Any, in_place: bool = True) -> Any:
    """Return GPT-2 for one token, which writes its keys and values into the caches.

    Where nothing can be written in place, it returns the new caches after the logits.
    """
    nn = torch.nn

    class Decoder(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.gpt2 = gpt2

        def forward(self, token: Any, place: Any, keys: Any, values: Any) -> Any:
            keys, values = list(keys), list(values)
            x = gpt2.wte(token) + gpt2.wpe(place)
            mask = (torch.arange(keys[0].shape[2]) <= place).view(1, 1, 1, -1)
            for number, block in enumerate(gpt2.h):
                query, key, value = block.heads(x)
                write = keys[number].index_copy_ if in_place else keys[number].index_copy
                keys[number] = write(2, place, key)
                write = values[number].index_copy_ if in_place else values[number].index_copy
                values[number] = write(2, place, value)
                x = block.rest(x, query, keys[number], values[number], attn_mask=mask)
            logits = gpt2.logits(x)
            return logits if in_place else (logits, *keys, *values)

    return Decoder()


def _block(torch: Any, network: Gpt2) -> Any:
    nn, functional = torch.nn, torch.nn.functional
    width, heads = network.width, network.heads

    class Block(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.fc, self.out = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def heads(self, x: Any) -> list[Any]:
            """Return queries, keys and values [batch, head, place, feature]."""
            batch, length, _ = x.shape
            parts = self.qkv(self.ln1(x)).chunk(3, -1)
            return [each.view(batch, length, heads, -1).transpose(1, 2) for each in parts]

        def rest(self, x: Any, query: Any, key: Any, value: Any, **mask: Any) -> Any:
            """Return the block's result from its attention on."""
            seen = functional.scaled_dot_product_attention(query, key, value, **mask)
            x = x + self.proj(seen.transpose(1, 2).reshape(x.shape))
            return x + self.out(functional.gelu(self.fc(self.ln2(x)), approximate="tanh"))

        def forward(self, x: Any) -> Any:
            return self.rest(x, *self.heads(x), is_causal=True)

    return Block
