"""What the examples share: their options, a bar while they train, how they are scored."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import jitnet
from jitnet import Tensor, nn
from jitnet.optim.lr_scheduler import LRScheduler

console = Console()

Batch = Sequence[Tensor]
Step = Callable[..., Tensor]


def parser(description: str | None, data: str, download: bool = False) -> argparse.ArgumentParser:
    """Return a parser of what all examples take; `data` says what the folder holds."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--data", type=Path, required=True, metavar="FOLDER", help=data)
    if download:
        made.add_argument("--download", action="store_true", help="fetch files that are missing")
    made.add_argument("--eager", action="store_true", help="run line by line, for pdb and print")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--device", type=jitnet.device, default="cpu", help="cpu (default) or cuda")
    return made


def begin(chosen: argparse.Namespace) -> None:
    """Say where tensors are made from now on, and from what seed random numbers come."""
    jitnet.set_default_device(chosen.device)
    jitnet.manual_seed(chosen.seed)


def there(batch: Batch) -> list[Tensor]:
    """Return a batch on the device that the model was made on."""
    device = jitnet.get_default_device()
    return [tensor.to(device, non_blocking=True) for tensor in batch]


def compiled(function: Any, eager: bool) -> Any:
    """Return a function compiled, or as it is where the user wants to debug."""
    return function if eager else jitnet.compile(function)


def train(
    label: str,
    batches: Iterable[Batch],
    step: Step,
    total: int,
    schedule: LRScheduler | None = None,
) -> list[float]:
    """Call step(*batch), then the schedule, for each batch; return the losses, shown in a bar."""
    losses: list[float] = []
    with bar(label, total) as advance:
        for batch in batches:
            losses.append(step(*there(batch)).item())
            if schedule is not None:
                schedule.step()
            advance(losses[-1])
    return losses


@contextmanager
def bar(label: str, total: int) -> Iterator[Callable[[float], None]]:
    """Show a bar; the function that it gives advances it by one step with this loss."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=total, loss=float("nan"))
        yield lambda loss: progress.update(task, advance=1, loss=loss)


def epochs(loader: Iterable[Batch], count: int) -> Iterator[Batch]:
    """Yield all batches of a loader, `count` times over."""
    for _ in range(count):
        yield from loader


def scorer(model: nn.Module, eager: bool) -> Callable[[Iterable[Batch]], float]:
    """Return what computes the share of samples that a model classifies rightly."""

    @jitnet.no_grad()
    def right(*batch: Tensor) -> Tensor:
        *inputs, labels = batch
        return (model(*inputs).argmax(1) == labels).sum()

    count = compiled(right, eager)

    def score(batches: Iterable[Batch]) -> float:
        was_training = model.training
        model.eval()
        found = [(count(*there(batch)).item(), len(batch[-1])) for batch in batches]
        model.train(was_training)
        return sum(hits for hits, _ in found) / sum(size for _, size in found)

    return score


def parameters(model: nn.Module) -> int:
    """Return how many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())
