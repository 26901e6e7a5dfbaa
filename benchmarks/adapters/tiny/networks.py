"""The networks as classes of tinygrad, whose attributes have the names of PyTorch's parameters."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any, assert_never

from tinygrad import Tensor, nn

from benchmarks import inputs
from benchmarks.adapters.tiny.gpt2 import Gpt2Model
from benchmarks.adapters.tiny.images import LeNetModel, ResNet18Model
from benchmarks.adapters.tiny.sequences import Encoder, LstmStates
from benchmarks.networks import Gpt2, LeNet, Lstm, Mlp, Network, ResNet18, Transformer


def build(network: Network) -> Any:
    """Return a network with the weights of benchmarks.inputs."""
    model = _model(network)
    shapes = network.shapes()
    for name, tensor in nn.state.get_state_dict(model).items():
        known = name if name in shapes else f"{name}_l0"  # as PyTorch numbers its LSTM's layers
        if known in shapes:  # all but running statistics
            values = Tensor(inputs.weight(known, shapes[known])).realize()
            tensor.replace(values).is_param_(True)
    return model


def _model(network: Network) -> Any:
    match network:
        case Mlp():
            return _Mlp(network)
        case LeNet():
            return LeNetModel()
        case ResNet18():
            return ResNet18Model(network)
        case Transformer():
            return Encoder(network)
        case Lstm():
            return LstmStates(network)
        case Gpt2():
            return Gpt2Model(network)
        case _:
            assert_never(network)


class _Mlp:
    def __init__(self, network: Mlp) -> None:
        self.activation = partial(Tensor.gelu, approximate="none")
        if network.activation == "relu":
            self.activation = Tensor.relu
        self.names = [str(2 * number) for number in range(len(network.widths) - 1)]
        for name, (width, outputs) in zip(self.names, pairwise(network.widths), strict=True):
            setattr(self, name, nn.Linear(width, outputs))

    def __call__(self, x: Any) -> Any:
        *hidden, last = (getattr(self, name) for name in self.names)
        for layer in hidden:
            x = self.activation(layer(x))
        return last(x)
