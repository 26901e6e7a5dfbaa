"""Forecast two years of airline passengers with a GRU, and write a picture of it.

python examples/forecast.py --data FOLDER    the folder of airline-passengers.csv

The network reads 24 months of growth and foretells the next month's; its own forecasts are then
read on, so that nothing after 1958 is known to it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from training import begin, compiled, console, parameters, parser, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.optim.lr_scheduler import CosineAnnealingLR

AHEAD = 24  # months that are held out
YEAR = 12


def read_passengers(folder: Path) -> tuple[list[str], Tensor]:
    """Return the months and how many thousands flew in each."""
    with open(folder / "airline-passengers.csv", encoding="utf-8", newline="") as file:
        _, *rows = [row for row in csv.reader(file) if row]
    return [month for month, _ in rows], jitnet.tensor([float(count) for _, count in rows])


class Forecaster(nn.Module):
    """A GRU over a window of growth, and a linear layer from its last state."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(1, width, batch_first=True)
        self.head = nn.Linear(width, 1)

    def forward(self, windows: Tensor) -> Tensor:
        """Return the next value [N] of windows [N, T]."""
        states, _ = self.gru(windows[:, :, None])
        return self.head(states[:, -1]).squeeze(1)


def forecast(model: Forecaster, known: Tensor, window: int, count: int) -> Tensor:
    """Return `count` values after the known ones, each made with the help of those before."""
    values = known
    with jitnet.no_grad():
        for _ in range(count):
            values = jitnet.cat([values, model(values[None, -window:])])
    return values[-count:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the error of the forecast beside that of last year's numbers, and draw."""
    options = parser(__doc__, "the folder of airline-passengers.csv")
    options.add_argument("--steps", type=int, default=400)
    options.add_argument("--window", type=int, default=24)
    options.add_argument("--width", type=int, default=32)
    options.add_argument("--picture", type=Path, default=Path("forecast.png"))
    chosen = options.parse_args(arguments)
    begin(chosen)

    months, passengers = read_passengers(chosen.data)
    growth = passengers.log().diff()
    known = growth[:-AHEAD]
    mean, deviation = known.mean(), known.std()
    scaled = (known - mean) / deviation
    windows = scaled.unfold(0, chosen.window + 1, 1)
    inputs, targets = windows[:, :-1].contiguous(), windows[:, -1].contiguous()
    model = Forecaster(chosen.width)
    optimizer = jitnet.optim.Adam(model.parameters(), lr=1e-2)
    schedule = CosineAnnealingLR(optimizer, chosen.steps)
    console.print(f"{len(inputs)} windows, {parameters(model):,} parameters")

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        noise = 0.1 * jitnet.randn_like(x)  # so few windows are soon known by heart
        loss = F.mse_loss(model(x + noise), y)
        loss.backward()
        optimizer.step()
        return loss

    batches = ((inputs, targets) for _ in range(chosen.steps))
    train("GRU", batches, compiled(step, chosen.eager), chosen.steps, schedule)

    foretold = forecast(model, scaled, chosen.window, AHEAD) * deviation + mean
    counts = passengers[-AHEAD - 1] * foretold.cumsum(0).exp()
    truth = passengers[-AHEAD:]
    last_year = passengers[-AHEAD - YEAR : -AHEAD].repeat(AHEAD // YEAR)
    console.print(f"mean error: forecast {error(counts, truth):.1%}")
    console.print(f"            last year's numbers again {error(last_year, truth):.1%}")
    draw(chosen.picture, months, passengers.tolist(), counts.tolist())
    console.print(f"wrote {chosen.picture}")


def error(values: Tensor, truth: Tensor) -> float:
    """Return by what share values miss the truth on average."""
    return ((values - truth).abs() / truth).mean().item()


def draw(
    path: Path, months: Sequence[str], passengers: Sequence[float], counts: Sequence[float]
) -> None:
    """Write a picture of what was and what was forecast; it needs jitnet[examples]."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(months))
    axes.plot(places, passengers, color="black", label="passengers")
    axes.plot(places[-len(counts) :], counts, color="tab:red", label="forecast")
    axes.axvline(len(months) - len(counts), color="grey", linestyle=":")
    axes.set_xticks(places[::YEAR], [month[:4] for month in months[::YEAR]])
    axes.set_ylabel("thousands a month")
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
