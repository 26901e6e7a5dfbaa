"""Train a small GPT on Shakespeare, character by character, and let it write.

python examples/char_gpt.py --data FOLDER    the folder of input.txt, such as tiny-shakespeare's
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training import begin, compiled, console, parameters, parser, train

import jitnet
import jitnet.nn.functional as F
from jitnet import Tensor, nn
from jitnet.optim.lr_scheduler import OneCycleLR


class Block(nn.Module):
    """Attention to what came before, then a perceptron for each place; both are added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def attend(self, x: Tensor) -> Tensor:
        """Return what each place of [N, T, C] gathers from itself and those before it."""
        n, t, c = x.shape
        parts = self.qkv(x).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(n, t, c))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Characters and their places embedded, blocks, and the logits of the next character."""

    def __init__(self, vocabulary: int, context: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.context = context
        self.token = nn.Embedding(vocabulary, width)
        self.place = nn.Parameter(jitnet.zeros(context, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits [N, T, V] of tokens [N, T]."""
        x = self.token(tokens) + self.place[: tokens.shape[1]]
        return self.head(self.norm(self.blocks(x)))


def windows(text: Tensor, context: int, batch: int, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pieces [batch, context] of a text, and the same pieces one character on."""
    offsets = jitnet.arange(context)
    for _ in range(steps):
        places = jitnet.randint(0, len(text) - context, (batch, 1)) + offsets
        yield text[places], text[places + 1]


def write(model: GPT, prompt: Tensor, length: int, eager: bool) -> list[int]:
    """Return `length` characters that the model draws after a prompt of `context` characters."""

    @jitnet.no_grad()
    def next_probabilities(window: Tensor) -> Tensor:
        return F.softmax(model(window)[0, -1], 0)

    ask = compiled(next_probabilities, eager)
    window, written = prompt[None], []
    for _ in range(length):
        drawn = jitnet.multinomial(ask(window), 1)
        written.append(int(drawn.item()))
        window = jitnet.cat([window[:, 1:], drawn[None]], 1)
    return written


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the loss on the last tenth of the text, and write."""
    options = parser(__doc__, "the folder of input.txt")
    options.add_argument("--steps", type=int, default=900)
    options.add_argument("--batch", type=int, default=32)
    options.add_argument("--context", type=int, default=64)
    options.add_argument("--width", type=int, default=128)
    options.add_argument("--depth", type=int, default=4)
    options.add_argument("--write", type=int, default=500, help="characters to write at the end")
    chosen = options.parse_args(arguments)
    begin(chosen)

    characters = (chosen.data / "input.txt").read_text(encoding="utf-8")
    alphabet = sorted(set(characters))
    number = {character: place for place, character in enumerate(alphabet)}
    text = jitnet.tensor([number[character] for character in characters])
    split = len(text) * 9 // 10
    model = GPT(len(alphabet), chosen.context, chosen.width, 4, chosen.depth)
    optimizer = jitnet.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = OneCycleLR(optimizer, max_lr=3e-3, total_steps=chosen.steps)
    console.print(f"{len(text):,} characters, {parameters(model):,} parameters")

    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    batches = windows(text[:split], chosen.context, chosen.batch, chosen.steps)
    train("GPT", batches, compiled(step, chosen.eager), chosen.steps, schedule)

    held_out = compiled(jitnet.no_grad()(loss_of), chosen.eager)
    trials = windows(text[split:], chosen.context, chosen.batch, 20)
    losses = [held_out(x, y).item() for x, y in trials]
    console.print(f"held-out loss {sum(losses) / len(losses):.3f} nats a character")
    prompt = text[split : split + chosen.context]
    written = write(model, prompt, chosen.write, chosen.eager)
    console.print("".join(alphabet[place] for place in written), markup=False, highlight=False)


if __name__ == "__main__":
    main()
