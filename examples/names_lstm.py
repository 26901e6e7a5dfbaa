"""Train an LSTM to tell which language a surname comes from.

python examples/names_lstm.py --data FOLDER    the folder of Arabic.txt, Chinese.txt ...
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from training import begin, compiled, console, epochs, parameters, parser, scorer, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.optim.lr_scheduler import OneCycleLR
from jitnet.utils.data import DataLoader, TensorDataset, random_split

LETTERS = "abcdefghijklmnopqrstuvwxyz '-"
LONGEST = 20
ASKED = ("Nakamura", "O'Sullivan", "Papadopoulos", "Kowalczyk", "Nguyen", "Rossi", "Schmidt")


def encode(name: str) -> list[int]:
    """Return a name's letters, without accents, as numbers from 1; then zeros to a fixed length."""
    plain = unicodedata.normalize("NFKD", name.lower())
    numbers = [LETTERS.index(letter) + 1 for letter in plain if letter in LETTERS][:LONGEST]
    return numbers + [0] * (LONGEST - len(numbers))


def read_names(folder: Path) -> tuple[TensorDataset, list[str]]:
    """Return all names, how long each is, and its language's number; and the languages."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise SystemExit(f"{folder} has no .txt files; give the folder of a file for each language")
    samples = [
        (encode(name), language)
        for language, path in enumerate(files)
        for name in path.read_text(encoding="utf-8").split("\n")
        if any(encode(name))
    ]
    letters = jitnet.tensor([numbers for numbers, _ in samples])
    languages = jitnet.tensor([language for _, language in samples])
    return TensorDataset(letters, (letters > 0).sum(1), languages), [path.stem for path in files]


class Classifier(nn.Module):
    """Letters embedded and read one by one; what is known after the last one decides."""

    def __init__(self, languages: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS) + 1, 32, padding_idx=0)
        self.lstm = nn.LSTM(32, width, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(width, languages)

    def forward(self, letters: Tensor, lengths: Tensor) -> Tensor:
        """Return logits [N, languages] of letters [N, T], of which `lengths` [N] count."""
        states, _ = self.lstm(self.embedding(letters))
        last = (lengths - 1)[:, None, None].expand(-1, 1, states.shape[2])
        return self.head(self.dropout(states.gather(1, last).squeeze(1)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the accuracy on a tenth that was held out, and ask for some names."""
    options = parser(__doc__, "the folder of a file of names for each language")
    options.add_argument("--epochs", type=int, default=10)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--width", type=int, default=128)
    chosen = options.parse_args(arguments)
    begin(chosen)

    names, languages = read_names(chosen.data)
    train_part, test_part = random_split(names, [0.9, 0.1])
    loader = DataLoader(train_part, batch_size=chosen.batch, shuffle=True, drop_last=True)
    model = Classifier(len(languages), chosen.width)
    optimizer = jitnet.optim.AdamW(model.parameters())
    total = chosen.epochs * len(loader)
    schedule = OneCycleLR(optimizer, max_lr=5e-3, total_steps=total)
    console.print(
        f"{len(names):,} names in {len(languages)} languages, {parameters(model):,} parameters"
    )

    def step(letters: Tensor, lengths: Tensor, languages: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(letters, lengths), languages)
        loss.backward()
        optimizer.step()
        return loss

    batches = epochs(loader, chosen.epochs)
    train("LSTM", batches, compiled(step, chosen.eager), total, schedule)

    score = scorer(model, chosen.eager)
    console.print(f"held-out accuracy {score(DataLoader(test_part, batch_size=chosen.batch)):.1%}")
    show_guesses(model.eval(), languages)


def show_guesses(model: Classifier, languages: Sequence[str]) -> None:
    """Print the likeliest languages of some names."""
    letters = jitnet.tensor([encode(name) for name in ASKED])
    with jitnet.no_grad():
        probabilities = F.softmax(model(letters, (letters > 0).sum(1)), 1)
    best, places = probabilities.topk(min(2, len(languages)), 1)
    table = Table("name", "likeliest", "and then")
    for name, values, numbers in zip(ASKED, best.tolist(), places.tolist(), strict=True):
        guesses = [f"{languages[n]} {p:.0%}" for n, p in zip(numbers, values, strict=True)]
        table.add_row(name, *guesses)
    console.print(table)


if __name__ == "__main__":
    main()
