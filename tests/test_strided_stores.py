"""Results whose neighbours lie a few elements apart in memory, as the parts of complex numbers."""

from __future__ import annotations

import numpy as np
import pytest

import jitnet


@pytest.mark.parametrize("step", [2, 3, 4, 5])
@pytest.mark.parametrize("count", [1, 7, 33, 100])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "uint64"])
def test_every_few_elements(step: int, count: int, dtype: str) -> None:
    """Each of `step` values goes to its own places and touches no other's."""

    @jitnet.compile
    def together(x: jitnet.Tensor) -> jitnet.Tensor:
        return jitnet.stack([x * (part + 1) for part in range(step)], -1)

    array = np.arange(count).astype(dtype)
    want = np.stack([array * (part + 1) for part in range(step)], -1).astype(dtype)
    np.testing.assert_array_equal(together(jitnet.tensor(array)).numpy(), want)


def test_what_lies_between_stays() -> None:
    """A write into every second element of a buffer leaves the others, those at its end too."""
    x = jitnet.arange(66, dtype=jitnet.float32)

    @jitnet.compile
    def write(values: jitnet.Tensor) -> None:
        x[:65].view(13, 5)[:, 0:4:2].copy_(values)

    write(jitnet.full((13, 2), -1.0))
    want = np.arange(66, dtype=np.float32)
    want[:65].reshape(13, 5)[:, 0:4:2] = -1
    np.testing.assert_array_equal(x.numpy(), want)
