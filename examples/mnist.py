"""Train a LeNet on MNIST with a compiled training step: 98.5 % and more within 3 epochs.

python examples/mnist.py --data FOLDER               the folder of the four IDX files
python examples/mnist.py --data FOLDER --download    fetch them first
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from training import begin, compiled, console, parser, scorer, train

import jitnet
import jitnet.nn as nn
import jitnet.nn.functional as F
from jitnet import Tensor
from jitnet.datasets import mnist
from jitnet.optim.lr_scheduler import OneCycleLR
from jitnet.utils.data import DataLoader

MEAN, DEVIATION = 0.1307, 0.3081  # of the training pixels


class LeNet(nn.Module):
    """The LeNet of PyTorch's tutorials, for 28 x 28 images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5)
        self.fc1 = nn.Linear(32 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, 10] of images [N, 1, 28, 28] in 0 .. 1."""
        x = (x - MEAN) / DEVIATION
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train for some epochs and print the accuracy on the 10,000 test images after each."""
    options = parser(__doc__, "folder of the IDX files", download=True)
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--batch", type=int, default=128)
    chosen = options.parse_args(arguments)
    begin(chosen)

    train_part, test_part = mnist(chosen.data, download=chosen.download)
    loader = DataLoader(train_part, batch_size=chosen.batch, shuffle=True, drop_last=True)
    tests = DataLoader(test_part, batch_size=500)
    model = LeNet()
    optimizer = jitnet.optim.Adam(model.parameters(), lr=2e-3)
    schedule = OneCycleLR(optimizer, max_lr=4e-3, total_steps=chosen.epochs * len(loader))

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    fast_step = compiled(step, chosen.eager)
    score = scorer(model, chosen.eager)
    for epoch in range(1, chosen.epochs + 1):
        start = time.perf_counter()
        losses = train(f"epoch {epoch}", loader, fast_step, len(loader), schedule)
        seconds = time.perf_counter() - start
        console.print(
            f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, "
            f"test accuracy {score(tests):.2%}, {seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
