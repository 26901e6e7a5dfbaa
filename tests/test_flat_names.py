"""Names at the top of PyTorch that lie elsewhere here, storages, and words for kinds of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

Story = Callable[[Any, Any], Any]
BOTH: dict[str, Story] = {
    "ctc_loss": lambda lib, x: lib.ctc_loss(
        x.reshape(6, 1, 4).log_softmax(-1), lib.tensor([[1, 2]]), lib.tensor([6]), lib.tensor([2]),
        0, 2,
    ),
    "lstm_cell": lambda lib, x: lib.lstm_cell(
        x[:2, :2], (x[2:4, :1], x[4:6, :1]), x[:4, :2], x[:4, 3:]
    ),
    "gru_cell": lambda lib, x: lib.gru_cell(
        x[:2, :2], x[2:4, :1], x[:3, :2], x[:3, 3:], x[0, :3], x[1, :3]
    ),
    "rnn_tanh_cell": lambda lib, x: lib.rnn_tanh_cell(x[:2, :2], x[2:4, :1], x[:1, :2], x[:1, 3:]),
    "native_layer_norm": lambda lib, x: lib.native_layer_norm(x, [4], x[0], x[1], 1e-5),
    "constant_pad_nd": lambda lib, x: lib.constant_pad_nd(x, (1, -1), 2.0),
    "grid_sampler": lambda lib, x: lib.grid_sampler(
        x.reshape(1, 1, 6, 4), x[:, :2].reshape(1, 6, 1, 2), 0, 1, False
    ),
    "cond": lambda lib, x: lib.cond(x.sum() > 0, lambda y: y + 1, lambda y: y * 2, (x,)),
    "pdist": lambda lib, x: lib.pdist(x),
    "selu_": lambda lib, x: lib.selu_(x * 1),
    "fill_diagonal_": lambda lib, x: (x * 1).fill_diagonal_(7.0),
    "fill_diagonal_ wrapped": lambda lib, x: (x * 1).fill_diagonal_(7.0, wrap=True),
    "range": lambda lib, x: lib.range(1, 2.5, 0.5),
}  # fmt: skip
PLAIN: dict[str, Callable[[Any], Any]] = {
    "numel": lambda lib: lib.numel(lib.ones(2, 3)),
    "is_nonzero": lambda lib: lib.is_nonzero(lib.zeros(1)),
    "is_same_size": lambda lib: lib.is_same_size(lib.ones(2), lib.ones(3)),
    "is_signed": lambda lib: lib.is_signed(lib.ones(2, dtype=lib.uint8)),
    "storage": lambda lib: (lib.ones(4)[1:].storage().size(), lib.ones(3).storage().tolist()),
    "untyped_storage": lambda lib: lib.ones(4)[1:].untyped_storage().nbytes(),
    "apply_": lambda lib: lib.ones(3).apply_(lambda value: value + 1).tolist(),
    "map_": lambda lib: lib.ones(3).map_(lib.ones(3) * 2, lambda a, b: a - b).tolist(),
    "pinned": lambda lib: lib.zeros(2, pin_memory=False).tolist(),
    "strided": lambda lib: lib.ones(2).new_zeros(2, layout=lib.strided, pin_memory=False).tolist(),
    "on a device": lambda lib: lib.Tensor([1.0], device="cpu").tolist(),
    "dim_order": lambda lib: lib.ones(2, 3).t().dim_order(),
}


def values(result: Any) -> list[np.ndarray]:
    return [
        np.asarray(each.detach()) for each in (result if isinstance(result, tuple) else [result])
    ]


@pytest.mark.parametrize("name", BOTH)
def test_they_compute_what_pytorch_computes(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    story = BOTH[name]
    wanted = values(story(torch, torch.from_numpy(x)))
    for run in (story, jitnet.compile(story)):
        for found, want in zip(values(run(jitnet, jitnet.from_numpy(x))), wanted, strict=True):
            np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", PLAIN)
def test_they_say_what_pytorch_says(name: str) -> None:
    assert PLAIN[name](jitnet) == PLAIN[name](torch)


def test_random_counts_have_their_means() -> None:
    jitnet.manual_seed(0)
    counts = jitnet.poisson(jitnet.full((4000,), 3.0))
    assert abs(counts.mean().item() - 3) < 0.2
    tries = jitnet.binomial(jitnet.full((4000,), 10.0), jitnet.full((4000,), 0.25))
    assert abs(tries.mean().item() - 2.5) < 0.2


def test_a_storage_keeps_its_size() -> None:
    with pytest.raises(NotImplementedError, match="keeps its size"):
        jitnet.ones(2).untyped_storage().resize_(0)


def test_other_layouts_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="layout"):
        jitnet.zeros(2, layout=torch.sparse_coo)
