"""What autocast casts, against PyTorch's, for each dtype of argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from tests.function_table import real

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

DTYPES = ["float32", "bfloat16", "float64"]
X = real(2, 3, 4, low=0.1, high=0.9)

PRODUCTS: dict[str, Callable[..., Any]] = {
    "matmul": lambda lib, f, x: x @ x.transpose(1, 2),
    "mm": lambda lib, f, x: lib.mm(x[0], x[0].t()),
    "mv": lambda lib, f, x: lib.mv(x[0], x[0, 0]),
    "dot": lambda lib, f, x: lib.dot(x[0, 0], x[0, 0]),
    "bmm": lambda lib, f, x: lib.bmm(x, x.transpose(1, 2)),
    "baddbmm": lambda lib, f, x: lib.baddbmm(x[:, :, :3], x, x.transpose(1, 2)),
    "addmm": lambda lib, f, x: lib.addmm(x[0, :, :3], x[0], x[0].t()),
    "addmv": lambda lib, f, x: lib.addmv(x[0, :, 0], x[0], x[0, 0]),
    "addr": lambda lib, f, x: lib.addr(x[0], x[0, :, 0], x[0, 0]),
    "outer": lambda lib, f, x: lib.outer(x[0, 0], x[0, 0]),
    "linear": lambda lib, f, x: f.linear(x, x[0], x[0, :, 0]),
    "einsum": lambda lib, f, x: lib.einsum("bij,bkj->bik", x, x),
    "einsum_of_elements": lambda lib, f, x: lib.einsum("bij,bij->bij", x, x),
    "tensordot": lambda lib, f, x: lib.tensordot(x, x, ([2], [2])),
    "kron": lambda lib, f, x: lib.kron(x[0], x[0]),
    "attention": lambda lib, f, x: f.scaled_dot_product_attention(x, x, x),
    "conv1d": lambda lib, f, x: f.conv1d(x, x[:, :, :2]),
    "conv2d": lambda lib, f, x: f.conv2d(x[None], x[:, :, None, :2].transpose(0, 2)[:, :2]),
    "conv_transpose1d": lambda lib, f, x: f.conv_transpose1d(x, x[:, :, :2].transpose(0, 1)),
    "cdist": lambda lib, f, x: lib.cdist(x, x),
}  # fmt: skip

OTHERS: dict[str, Callable[..., Any]] = {
    "add": lambda lib, f, x: x + x,
    "number": lambda lib, f, x: x * 2.0,
    "softmax": lambda lib, f, x: (f.softmax(x, -1), f.log_softmax(x, -1)),
    "gelu": lambda lib, f, x: (f.gelu(x), f.silu(x), x.exp(), x.log(), x.pow(2.5)),
    "prelu": lambda lib, f, x: f.prelu(x.to(lib.float32), lib.tensor([0.2])),
    "sums": lambda lib, f, x: (x.sum(), x.mean(), x.prod(), x.prod(1), x.cumsum(1), x.norm()),
    "spread": lambda lib, f, x: (x.std(), x.var(), x.logsumexp(1)),
    "norms": lambda lib, f, x: (f.layer_norm(x, (4,)), f.group_norm(x, 3), f.rms_norm(x, (4,))),
    "batch_norm": lambda lib, f, x: (f.batch_norm(x, None, None, training=True), f.normalize(x)),
    "losses": lambda lib, f, x: (f.mse_loss(x, x), f.l1_loss(x, x), f.smooth_l1_loss(x, x)),
    "more_losses": lambda lib, f, x: (
        f.huber_loss(x, x), f.kl_div(x, x, reduction="sum"), f.gaussian_nll_loss(x, x, x)),
    "binary": lambda lib, f, x: (
        f.binary_cross_entropy(x, x), f.binary_cross_entropy_with_logits(x, x)),
    "classes": lambda lib, f, x: (
        f.cross_entropy(x[:, :, 0], lib.tensor([1, 0])),
        f.nll_loss(x[:, :, 0], lib.tensor([1, 0]))),
    "margins": lambda lib, f, x: (
        f.margin_ranking_loss(x, x, lib.ones_like(x)), f.triplet_margin_loss(x[0], x[0], x[0]),
        f.cosine_embedding_loss(x[0], x[0], lib.ones(3)), f.soft_margin_loss(x, lib.ones_like(x))),
    "similar": lambda lib, f, x: (f.cosine_similarity(x, x), f.pairwise_distance(x[0], x[1])),
    "trace": lambda lib, f, x: lib.trace(x[0]),
    "pools": lambda lib, f, x: (
        f.avg_pool1d(x, 2), f.max_pool2d(x, 2), f.adaptive_avg_pool2d(x, 2)),
    "pools3d": lambda lib, f, x: (
        f.avg_pool3d(x[None], (1, 2, 2)), f.max_pool3d(x[None], (1, 2, 2)),
        f.adaptive_avg_pool3d(x[None], 1), f.adaptive_max_pool3d(x[None], 1)),
    "sampled": lambda lib, f, x: f.grid_sample(
        x[None], lib.zeros(1, 2, 2, 2, dtype=x.dtype), align_corners=False),
    "interpolate": lambda lib, f, x: f.interpolate(x[None], scale_factor=2, mode="bilinear"),
    "dropout": lambda lib, f, x: f.dropout(x, 0.5),
    "joined": lambda lib, f, x: (lib.cat([x, lib.ones(2, 3, 4)]), lib.stack([x, x])),
    "where": lambda lib, f, x: lib.where(x > 0.5, x, lib.ones(2, 3, 4)),
    "mixed": lambda lib, f, x: lib.addcmul(x, x, lib.ones(4)),
}  # fmt: skip

LAYERS: dict[str, Callable[..., Any]] = {
    "attention": lambda lib, f, x: lib.nn.MultiheadAttention(4, 2, batch_first=True)(x, x, x)[0],
    "lstm": lambda lib, f, x: lib.nn.LSTM(4, 3)(x)[0],
    "rnn": lambda lib, f, x: lib.nn.RNN(4, 3)(x)[0],
    "gru": lambda lib, f, x: lib.nn.GRU(4, 3)(x.float())[0],
    "linear": lambda lib, f, x: lib.nn.Sequential(lib.nn.Linear(4, 3), lib.nn.LayerNorm(3))(x),
}


def names(value: Any) -> list[str]:
    """Return the dtypes of a result's tensors."""
    if isinstance(value, tuple | list):
        return [name for part in value for name in names(part)]
    return [str(value.dtype).split(".")[1]]


