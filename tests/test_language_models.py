"""Language models: eagerly as PyTorch, compiled as eagerly; inference, caches, training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from tests.language_models import Sizes, build

SIZES = Sizes()
RNG = np.random.default_rng(0)
WORDS = RNG.integers(0, SIZES.words, (3, 10))
NEXT = RNG.integers(0, SIZES.words, 30)
HEAD = SIZES.width // SIZES.heads
CACHES = RNG.standard_normal((2, SIZES.layers, 3, SIZES.heads, SIZES.places, HEAD), np.float32)


def initial(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the values that a parameter starts with, in either library."""
    rng = np.random.default_rng(sum(map(ord, name)))
    values = rng.standard_normal(shape, np.float32) / np.float32(np.sqrt(shape[-1]))
    return values + np.float32(len(shape) == 1)  # norms start near 1


def make(library: Any, name: str) -> Any:
    """Return a model with the same parameters in either library."""
    model = getattr(build(library, SIZES), name)()
    state = {
        key: library.tensor(initial(key, tuple(value.shape)))
        for key, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    return model


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap nothing: run eagerly."""
    return function


def logits(library: Any, wrap: Callable[..., Any]) -> list[np.ndarray]:
    """Return GPT-2's logits for the next word, for two lengths."""
    model = wrap(make(library, "GPT2").eval())
    with library.no_grad():
        return [model(library.tensor(WORDS[:, :length])).numpy() for length in (10, 7)]


def decoded(library: Any, wrap: Callable[..., Any]) -> list[np.ndarray]:
    """Return the logits of three words in turn, and what the caches hold then."""
    gpt = make(library, "GPT2")
    model = wrap(build(library, SIZES).GPT2Decode(gpt))
    keys, values = ([library.tensor(layer) for layer in cache] for cache in CACHES)
    found = []
    with library.no_grad():
        for place in (5, 6, 15):
            word = library.tensor(WORDS[:, place % 10][:, None])
            found.append(model(word, library.tensor([place]), keys, values).numpy())
    return found + [cache.numpy() for cache in (*keys, *values)]


def trained(library: Any, wrap: Callable[..., Any], name: str) -> list[np.ndarray]:
    """Return the losses of four steps of Adam, and the parameters after them.

    Not the bias of keys: no loss depends on it, so its gradient is rounding, which Adam scales up.
    """
    model = make(library, name)
    optimizer = library.optim.Adam(model.parameters(), lr=1e-3)

    def step(words: Any, target: Any) -> Any:
        optimizer.zero_grad(set_to_none=True)
        predicted = model(words) if name == "Encoder" else model(words, last=False).flatten(0, 1)
        loss = library.nn.functional.cross_entropy(predicted, target)
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    words, target = library.tensor(WORDS), library.tensor(NEXT)
    losses = [np.array(step(words, target).item()) for _ in range(4)]
    after = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    for name, values in after.items():
        if name.endswith(("qkv.bias", "in_proj_bias")):
            after[name] = np.delete(values, np.s_[SIZES.width : 2 * SIZES.width])
    return losses + list(after.values())


def tied(library: Any, wrap: Callable[..., Any]) -> list[np.ndarray]:
    """Return losses, words and parameters after clipped steps of AdamW in two groups."""
    model = make(library, "Tied")
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = library.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-4)

    def step(words: Any, target: Any) -> Any:
        logits = model(words)
        loss = library.nn.functional.cross_entropy(
            logits.view(-1, logits.size(-1)), target.view(-1), ignore_index=-1
        )
        loss.backward()
        norm = library.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss, norm

    step = wrap(step)
    words, target = library.tensor(WORDS), library.tensor(np.where(NEXT % 7, NEXT, -1))
    found = [np.array(x.item()) for _ in range(3) for x in step(words, target)]
    with library.no_grad():
        found.append(model.eval().generate(words[:, :3], 6).numpy())
    return found + [p.detach().numpy() for p in parameters]


STORIES: dict[str, Callable[[Any, Callable[..., Any]], list[np.ndarray]]] = {
    "logits": logits,
    "decoded": decoded,
    "trained_encoder": lambda library, wrap: trained(library, wrap, "Encoder"),
    "trained_gpt2": lambda library, wrap: trained(library, wrap, "GPT2"),
    "tied": tied,
}


def assert_close(got: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """Assert that two stories end alike."""
    assert len(got) == len(wanted)
    for mine, expected in zip(got, wanted, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", STORIES)
def test_as_pytorch(name: str) -> None:
    """The same numbers as PyTorch's, eagerly."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    assert_close(STORIES[name](jitnet, as_it_is), STORIES[name](torch, as_it_is))


@pytest.mark.parametrize("name", STORIES)
def test_compiled_as_eagerly(name: str) -> None:
    """The same numbers whether compiled or not."""
    assert_close(STORIES[name](jitnet, jitnet.compile), STORIES[name](jitnet, as_it_is))
