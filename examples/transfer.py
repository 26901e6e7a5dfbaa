"""Transfer learning on MNIST: what was learned from five digits helps with the other five.

python examples/transfer.py --data FOLDER   the folder of the four IDX files; --download gets them

A network learns 0 to 4 from all their images, and is saved to a checkpoint (a given --checkpoint
that exists is loaded instead). From the checkpoint, with a new head and its features frozen, it
learns 5 to 9 from few images; then it is fine-tuned. A network that starts anew learns beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from training import begin, compiled, console, epochs, parameters, parser, scorer, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.datasets import mnist
from jitnet.utils.data import DataLoader, TensorDataset


class Network(nn.Module):
    """Convolutions that find features, and a head that tells five classes by them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, 5))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits [N, 5] of images [N, 1, 28, 28]."""
        return self.head(self.features(x))


def digits_between(data: TensorDataset, low: int, high: int) -> TensorDataset:
    """Return the samples of some digits, counted from the lowest."""
    images, labels = data.tensors
    chosen = ((labels >= low) & (labels <= high)).nonzero().squeeze(1)
    return TensorDataset(images[chosen], labels[chosen] - low)


def learn(
    label: str, model: nn.Module, data: TensorDataset, count: int, rate: float, eager: bool
) -> None:
    """Train what is not frozen of a model for so many epochs."""
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = jitnet.optim.AdamW(learned, lr=rate)
    loader = DataLoader(data, batch_size=min(64, len(data)), shuffle=True, drop_last=True)

    def step(images: Tensor, labels: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    train(label, epochs(loader, count), compiled(step, eager), count * len(loader))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on 0 to 4 or load that, then on a few of 5 to 9, in three ways."""
    options = parser(__doc__, "the folder of the IDX files", download=True)
    options.add_argument("--checkpoint", type=Path, default=Path("digits_0_to_4.safetensors"))
    options.add_argument("--epochs", type=int, default=1, help="on 0 to 4")
    options.add_argument("--images", type=int, default=100, help="of 5 to 9 to learn from")
    options.add_argument("--few-epochs", type=int, default=40, help="on these")
    chosen = options.parse_args(arguments)
    begin(chosen)

    whole, test = mnist(chosen.data, download=chosen.download)
    if chosen.checkpoint.exists():
        console.print(f"starting from {chosen.checkpoint}")
    else:
        teacher = Network()
        learn("0 to 4", teacher, digits_between(whole, 0, 4), chosen.epochs, 2e-3, chosen.eager)
        jitnet.save(teacher.state_dict(), chosen.checkpoint)
        console.print(f"wrote {chosen.checkpoint}")

    others = digits_between(whole, 5, 9)
    few = TensorDataset(*(tensor[: chosen.images] for tensor in others.tensors))
    tests = DataLoader(digits_between(test, 5, 9), batch_size=250)
    table = Table("5 to 9", "learned", "test accuracy", title=f"{len(few)} images to learn from")

    def show(name: str, model: nn.Module) -> None:
        learned = sum(p.numel() for p in model.parameters() if p.requires_grad)
        score = scorer(model, chosen.eager)
        table.add_row(name, f"{learned:,} of {parameters(model):,}", f"{score(tests):.1%}")

    fresh = Network()
    learn("anew", fresh, few, chosen.few_epochs, 2e-3, chosen.eager)
    show("anew", fresh)

    model = Network()
    state = jitnet.load(chosen.checkpoint)
    features = {name: value for name, value in state.items() if name.startswith("features.")}
    loaded = model.load_state_dict(features, strict=False)
    assert not loaded.unexpected_keys
    model.features.requires_grad_(False)
    learn("frozen", model, few, chosen.few_epochs, 2e-3, chosen.eager)
    show("features frozen", model)

    model.features.requires_grad_(True)
    learn("fine-tuned", model, few, chosen.few_epochs // 2, 2e-4, chosen.eager)
    show("then fine-tuned", model)
    console.print(table)


if __name__ == "__main__":
    main()
