"""DistributedSampler: one process's share of a dataset's indices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any

from jitnet import creation, distributed
from jitnet.generator import Generator

from .sampler import Sampler


class DistributedSampler(Sampler[int]):
    """Every num_replicas-th index, from `rank` on; all ranks get equally many.

    shuffle: a new order for each epoch that `set_epoch` announces, the same in all processes.
    drop_last: leave out what does not divide evenly, instead of repeating some indices.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
        self.rank = distributed.get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(
                f"Invalid rank {self.rank}, rank should be in the interval "
                f"[0, {self.num_replicas - 1}]"
            )
        self.epoch = 0
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last
        share = len(dataset) / self.num_replicas
        whole = drop_last and len(dataset) % self.num_replicas
        self.num_samples = math.floor(share) if whole else math.ceil(share)
        self.total_size = self.num_samples * self.num_replicas

    def __iter__(self) -> Iterator[int]:
        return iter(self._order()[self.rank : self.total_size : self.num_replicas])

    def _order(self) -> list[Any]:
        """Return all processes' indices: cut, or the first ones again, to total_size."""
        count = len(self.dataset)
        order: list[Any] = list(range(count))
        if self.shuffle:
            generator = Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = creation.randperm(count, generator=generator, device="cpu").tolist()
        if not self.drop_last and order:
            order *= math.ceil(self.total_size / count)
        return order[: self.total_size]

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch
