"""The networks, written once for the two peers that share PyTorch's names."""

from __future__ import annotations

from typing import Any

from benchmarks import inputs


def build(torch: Any, functional: Any, network: str) -> Any:
    """Return "mlp" or "lenet" with the weights of benchmarks.inputs."""
    model = _mlp(torch.nn) if network == "mlp" else _lenet(torch, functional)
    values = inputs.weights(network)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(values[name]))
    return model


def chain(torch: Any, functional: Any, x: Any) -> Any:
    """Return gelu(1.5 x + 0.5) sigmoid(x) + tanh(x)."""
    return functional.gelu(x * 1.5 + 0.5) * torch.sigmoid(x) + torch.tanh(x)


def normalized(functional: Any, x: Any, gain: Any, bias: Any) -> Any:
    """Return the layer norm of each row's softmax."""
    return functional.layer_norm(functional.softmax(x, -1), (x.shape[-1],), gain, bias)


def _mlp(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def _lenet(torch: Any, functional: Any) -> Any:
    nn = torch.nn

    class LeNet(nn.Module):  # type: ignore[name-defined,misc]
        """LeNet as in PyTorch's CIFAR-10 tutorial."""

        def __init__(self) -> None:
            super().__init__()
            self.c1, self.c2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
            self.f1, self.f2, self.f3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x: Any) -> Any:
            x = functional.max_pool2d(functional.relu(self.c1(x)), 2)
            x = functional.max_pool2d(functional.relu(self.c2(x)), 2)
            x = functional.relu(self.f1(torch.flatten(x, 1)))
            return self.f3(functional.relu(self.f2(x)))

    return LeNet()
