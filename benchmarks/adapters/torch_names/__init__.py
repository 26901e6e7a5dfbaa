"""What PyTorch and jitnet share: models and functions, written once in names that both have.

`torch` is one of the two modules everywhere in this folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, assert_never

from benchmarks import inputs
from benchmarks.adapters.torch_names import gpt2, images, sequences
from benchmarks.networks import Gpt2, LeNet, Lstm, Mlp, Network, ResNet18, Transformer
from benchmarks.work import Adam, Sgd

INITIALISERS = ("kaiming_uniform_", "xavier_uniform_", "uniform_", "normal_")


def build(torch: Any, network: Network) -> Any:
    """Return a network as a module, with the weights of benchmarks.inputs."""
    with _unfilled(torch.nn.init):
        model = _module(torch, network)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = inputs.weight(name, tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(values))
    return model


def _module(torch: Any, network: Network) -> Any:
    match network:
        case Mlp():
            return _mlp(torch.nn, network)
        case LeNet():
            return images.lenet(torch)
        case ResNet18():
            return images.resnet18(torch, network)
        case Transformer():
            return sequences.transformer(torch, network)
        case Lstm():
            return sequences.lstm(torch, network)
        case Gpt2():
            return gpt2.model(torch, network)
        case _:
            assert_never(network)


def _mlp(nn: Any, network: Mlp) -> Any:
    activation = nn.GELU if network.activation == "gelu" else nn.ReLU
    layers = []
    for inputs_, outputs in zip(network.widths, network.widths[1:], strict=False):
        layers += [nn.Linear(inputs_, outputs), activation()]
    return nn.Sequential(*layers[:-1])


@contextmanager
def _unfilled(init: Any) -> Iterator[None]:
    """Make layers without drawing random weights that would be overwritten at once."""
    saved = {name: getattr(init, name) for name in INITIALISERS}
    for name in INITIALISERS:
        setattr(init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, function in saved.items():
            setattr(init, name, function)


def optimizer_for(torch: Any, parameters: Any, optimizer: Sgd | Adam, **options: Any) -> Any:
    """Return the optimizer of a workload."""
    match optimizer:
        case Sgd(rate=rate, momentum=momentum):
            return torch.optim.SGD(parameters, lr=rate, momentum=momentum, **options)
        case Adam(rate=rate):
            return torch.optim.Adam(parameters, lr=rate, **options)


def chain(torch: Any, x: Any) -> Any:
    """Return gelu(1.5 x + 0.5) sigmoid(x) + tanh(x)."""
    return torch.nn.functional.gelu(x * 1.5 + 0.5) * torch.sigmoid(x) + torch.tanh(x)


def normalized(torch: Any, x: Any, gain: Any, bias: Any) -> Any:
    """Return the layer norm of each row's softmax."""
    functional = torch.nn.functional
    return functional.layer_norm(functional.softmax(x, -1), (x.shape[-1],), gain, bias)
