"""Series of workloads: one size of a network grows, all else stays."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.networks import LeNet, Mlp, Network, Transformer
from benchmarks.work import Adam, Sgd, Training
from benchmarks.workloads import MOMENTUM, Workload


@dataclass(frozen=True)
class Series:
    """Workloads that differ in one size."""

    name: str
    title: str
    workloads: tuple[Workload, ...]

    @property
    def grows_code(self) -> bool:
        """Whether more layers have to be compiled at each point."""
        return self.name.endswith("_depth")


def _series(
    name: str, title: str, optimizer: Sgd | Adam, sizes: dict[int, tuple[Network, int]]
) -> Series:
    """Return a series; sizes: what grows -> network, batch."""
    axis = name.rpartition("_")[2]
    workloads = tuple(
        Workload(f"{name}_{size}", f"{axis} {size}", Training(network, batch, optimizer))
        for size, (network, batch) in sizes.items()
    )
    return Series(name, title, workloads)


MLP = Mlp((784, 128, 10))
ADAM = Adam(1e-3)
SERIES = (
    _series(
        "mlp_batch",
        "MLP 784-128-10, SGD, over the batch",
        Sgd(0.01),
        {size: (MLP, size) for size in (1, 4, 16, 64, 256, 512)},
    ),
    _series(
        "mlp_width",
        "MLP 784-width-width-10, batch 64, SGD, over the width",
        Sgd(0.01),
        {size: (Mlp((784, size, size, 10)), 64) for size in (16, 64, 256, 1024, 2048)},
    ),
    _series(
        "mlp_depth",
        "MLP 784-128-...-128-10, batch 64, SGD, over the number of hidden layers",
        Sgd(0.01),
        {size: (Mlp((784, *(size * [128]), 10)), 64) for size in (1, 2, 4, 8, 16)},
    ),
    _series(
        "lenet_batch",
        "LeNet, SGD with momentum, over the batch",
        MOMENTUM,
        {size: (LeNet(), size) for size in (1, 4, 16, 64, 128, 512)},
    ),
    _series(
        "transformer_batch",
        "transformer, 2 layers of 256, 128 tokens, Adam, over the batch",
        ADAM,
        {size: (Transformer(), size) for size in (1, 2, 4, 8, 16)},
    ),
    _series(
        "transformer_width",
        "transformer, 2 layers, heads of 64, batch 2 of 128 tokens, Adam, over the width",
        ADAM,
        {
            size: (Transformer(width=size, heads=size // 64, hidden=4 * size), 2)
            for size in (64, 128, 256, 512, 1024)
        },
    ),
    _series(
        "transformer_length",
        "transformer, 2 layers of 256, batch 2, Adam, over the tokens",
        ADAM,
        {size: (Transformer(length=size), 2) for size in (16, 64, 128, 256, 512)},
    ),
    _series(
        "transformer_depth",
        "transformer, layers of 128, batch 2 of 32 tokens, Adam, over the layers",
        ADAM,
        {
            size: (Transformer(width=128, heads=2, hidden=512, layers=size, length=32), 2)
            for size in (2, 4, 8, 16, 32, 64)
        },
    ),
)
