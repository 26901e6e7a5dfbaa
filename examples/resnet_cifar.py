"""Train a ResNet on CIFAR-10's small photographs.

python examples/resnet_cifar.py --data FOLDER    the folder of data_batch_*.bin and test_batch*.bin
                                                 (the binary version); --download fetches it

Ten epochs of the first 10,000 images take a minute or two, and bring it to two thirds right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training import begin, compiled, console, epochs, parameters, parser, scorer, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.datasets import cifar10
from jitnet.optim.lr_scheduler import OneCycleLR
from jitnet.utils.data import DataLoader, Dataset, TensorDataset
from jitnet.vision import transforms
from jitnet.vision.models.resnet import BasicBlock, conv1x1, conv3x3

MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)  # of the training pixels


class SmallResNet(nn.Module):
    """The residual network for 32 x 32 images (He et al. 2015, section 4.2), three stages.

    torchvision's networks begin by making images 8 times smaller, which leaves little of these.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        stages: list[nn.Module] = [conv3x3(3, width), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
        for wider, stride in ((1, 1), (2, 2), (4, 2)):
            for number in range(blocks):
                stages.append(block(channels, width * wider, stride if number == 0 else 1))
                channels = width * wider
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, 10] of images [N, 3, 32, 32]."""
        return self.head(F.adaptive_avg_pool2d(self.stages(x), 1).flatten(1))


def block(channels: int, wanted: int, stride: int) -> nn.Module:
    """Return a block that changes the size and the number of channels where they differ."""
    if stride == 1 and channels == wanted:
        return BasicBlock(channels, wanted)
    shortcut = nn.Sequential(conv1x1(channels, wanted, stride), nn.BatchNorm2d(wanted))
    return BasicBlock(channels, wanted, stride, shortcut)


class Changed(Dataset[tuple[Tensor, Tensor]]):
    """The samples of a data set, each image changed anew whenever it is read."""

    def __init__(self, data: Any, change: Any) -> None:
        self.data = data
        self.change = change

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, label = self.data[index]
        return self.change(image), label

    def __len__(self) -> int:
        return len(self.data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and print the accuracy on the test images."""
    options = parser(__doc__, "the folder of the binary files", download=True)
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--width", type=int, default=16)
    options.add_argument("--blocks", type=int, default=1, help="blocks in each of three stages")
    chosen = options.parse_args(arguments)
    begin(chosen)

    train_part, test_part = cifar10(chosen.data, download=chosen.download)
    normalize = transforms.Normalize(MEAN, DEVIATION)
    images, labels = train_part.tensors
    change = transforms.Compose(
        [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    )
    seen = Changed(TensorDataset(normalize(images), labels), change)
    loader = DataLoader(seen, batch_size=chosen.batch, shuffle=True, drop_last=True)
    model = SmallResNet(chosen.width, chosen.blocks)
    total = chosen.epochs * len(loader)
    optimizer = jitnet.optim.SGD(
        model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True
    )
    schedule = OneCycleLR(optimizer, max_lr=0.2, total_steps=total)
    console.print(f"{len(train_part):,} images, {parameters(model):,} parameters")

    def step(images: Tensor, labels: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    batches = epochs(loader, chosen.epochs)
    train("ResNet", batches, compiled(step, chosen.eager), total, schedule)

    score = scorer(model, chosen.eager)
    tests = DataLoader(Changed(test_part, normalize), batch_size=min(500, len(test_part)))
    console.print(f"test accuracy {score(tests):.1%}")


if __name__ == "__main__":
    main()
