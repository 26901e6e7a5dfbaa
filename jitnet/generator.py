"""Generator: a seed and a counter of calls, from which counter-based random numbers come."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from jitnet.compiler.ops import add

from . import capture
from .device import CPU, Device, placed
from .errors import at_line
from .grad_mode import no_grad
from .tensor import Tensor
from .tensors.making import literal, on_device

_DEFAULT_SEED = 67280421310721  # PyTorch's
_STEP = np.array([0, 1], np.int64)


class Generator:
    """A stream of random numbers: int64[2] of the seed and the number of the next call.

    A compiled program reads and advances the state in place, so its stream is the eager one.
    """

    def __init__(self, device: Any = "cpu") -> None:
        seeded = Tensor._from_array(np.array([_DEFAULT_SEED, 0], np.int64))
        self.state = on_device(seeded, placed(device))

    @property
    def device(self) -> Device:
        """Where the state is."""
        return self.state.device

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of this seed."""
        if isinstance(seed, bool) or not hasattr(seed, "__index__"):
            raise TypeError(at_line(f"a seed is a whole number, got {seed!r}"))
        number = seed.__index__()
        if not -(1 << 63) <= number < 1 << 64:
            raise RuntimeError(at_line(f"a seed lies between -2^63 and 2^64 - 1, got {number}"))
        bits = np.array([number & 0xFFFFFFFFFFFFFFFF, 0], np.uint64).view(np.int64)
        with no_grad():
            self.state._assign(literal(bits))
        return self

    def seed(self) -> int:
        """Start a stream that nobody can foretell; return its seed."""
        number = secrets.randbits(53)
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """Return the seed of the stream."""
        capture.refuse("initial_seed()", "call it outside of the compiled function")
        return int(self.state[0].item())

    def get_state(self) -> Tensor:
        """Return a copy of the state."""
        return self.state.to("cpu", copy=True)  # type: ignore[no-any-return]

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on where a copy of a state was made."""
        if new_state._type != self.state._type:
            raise RuntimeError(
                at_line(f"a generator's state is {self.state._type}, got {new_state._type}")
            )
        with no_grad():
            self.state._assign(on_device(new_state, self.device))
        return self

    def advance(self) -> None:
        """Count one call."""
        state = self.state
        traced = capture.active is not None and capture.current() is not None
        if traced or state._device is not CPU:
            with no_grad():
                state._assign(add(state, literal(_STEP.copy())))
            return
        state._copied()[1] += 1
        state._counter.count += 1


default_generator = Generator()
_on_gpus: dict[Device, Generator] = {}  # the default generators of GPUs that have drawn
_seed: list[int] = []  # what manual_seed was given last: GPUs that come later begin there


def generator_on(device: Device) -> Generator:
    """Return the generator that numbers on a device come from, if no other is given."""
    if device is CPU:
        return default_generator
    found = _on_gpus.get(device)
    if found is None:
        with capture.suspended():
            found = _on_gpus[device] = Generator(device)
            if _seed:
                found.manual_seed(_seed[-1])
    return found


def forget_gpus() -> None:
    """Forget the generators of GPUs: the GPUs are others now."""
    _on_gpus.clear()


def manual_seed(seed: int) -> Generator:
    """Start the default generators' streams of this seed, on all devices."""
    found = default_generator.manual_seed(seed)
    manual_seed_on_gpus(seed)
    return found


def manual_seed_on_gpus(seed: int) -> None:
    """Start the streams of this seed on the GPUs, those that are used later too."""
    _seed[:] = [seed]
    for generator in _on_gpus.values():
        generator.manual_seed(seed)


def seed() -> int:
    """Start a stream that nobody can foretell; return its seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """Return the default generator's seed."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Return a copy of the default generator's state."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Set the default generator's state."""
    default_generator.set_state(new_state)


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **options: Any) -> Iterator[None]:
    """Put the default generator's state back when the block ends, unless enabled is False."""
    before = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(before)
