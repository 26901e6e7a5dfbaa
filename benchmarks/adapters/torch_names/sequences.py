"""Networks for sequences: a transformer's encoder and an LSTM."""

from __future__ import annotations

from typing import Any

from benchmarks.networks import Lstm, Transformer


def transformer(torch: Any, network: Transformer) -> Any:
    """Return an encoder whose logits are one row for each token."""
    nn = torch.nn
    width = network.width

    class Encoder(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(network.vocabulary, width)
            self.layers = nn.ModuleList(self._layer() for _ in range(network.layers))
            self.head = nn.Linear(width, network.vocabulary)

        @staticmethod
        def _layer() -> Any:
            return nn.TransformerEncoderLayer(
                width, network.heads, network.hidden, dropout=0.0, batch_first=True
            )

        def forward(self, tokens: Any) -> Any:
            x = self.emb(tokens)
            for layer in self.layers:
                x = layer(x)
            return self.head(x).flatten(0, 1)

    return Encoder()


def lstm(torch: Any, network: Lstm) -> Any:
    """Return an LSTM that gives all its states."""
    nn = torch.nn

    class States(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(network.features, network.width, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.lstm(x)[0]

    return States()
