"""Thread pools of other libraries in the same process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SIZE = 256  # of a product that NumPy's and PyTorch's pools share


def pools() -> Callable[[], None]:
    """Return a function that makes all threads of NumPy's and PyTorch's pools work shortly."""
    import torch  # only here: jitnet is measured without PyTorch in its process otherwise

    array = np.ones((SIZE, SIZE), np.float32)
    tensor = torch.from_numpy(array)

    def use() -> None:
        array @ array
        tensor @ tensor

    return use
