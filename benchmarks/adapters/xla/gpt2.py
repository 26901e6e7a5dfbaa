"""GPT-2: a prompt at once, or one token with the keys and values of those before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.adapters.xla.layers import heads, layer_norm, linear
from benchmarks.networks import Gpt2


def prefill(network: Gpt2, p: Any, tokens: Any) -> Any:
    """Return the logits after the last token."""
    x = p["wte.weight"][tokens] + p["wpe.weight"][: tokens.shape[1]]
    for number in range(network.layers):
        block = f"h.{number}"
        seen = jax.nn.dot_product_attention(*_heads(network, p, block, x), is_causal=True)
        x = _rest(p, block, x, seen)
    return _logits(p, x)


def decoder(network: Gpt2) -> Callable[..., Any]:
    """Return a function (parameters, caches, token, place) -> (logits, new caches)."""

    def decode(p: Any, caches: Any, token: Any, place: Any) -> Any:
        keys, values = list(caches[0]), list(caches[1])
        x = p["wte.weight"][token] + lax.dynamic_slice_in_dim(p["wpe.weight"], place, 1)
        mask = (jnp.arange(keys[0].shape[1]) <= place)[None, None, None]
        for number in range(network.layers):
            block = f"h.{number}"
            query, key, value = _heads(network, p, block, x)
            keys[number] = lax.dynamic_update_slice_in_dim(keys[number], key, place, 1)
            values[number] = lax.dynamic_update_slice_in_dim(values[number], value, place, 1)
            seen = jax.nn.dot_product_attention(query, keys[number], values[number], mask=mask)
            x = _rest(p, block, x, seen)
        return _logits(p, x), [keys, values]

    return decode


def _heads(network: Gpt2, p: Any, block: str, x: Any) -> list[Any]:
    joined = linear(p, f"{block}.qkv", layer_norm(p, f"{block}.ln1", x))
    return heads(joined, network.heads)


def _rest(p: Any, block: str, x: Any, seen: Any) -> Any:
    x = x + linear(p, f"{block}.proj", seen.reshape(x.shape))
    hidden = linear(p, f"{block}.fc", layer_norm(p, f"{block}.ln2", x))
    return x + linear(p, f"{block}.out", jax.nn.gelu(hidden, approximate=True))


def _logits(p: Any, x: Any) -> Any:
    return layer_norm(p, "lnf", x[:, -1]) @ p["wte.weight"].T
