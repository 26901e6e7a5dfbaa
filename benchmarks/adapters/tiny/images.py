"""Networks for images: LeNet and ResNet-18."""

from __future__ import annotations

from typing import Any

from tinygrad import nn

from benchmarks.networks import ResNet18


class LeNetModel:
    """LeNet."""

    def __init__(self) -> None:
        self.c1, self.c2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.f1, self.f2, self.f3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def __call__(self, x: Any) -> Any:
        x = self.c1(x).relu().max_pool2d((2, 2))
        x = self.c2(x).relu().max_pool2d((2, 2))
        return self.f3(self.f2(self.f1(x.flatten(1)).relu()).relu())


class _Block:
    def __init__(self, width: int, outputs: int, stride: int) -> None:
        self.conv1 = nn.Conv2d(width, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm(outputs)
        self.down: list[Any] = []
        if stride > 1:
            narrow = nn.Conv2d(width, outputs, 1, stride, bias=False)
            self.down = [narrow, nn.BatchNorm(outputs)]

    def __call__(self, x: Any) -> Any:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + x.sequential(self.down)).relu()


class ResNet18Model:
    """ResNet-18."""

    def __init__(self, network: ResNet18) -> None:
        self.small = network.small
        self.conv1 = nn.Conv2d(3, 64, *network.stem, bias=False)
        self.bn1 = nn.BatchNorm(64)
        self.layers = [_Block(*block) for block in network.blocks]
        self.fc = nn.Linear(512, *network.outputs)

    def __call__(self, x: Any) -> Any:
        x = self.bn1(self.conv1(x)).relu()
        if not self.small:
            x = x.max_pool2d((3, 3), stride=2, padding=1)
        return self.fc(x.sequential(self.layers).mean((2, 3)))
