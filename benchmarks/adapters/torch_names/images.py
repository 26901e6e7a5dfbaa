"""Networks for images: LeNet and ResNet-18."""

from __future__ import annotations

from typing import Any

from benchmarks.networks import ResNet18


def lenet(torch: Any) -> Any:
    """Return LeNet as in PyTorch's CIFAR-10 tutorial."""
    nn, functional = torch.nn, torch.nn.functional

    class LeNet(nn.Module):  # type: ignore[name-defined,misc]
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


def resnet18(torch: Any, network: ResNet18) -> Any:
    """Return ResNet-18."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.down = nn.Identity()
            if stride > 1:
                narrow = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.down = nn.Sequential(narrow, nn.BatchNorm2d(outputs))

        def forward(self, x: Any) -> Any:
            y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
            return functional.relu(y + self.down(x))

    class ResNet(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(3, 64, *network.stem, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.layers = nn.Sequential(*(Block(*block) for block in network.blocks))
            self.fc = nn.Linear(512, *network.outputs)

        def forward(self, x: Any) -> Any:
            x = functional.relu(self.bn1(self.conv1(x)))
            if not network.small:
                x = functional.max_pool2d(x, 3, 2, 1)
            return self.fc(self.layers(x).mean((2, 3)))

    return ResNet()
