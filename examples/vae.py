"""Train a variational autoencoder on MNIST, and write a picture of what it made.

python examples/vae.py --data FOLDER    the folder of the four IDX files; --download fetches them

The picture: digits, what is left of them after 20 numbers, and digits made of random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training import begin, compiled, console, epochs, parameters, parser, there, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.datasets import mnist
from jitnet.utils.data import DataLoader
from jitnet.vision.utils import save_image

PIXELS = 28 * 28


class VAE(nn.Module):
    """A digit to the mean and spread of a few numbers, and such numbers to a digit."""

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, hidden), nn.ReLU())
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, PIXELS)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of pixels [N, 784], made of numbers drawn around a mean, and both."""
        features = self.encoder(images)
        mean, log_variance = self.mean(features), self.log_variance(features)
        numbers = mean + jitnet.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(numbers), mean, log_variance


def loss_of(model: VAE, images: Tensor) -> Tensor:
    """Return the negative evidence bound in nats an image (Kingma and Welling 2013)."""
    logits, mean, log_variance = model(images)
    pixels = F.binary_cross_entropy_with_logits(logits, images.flatten(1), reduction="sum")
    prior = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
    return (pixels + prior) / len(images)


def picture(model: VAE, images: Tensor, latent: int) -> Tensor:
    """Return digits, what the model makes of them, and as many of its own: three rows each."""
    with jitnet.no_grad():
        seen = model(images)[0].sigmoid().view(-1, 1, 28, 28)
        made = model.decoder(jitnet.randn(len(images), latent)).sigmoid().view(-1, 1, 28, 28)
    return jitnet.cat([images, seen, made])


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the bound on the test images, and write the picture."""
    options = parser(__doc__, "the folder of the IDX files", download=True)
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--hidden", type=int, default=400)
    options.add_argument("--latent", type=int, default=20)
    options.add_argument("--picture", type=Path, default=Path("vae.png"))
    chosen = options.parse_args(arguments)
    begin(chosen)

    train_part, test_part = mnist(chosen.data, download=chosen.download)
    loader = DataLoader(train_part, batch_size=chosen.batch, shuffle=True, drop_last=True)
    model = VAE(chosen.hidden, chosen.latent)
    optimizer = jitnet.optim.Adam(model.parameters(), lr=1e-3)
    console.print(f"{parameters(model):,} parameters")

    def step(images: Tensor, labels: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(model, images)
        loss.backward()
        optimizer.step()
        return loss

    total = chosen.epochs * len(loader)
    train("VAE", epochs(loader, chosen.epochs), compiled(step, chosen.eager), total)

    (images,) = there(test_part.tensors[:1])
    with jitnet.no_grad():
        console.print(f"test bound {loss_of(model, images).item():.1f} nats an image")
    save_image(picture(model, images[:30], chosen.latent), chosen.picture, nrow=10)
    console.print(f"wrote {chosen.picture}")


if __name__ == "__main__":
    main()