def results(function: Callable[..., Any], lib: Any, dtype: str, lowered: str) -> Any:
    x = lib.tensor(X).to(getattr(lib, dtype))
    with lib.autocast("cpu", dtype=getattr(lib, lowered)):
        return function(lib, lib.nn.functional, x)


@pytest.mark.parametrize("name", [*PRODUCTS, *OTHERS])
def test_functions(name: str) -> None:
    function = (PRODUCTS | OTHERS)[name]
    for dtype in DTYPES:
        got, want = (results(function, lib, dtype, "bfloat16") for lib in (jitnet, torch))
        assert names(got) == names(want), dtype
    assert names(results(function, jitnet, "float32", "float16")) == names(
        results(function, torch, "float32", "float16")
    )


@pytest.mark.parametrize("name", PRODUCTS)
def test_values(name: str) -> None:
    got, want = (results(PRODUCTS[name], lib, "float32", "bfloat16") for lib in (jitnet, torch))
    np.testing.assert_allclose(np.array(got.tolist()), np.array(want.tolist()), rtol=0.02)


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    for dtype in ("float32", "bfloat16"):
        got, want = (results(LAYERS[name], lib, dtype, "bfloat16") for lib in (jitnet, torch))
        assert names(got) == names(want), dtype


def test_scaler_takes_the_same_steps() -> None:
    """Scales, skipped steps and parameters over a run in which some gradients overflow."""

    def train(lib: Any) -> list[float]:
        weight = lib.tensor([1.0, -2.0], requires_grad=True)
        optimizer = lib.optim.AdamW([weight], lr=0.1)
        scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
        seen = []
        for number in range(8):
            optimizer.zero_grad()
            factor = float("inf") if number in (3, 4) else 1.0 + number
            scaler.scale((weight * weight).sum() * factor).backward()
            if number % 2:
                scaler.unscale_(optimizer)
                lib.nn.utils.clip_grad_norm_([weight], 1.0)
            scaler.step(optimizer)
            scaler.update()
            seen += [scaler.get_scale(), *weight.tolist()]
        assert scaler.state_dict().keys() == torch.amp.GradScaler("cpu").state_dict().keys()
        return seen

    np.testing.assert_allclose(train(jitnet), train(torch), rtol=1e-5)
