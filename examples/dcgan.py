"""Train a DCGAN on MNIST: a network that draws digits, and one that tells them from real ones.

python examples/dcgan.py --data FOLDER    the folder of the four IDX files; --download fetches them

It writes a picture of what the same random numbers give after training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training import begin, compiled, console, epochs, parameters, parser, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.datasets import mnist
from jitnet.utils.data import DataLoader
from jitnet.vision.utils import save_image

LATENT = 64


def make_generator(width: int) -> nn.Module:
    """Return what makes images [N, 1, 28, 28] in -1 .. 1 of numbers [N, 64, 1, 1]."""
    return nn.Sequential(
        nn.ConvTranspose2d(LATENT, 2 * width, 7, bias=False),  # to 7 x 7
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )


def make_critic(width: int) -> nn.Module:
    """Return what makes of images [N, 1, 28, 28] the logit [N, 1] that they are real."""
    return nn.Sequential(
        nn.Conv2d(1, width, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * 7 * 7, 1),
    )


def initialize(module: nn.Module) -> None:
    """Draw weights as the paper does (Radford et al. 2015)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train both networks and write the picture."""
    options = parser(__doc__, "the folder of the IDX files", download=True)
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--width", type=int, default=32)
    options.add_argument("--picture", type=Path, default=Path("dcgan.png"))
    chosen = options.parse_args(arguments)
    begin(chosen)

    data = mnist(chosen.data, download=chosen.download).train
    loader = DataLoader(data, batch_size=chosen.batch, shuffle=True, drop_last=True)
    generator = make_generator(chosen.width).apply(initialize)
    critic = make_critic(chosen.width).apply(initialize)
    generator_optimizer = jitnet.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
    critic_optimizer = jitnet.optim.Adam(critic.parameters(), lr=4e-4, betas=(0.5, 0.999))
    console.print(f"generator {parameters(generator):,}, critic {parameters(critic):,} parameters")

    def step(images: Tensor, labels: Tensor) -> Tensor:
        """Update both networks, in one program; return the generator's loss."""
        real = images * 2 - 1
        fake = generator(jitnet.randn(len(images), LATENT, 1, 1))
        critic_optimizer.zero_grad()
        of_real = F.softplus(-critic(real)).mean()
        of_fake = F.softplus(critic(fake.detach())).mean()
        (of_real + of_fake).backward()
        critic_optimizer.step()

        generator_optimizer.zero_grad()
        loss = F.softplus(-critic(fake)).mean()
        loss.backward()
        generator_optimizer.step()
        return loss

    total = chosen.epochs * len(loader)
    train("DCGAN", epochs(loader, chosen.epochs), compiled(step, chosen.eager), total)

    with jitnet.no_grad():
        drawn = generator.eval()(jitnet.randn(64, LATENT, 1, 1))
        doubted = critic.eval()(drawn).sigmoid().mean().item()
    console.print(f"the critic takes a drawn digit for a real one with {doubted:.0%}")
    save_image(drawn, chosen.picture, normalize=True, value_range=(-1, 1))
    console.print(f"wrote {chosen.picture}")


if __name__ == "__main__":
    main()
