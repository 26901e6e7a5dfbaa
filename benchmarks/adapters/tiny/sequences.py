"""Networks for sequences: a transformer's encoder and an LSTM."""

from __future__ import annotations

from typing import Any

from tinygrad import Tensor, nn

from benchmarks.networks import Lstm, Transformer


class _Attention:
    def __init__(self, width: int, heads: int) -> None:
        self.heads = heads
        self.in_proj_weight = Tensor.empty(3 * width, width)
        self.in_proj_bias = Tensor.empty(3 * width)
        self.out_proj = nn.Linear(width, width)

    def __call__(self, x: Any) -> Any:
        batch, length, width = x.shape
        parts = x.linear(self.in_proj_weight.T, self.in_proj_bias).chunk(3, -1)
        shape = (batch, length, self.heads, width // self.heads)
        query, key, value = (each.reshape(shape).transpose(1, 2) for each in parts)
        seen = query.scaled_dot_product_attention(key, value)
        return self.out_proj(seen.transpose(1, 2).reshape(x.shape))


class _Layer:
    def __init__(self, network: Transformer) -> None:
        width = network.width
        self.self_attn = _Attention(width, network.heads)
        self.linear1, self.linear2 = (
            nn.Linear(width, network.hidden),
            nn.Linear(network.hidden, width),
        )
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def __call__(self, x: Any) -> Any:
        x = self.norm1(x + self.self_attn(x))
        return self.norm2(x + self.linear2(self.linear1(x).relu()))


class Encoder:
    """An encoder whose logits are one row for each token."""

    def __init__(self, network: Transformer) -> None:
        self.emb = nn.Embedding(network.vocabulary, network.width)
        self.layers = [_Layer(network) for _ in range(network.layers)]
        self.head = nn.Linear(network.width, network.vocabulary)

    def __call__(self, tokens: Any) -> Any:
        return self.head(self.emb(tokens).sequential(self.layers)).flatten(0, 1)


class LstmStates:
    """An LSTM that gives all its states: tinygrad has the cell only, the loop is unrolled."""

    def __init__(self, network: Lstm) -> None:
        self.lstm = nn.LSTMCell(network.features, network.width)

    def __call__(self, x: Any) -> Any:
        state, states = None, []
        for place in range(x.shape[1]):
            state = self.lstm(x[:, place], state)
            states.append(state[0])
        return Tensor.stack(*states, dim=1)
