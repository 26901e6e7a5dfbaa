"""The generators of GPUs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

from jitnet import generator
from jitnet.generator import Generator, generator_on
from jitnet.tensor import Tensor

from .devices import device_count, gpu_named


def _generator(device: Any) -> Generator:
    return generator_on(gpu_named(None if device in ("cuda", None) else device).device)


def manual_seed(seed: int) -> None:
    """Start the GPUs' streams of this seed; without one, those that may come."""
    generator.manual_seed_on_gpus(int(seed))


manual_seed_all = manual_seed


def seed() -> None:
    """Start streams that nobody can foretell."""
    manual_seed(secrets.randbits(53))


seed_all = seed


def initial_seed() -> int:
    """Return the seed of the current GPU's stream."""
    return _generator(None).initial_seed()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """Return a copy of the state of a GPU's generator, on the CPU."""
    return _generator(device).get_state()


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Set the state of a GPU's generator; nothing where there is no GPU."""
    if device_count():
        _generator(device).set_state(new_state)


def get_rng_state_all() -> list[Tensor]:
    """Return the states of all GPUs' generators."""
    return [get_rng_state(number) for number in range(device_count())]


def set_rng_state_all(new_states: Iterable[Tensor]) -> None:
    """Set the states of all GPUs' generators."""
    for number, state in enumerate(new_states):
        set_rng_state(state, number)
