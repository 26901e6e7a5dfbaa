"""Train a convolutional network and an MLP on handwritten digits: eagerly, then compiled.

Run by `make demo`. See what the training step became:
    python -m jitnet dump --stage kernels examples/digits.py --epochs 1
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import jitnet
import jitnet.nn as nn
import jitnet.nn.functional as F
from jitnet import Tensor
from jitnet.datasets import digits
from jitnet.optim.lr_scheduler import OneCycleLR
from jitnet.utils.data import DataLoader, TensorDataset

BATCH = 64
EAGER_STEPS = 20  # before the step is compiled
console = Console()

Step = Callable[[Tensor, Tensor], Tensor]


class LeNet(nn.Module):
    """Two convolutions, each followed by pooling, and two linear layers, for 8 x 8 images."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, 10] of images [N, 1, 8, 8]."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def make_mlp() -> nn.Module:
    """Return a perceptron with one hidden layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


@dataclass(frozen=True)
class Result:
    """What training one network gave."""

    name: str
    loss: float
    accuracy: float
    eager_ms: float
    compile_ms: float
    compiled_ms: float


def make_step(model: nn.Module, optimizer: jitnet.optim.Optimizer) -> Step:
    """Return one whole training step: gradients, forward, backward and update."""

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def accuracy(model: nn.Module, data: TensorDataset) -> float:
    """Return the share of samples that the model classifies rightly."""
    images, labels = there(data.tensors)
    model.eval()
    with jitnet.no_grad():
        right = (model(images).argmax(1) == labels).float().mean()
    model.train()
    return right.item()


def there(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Return tensors on the device that models are made on."""
    return [tensor.to(jitnet.get_default_device()) for tensor in tensors]


def batches(data: TensorDataset, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches, epoch after epoch."""
    loader = DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)
    for _ in range(epochs):
        for batch in loader:
            x, y = there(batch)
            yield x, y


def median_ms(seconds: list[float]) -> float:
    """Return the median of times in seconds, in milliseconds."""
    return sorted(seconds)[len(seconds) // 2] * 1e3


def train(name: str, model: nn.Module, epochs: int) -> Result:
    """Train a model, the first steps eagerly and the others compiled, and show how it goes."""
    train_data, test_data = digits()
    total = epochs * (len(train_data) // BATCH)
    optimizer = jitnet.optim.Adam(model.parameters())
    schedule = OneCycleLR(optimizer, max_lr=5e-3, total_steps=total)
    eager = make_step(model, optimizer)
    compiled = jitnet.compile(eager)  # once: a new learning rate does not compile again
    eager_times: list[float] = []
    compiled_times: list[float] = []

    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("step {task.completed}/{task.total}  loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"{name}, eager", total=total, loss=float("nan"))
        for number, (x, y) in enumerate(batches(train_data, epochs)):
            is_eager = number < EAGER_STEPS
            step, times = (eager, eager_times) if is_eager else (compiled, compiled_times)
            start = time.perf_counter()
            loss = step(x, y).item()
            times.append(time.perf_counter() - start)
            schedule.step()
            mode = "eager" if is_eager else "compiled"
            progress.update(bar, advance=1, loss=loss, description=f"{name}, {mode}")

    first, *others = compiled_times
    return Result(
        name=name,
        loss=loss,
        accuracy=accuracy(model, test_data),
        eager_ms=median_ms(eager_times),
        compile_ms=first * 1e3,
        compiled_ms=median_ms(others),
    )


def python_command() -> str:
    """Return how to call this Python from here."""
    relative = os.path.relpath(sys.executable)
    return sys.executable if relative.startswith("..") else relative


def show(results: list[Result]) -> None:
    """Print what training gave, one network a row."""
    table = Table(title="1,797 handwritten digits, a fifth held out")
    table.add_column("network")
    for head in ("last loss", "held-out accuracy", "eager step", "compiled step", "first call"):
        table.add_column(head, justify="right")
    for result in results:
        table.add_row(
            result.name,
            f"{result.loss:.4f}",
            f"{result.accuracy:.1%}",
            f"{result.eager_ms:.2f} ms",
            f"{result.compiled_ms:.3f} ms",
            f"{result.compile_ms:.0f} ms",
        )
    console.print(table)
    console.print(
        "The whole step (forward, backward, Adam) is one program. Look inside:\n"
        f"  {python_command()} -m jitnet dump --stage kernels examples/digits.py --epochs 1\n"
        "  --stage trace | graph | kernels | llvm | asm, -o FOLDER to write files",
        markup=False,
        highlight=False,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train both networks and show the results."""
    parser = argparse.ArgumentParser(
        description="Train on handwritten digits, eagerly and compiled."
    )
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    chosen = parser.parse_args(arguments)
    epochs = max(chosen.epochs, 1)
    jitnet.set_default_device(chosen.device)
    jitnet.manual_seed(0)
    show([train("CNN", LeNet(), epochs), train("MLP", make_mlp(), epochs)])


if __name__ == "__main__":
    main()
