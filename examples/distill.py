"""Knowledge distillation on MNIST: a small network learns from a large one's doubts.

python examples/distill.py --data FOLDER   the folder of the four IDX files; --download gets them

A convolutional teacher learns from all images. Two perceptrons, alike and small, learn from few:
one from the labels alone, one also from what the teacher says of the same images, softened by a
temperature (Hinton et al. 2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.table import Table
from training import begin, compiled, console, epochs, parameters, parser, scorer, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.datasets import mnist
from jitnet.optim.lr_scheduler import OneCycleLR
from jitnet.utils.data import DataLoader, TensorDataset

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of images, logits and labels


def make_teacher() -> nn.Module:
    """Return a convolutional network."""
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 7 * 7, 10)),
    )


def make_student(width: int) -> nn.Module:
    """Return a perceptron of one hidden layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, width), nn.ReLU(), nn.Linear(width, 10))


def learn(
    label: str, model: nn.Module, data: TensorDataset, count: int, loss_of: Loss, eager: bool
) -> None:
    """Train a model for so many epochs."""
    loader = DataLoader(data, batch_size=min(100, len(data)), shuffle=True, drop_last=True)
    total = count * len(loader)
    optimizer = jitnet.optim.Adam(model.parameters())
    schedule = OneCycleLR(optimizer, max_lr=4e-3, total_steps=total)

    def step(images: Tensor, labels: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(images, model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    train(label, epochs(loader, count), compiled(step, eager), total, schedule)


def labels_alone(images: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss of someone who has only the labels."""
    return F.cross_entropy(logits, labels)


def with_teacher(teacher: nn.Module, temperature: float, share: float) -> Loss:
    """Return the loss of someone who listens to a teacher too, for a share of it."""

    def loss_of(images: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        with jitnet.no_grad():
            said = F.softmax(teacher(images) / temperature, 1)
        softened = F.log_softmax(logits / temperature, 1)
        doubts = F.kl_div(softened, said, reduction="batchmean") * temperature**2
        return share * doubts + (1 - share) * F.cross_entropy(logits, labels)

    return loss_of


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the teacher and both students, and show how well each does."""
    options = parser(__doc__, "the folder of the IDX files", download=True)
    options.add_argument("--epochs", type=int, default=1, help="of the teacher")
    options.add_argument("--images", type=int, default=2000, help="that the students see")
    options.add_argument("--student-epochs", type=int, default=60)
    options.add_argument("--width", type=int, default=32, help="of the students")
    options.add_argument("--temperature", type=float, default=4.0)
    chosen = options.parse_args(arguments)
    begin(chosen)

    whole, test = mnist(chosen.data, download=chosen.download)
    few = TensorDataset(*(tensor[: chosen.images] for tensor in whole.tensors))
    tests = DataLoader(test, batch_size=500)
    table = Table("network", "parameters", "learned from", "test accuracy")

    def show(name: str, model: nn.Module, images: int) -> None:
        accuracy = scorer(model, chosen.eager)(tests)
        table.add_row(name, f"{parameters(model):,}", f"{images:,} images", f"{accuracy:.2%}")

    teacher = make_teacher()
    learn("teacher", teacher, whole, chosen.epochs, labels_alone, chosen.eager)
    teacher.eval()
    show("teacher", teacher, len(whole))
    ways = {
        "student, labels alone": labels_alone,
        "student, taught": with_teacher(teacher, chosen.temperature, 0.9),
    }
    for name, loss_of in ways.items():
        jitnet.manual_seed(chosen.seed + 1)  # both start alike and see batches alike
        student = make_student(chosen.width)
        learn(name, student, few, chosen.student_epochs, loss_of, chosen.eager)
        show(name, student, len(few))
    console.print(table)


if __name__ == "__main__":
    main()
