"""Functions by family, with arguments: to compare with PyTorch and with compiled code.

Each is function(library, nn.functional, *tensors) -> tensors, so that any library can run it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


def real(*shape: int, seed: int = 0, low: float = -2, high: float = 2) -> np.ndarray:
    """Return float32 numbers without ties."""
    rng = np.random.default_rng(seed)
    line = np.linspace(low, high, int(np.prod(shape)), dtype=np.float32)
    return rng.permutation(line).reshape(shape)


X = real(3, 4)

Y = real(3, 4, seed=1, low=0.2, high=3)

SMALL = real(3, 4, low=-0.95, high=0.95)

EVEN = real(2, 4, 6, seed=2)

TWO: dict[str, Callable[..., Any]] = {
    "add_alpha": lambda lib, f, a, b: lib.add(a, b, alpha=2),
    "sub_alpha": lambda lib, f, a, b: lib.sub(a, b, alpha=3),
    "pow": lambda lib, f, a, b: lib.pow(a.abs() + 0.1, b),
    "pow_scalar": lambda lib, f, a, b: a**3 + b**-1 + b**0.5 + b**2.5 + a**0 + 2**a,
    "atan2": lambda lib, f, a, b: lib.atan2(a, b),
    "maximum": lambda lib, f, a, b: lib.maximum(a, b) + lib.minimum(a, b),
    "maximum_tie": lambda lib, f, a, b: lib.maximum(a, a.clone()) * lib.minimum(b, b * 1),
    "fmax": lambda lib, f, a, b: lib.fmax(a, b) - lib.fmin(a, b),
    "remainder": lambda lib, f, a, b: lib.remainder(a, b) + lib.fmod(a, b) + a % -b,
    "floor_divide": lambda lib, f, a, b: (
        a.detach() // b.detach(), lib.div(a, b, rounding_mode="trunc")
    ),
    "where": lambda lib, f, a, b: lib.where(a > 0, a, b) + lib.where(a > 1, 2.0, b),
    "clamp": lambda lib, f, a, b: lib.clamp(a, -0.5, 0.7) + a.clamp(min=0) + a.clamp(max=b),
    "lerp": lambda lib, f, a, b: lib.lerp(a, b, 0.3),
    "addcmul": lambda lib, f, a, b: lib.addcmul(a, a, b, value=0.5) + lib.addcdiv(a, a, b),
    "logaddexp": lambda lib, f, a, b: lib.logaddexp(a, b),
    "xlogy": lambda lib, f, a, b: lib.xlogy(a, b),
    "hypot": lambda lib, f, a, b: lib.hypot(a, b),
    "compare": lambda lib, f, a, b: (a < b, a <= b, a > b, a >= b, a == b, a != b),
    "reflected": lambda lib, f, a, b: 2 - a + 3 / b + (4 * a) - (1 - b),
    "broadcast": lambda lib, f, a, b: a[:, :1] * b[0] + b.sum(1, keepdim=True),
    "isclose": lambda lib, f, a, b: (lib.isclose(a, b, atol=1.0), lib.allclose(a, b)),
    "nan_to_num": lambda lib, f, a, b: lib.nan_to_num(a / 0 * b),
    "signs": lambda lib, f, a, b: (lib.signbit(a), lib.copysign(b, a),
        lib.heaviside(a.detach(), b.detach())),
}  # fmt: skip

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda lib, f, a: (
        (a + 1).sum(), a.sum(1), a.sum((0, 2), keepdim=True), (a + 1).sum([]),
    ),
    "mean": lambda lib, f, a: (a.mean(), a.mean(-1), a.mean((0, 1), keepdim=True)),
    "var": lambda lib, f, a: (a.var(), a.var(1), a.var((0, 2), correction=0), a.std(-1)),
    "var_unbiased": lambda lib, f, a: (lib.var(a, 1, False), lib.std(a, unbiased=False)),
    "std_mean": lambda lib, f, a: (*lib.std_mean(a, 1), *lib.var_mean(a, 0, keepdim=True)),
    "prod": lambda lib, f, a: (a.prod(), a.prod(1), a.prod(-1, keepdim=True)),
    "amax": lambda lib, f, a: (a.amax(), a.amax(1), a.amin((0, 2)), lib.amax(a * 0, 1)),
    "max": lambda lib, f, a: (a.max(), *a.max(1), *a.min(-1, keepdim=True), a.min()),
    "arg": lambda lib, f, a: (a.argmax(), a.argmax(1), a.argmin(-1, keepdim=True)),
    "logsumexp": lambda lib, f, a: (a.logsumexp(1), lib.logsumexp(a, (0, 2), keepdim=True)),
    "norm": lambda lib, f, a: (a.norm(), a.norm(1), a.norm(2, 1), a.norm(3, -1, keepdim=True)),
    "norms": lambda lib, f, a: (a.norm(float("inf")), a.detach().norm(0), lib.norm(a, dim=(0, 1))),
    "cumsum": lambda lib, f, a: (a.cumsum(1), a.cumsum(-1), a.cumprod(0)),
    "any": lambda lib, f, a: ((a > 0).any(), (a > 0).all(1), a.any(1), lib.count_nonzero(a)),
    "softmax": lambda lib, f, a: (lib.softmax(a, 1), lib.log_softmax(a, -1), f.softmin(a, 0)),
    "median": lambda lib, f, a: (a.median(),),
}  # fmt: skip

SHAPES: dict[str, Callable[..., Any]] = {
    "reshape": lambda lib, f, a: (a.reshape(8, -1), a.reshape((48,)), a.view(2, 24), a.ravel()),
    "permute": lambda lib, f, a: (a.permute(2, 0, 1), a.permute((1, 0, -1)), a.transpose(0, 2)),
    "T": lambda lib, f, a: (a[0].T, a.mT, a[0].t(), a.swapaxes(0, 1)),
    "movedim": lambda lib, f, a: (a.movedim(0, 2), lib.movedim(a, (0, 1), (2, 0))),
    "squeeze": lambda lib, f, a: (a[:1].squeeze(), a[:, :1].squeeze(1), a.squeeze(0)),
    "unsqueeze": lambda lib, f, a: (a.unsqueeze(0), a.unsqueeze(-1), a.unsqueeze(2)),
    "flatten": lambda lib, f, a: (a.flatten(), a.flatten(1), a.flatten(0, 1), a.flatten(1, 1)),
    "unflatten": lambda lib, f, a: (a.unflatten(2, (2, 3)), a.unflatten(-1, (-1, 2))),
    "expand": lambda lib, f, a: (a[:1].expand(5, -1, 6), a[0, 0].expand(2, 3, 6)),
    "repeat": lambda lib, f, a: (a.repeat(2, 1, 3), a.repeat(2, 1, 1, 2), lib.tile(a, (2,))),
    "interleave": lambda lib, f, a: (a.repeat_interleave(2), a.repeat_interleave(3, 1)),
    "cat": lambda lib, f, a: (lib.cat([a, a[:1]]), lib.cat((a, a), -1), lib.concat([a], 1)),
    "stack": lambda lib, f, a: (lib.stack([a, a * 2]), lib.stack([a, a], -1), lib.vstack([a, a])),
    "split": lambda lib, f, a: (a.split(4, 2), a.split([1, 3], 1), a.chunk(4, -1), a.unbind(1)),
    "tensor_split": lambda lib, f, a: (a.tensor_split(4, 2), a.tensor_split((1, 3), 2)),
    "narrow": lambda lib, f, a: (a.narrow(1, 1, 2), a.select(0, -1), a.narrow(2, -3, 2)),
    "flip": lambda lib, f, a: (a.flip(0), a.flip(0, 2), a.flip((1,)), lib.fliplr(a)),
    "roll": lambda lib, f, a: (a.roll(2), a.roll(-1, 1), a.roll((1, 2), (0, 2)), a.roll(7, 2)),
    "rot90": lambda lib, f, a: tuple(lib.rot90(a, k, (1, 2)) for k in range(-2, 3)),
    "tri": lambda lib, f, a: (a.tril(), a.triu(1), lib.tril(a, -1), a[0].triu()),
    "diagonal": lambda lib, f, a: (a.diagonal(), a.diagonal(1, 1, 2), a.diagonal(-2, 2, 0)),
    "diag": lambda lib, f, a: (lib.diag(a[0]), lib.diag(a[0, 0], 1), lib.diag_embed(a)),
    "trace": lambda lib, f, a: (lib.trace(a[0]),),
    "pad": lambda lib, f, a: (f.pad(a, (1, 2)), f.pad(a, (1, 0, 0, 2), value=3.5)),
    "pad_cut": lambda lib, f, a: (f.pad(a, (-1, 2, 1, -1)),),
    "pad_modes": lambda lib, f, a: tuple(
        f.pad(a, amounts, mode) for mode in ("reflect", "replicate", "circular")
        for amounts in ((2, 1), (-1, 2))
    ),
    "broadcast": lambda lib, f, a: (
        *lib.broadcast_tensors(a, a[:1]), lib.broadcast_to(a, (2, 2, 4, 6)),
    ),
    "meshgrid": lambda lib, f, a: (
        *lib.meshgrid(a[0, 0], a[0, :, 0], indexing="ij"),
        *lib.meshgrid(a[0, 0], a[0, :, 0], indexing="xy"),
    ),
    "dims": lambda lib, f, a: (a.size(), a.size(-1), a.dim(), a.numel(), len(a), a.stride()),
}  # fmt: skip

M = real(4, 3, seed=5)

N = real(3, 5, seed=6)

B = real(2, 4, 3, seed=7)

C = real(2, 3, 5, seed=8)

PRODUCTS: dict[str, Callable[..., Any]] = {
    "mm": lambda lib, f, m, n, b, c: (m @ n, lib.mm(m, n), m.t().contiguous().t() @ n),
    "matmul": lambda lib, f, m, n, b, c: (b @ c, b @ n, m @ c, lib.matmul(b[:, None], c)),
    "vectors": lambda lib, f, m, n, b, c: (m @ n[:, 0], n[:, 0] @ n, b @ n[:, 0], m[0] @ n[:, 0]),
    "more": lambda lib, f, m, n, b, c: (lib.bmm(b, c), lib.mv(m, n[:, 0]), lib.dot(m[0], m[1])),
    "outer": lambda lib, f, m, n, b, c: (lib.outer(m[0], n[0]), lib.inner(m, n.t())),
    "addmm": lambda lib, f, m, n, b, c: (
        lib.addmm(n[0], m, n, beta=0.5, alpha=2), lib.baddbmm(c[:, :1], b, c),
        lib.addmv(m[:, 0], m, n[:, 0]), lib.addr(n, m[0], n[0]),
    ),
    "linear": lambda lib, f, m, n, b, c: (f.linear(m, n.t()), f.linear(b, n.t(), n[0])),
    "bilinear": lambda lib, f, m, n, b, c: (f.bilinear(m, m[:, :2], b[:, :3, :2]),),
    "tensordot": lambda lib, f, m, n, b, c: (
        lib.tensordot(b, c, ([0, 2], [0, 1])), lib.tensordot(m, n, 1),
    ),
    "einsum": lambda lib, f, m, n, b, c: (
        lib.einsum("ij,jk->ik", m, n), lib.einsum("bij,bjk->bik", b, c),
        lib.einsum("bij,jk", b, n), lib.einsum("...ij,...jk->...ik", b, c),
        lib.einsum("ij->ji", m), lib.einsum("ij->", m), lib.einsum("bij,bjk,ik->b", b, c, m @ n),
        lib.einsum("i,j->ij", m[0], n[0]), lib.einsum("ii->i", m[:3]), lib.einsum("ii", m[:3]),
    ),
}  # fmt: skip


def named(name: str) -> Callable[..., Any]:
    """Return the function of nn.functional with this name."""
    return lambda lib, f, a: getattr(f, name)(a)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    name: named(name)
    for name in words(
        "relu relu6 leaky_relu elu celu selu gelu silu mish hardsigmoid hardswish hardtanh "
        "logsigmoid softplus softsign softshrink hardshrink tanhshrink sigmoid tanh"
    )
}

ACTIVATIONS |= {
    "gelu_tanh": lambda lib, f, a: f.gelu(a, approximate="tanh"),
    "leaky": lambda lib, f, a: f.leaky_relu(a, 0.3),
    "elu_alpha": lambda lib, f, a: f.elu(a, 0.3) + f.celu(a, 2.0),
    "softplus_beta": lambda lib, f, a: f.softplus(a, 3.0, 4.0),
    "hardtanh_range": lambda lib, f, a: f.hardtanh(a, -0.5, 1.5),
    "threshold": lambda lib, f, a: f.threshold(a, 0.2, -1.0),
    "glu": lambda lib, f, a: (f.glu(a), f.glu(a, 1)),
    "softmax_dtype": lambda lib, f, a: f.softmax(a, -1, dtype=lib.float64),
    "normalize": lambda lib, f, a: (f.normalize(a), f.normalize(a, p=1, dim=-1)),
    "prelu": lambda lib, f, a: (f.prelu(a, a[0, :, 0].detach()), f.prelu(a, a[0, 0, :1].detach())),
}  # fmt: skip

IMAGE = real(2, 4, 7, 6, seed=3)

WEIGHT = real(6, 4, 3, 2, seed=4)

LINE = real(2, 4, 9, seed=5)

CUBE = real(1, 2, 4, 5, 4, seed=6)

CONVS: dict[str, Callable[..., Any]] = {
    "plain": lambda lib, f, x, w: f.conv2d(x, w),
    "bias": lambda lib, f, x, w: f.conv2d(x, w, w[:, 0, 0, 0], padding=1),
    "stride": lambda lib, f, x, w: f.conv2d(x, w, stride=2, padding=(1, 2)),
    "dilation": lambda lib, f, x, w: f.conv2d(x, w, stride=(1, 2), dilation=(2, 3), padding=2),
    "groups": lambda lib, f, x, w: f.conv2d(x, w[:, :2], groups=2, padding=1),
    "depthwise": lambda lib, f, x, w: f.conv2d(x, w[:4, :1], groups=4),
    "same": lambda lib, f, x, w: f.conv2d(x, w, padding="same", dilation=2),
    "valid": lambda lib, f, x, w: f.conv2d(x, w, padding="valid"),
    "one_image": lambda lib, f, x, w: f.conv2d(x[0], w),
    "transposed": lambda lib, f, x, w: f.conv_transpose2d(x, w[:4, :3], stride=2, padding=1),
    "transposed_more": lambda lib, f, x, w: f.conv_transpose2d(
        x, w[:4, :3], w[:3, 0, 0, 0], stride=(3, 2), output_padding=1, dilation=2
    ),
    "transposed_groups": lambda lib, f, x, w: f.conv_transpose2d(x, w[:4, :2], groups=2),
}  # fmt: skip

POOLS: dict[str, Callable[..., Any]] = {
    "max": lambda lib, f, x: f.max_pool2d(x, 2),
    "max_overlap": lambda lib, f, x: f.max_pool2d(x, 3, 2, 1),
    "max_ceil": lambda lib, f, x: f.max_pool2d(x, (3, 2), 2, 1, ceil_mode=True),
    "max_dilated": lambda lib, f, x: f.max_pool2d(x, 2, 1, dilation=(2, 3)),
    "max_index": lambda lib, f, x: f.max_pool2d(x, 3, 2, 1, return_indices=True),
    "max_image": lambda lib, f, x: f.max_pool2d(x[0], 2),
    "avg": lambda lib, f, x: f.avg_pool2d(x, 2),
    "avg_padded": lambda lib, f, x: f.avg_pool2d(x, 3, 2, 1),
    "avg_inside": lambda lib, f, x: f.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "avg_ceil": lambda lib, f, x: f.avg_pool2d(x, (3, 2), 2, (1, 0), ceil_mode=True),
    "avg_divisor": lambda lib, f, x: f.avg_pool2d(x, 2, divisor_override=3),
    "adaptive_one": lambda lib, f, x: f.adaptive_avg_pool2d(x, 1),
    "adaptive_odd": lambda lib, f, x: f.adaptive_avg_pool2d(x, (3, 4)),
    "adaptive_none": lambda lib, f, x: f.adaptive_avg_pool2d(x, (None, 3)),
    "adaptive_max": lambda lib, f, x: f.adaptive_max_pool2d(x, (3, 4)),
    "adaptive_max_even": lambda lib, f, x: f.adaptive_max_pool2d(x, (7, 3), return_indices=True),
}  # fmt: skip

NORMS: dict[str, Callable[..., Any]] = {
    "batch_train": lambda lib, f, x, v: f.batch_norm(x, None, None, v, v + 1, training=True),
    "batch_eval": lambda lib, f, x, v: f.batch_norm(
        x, v.detach(), v.detach() ** 2 + 1, v, v * 2
    ),
    "layer": lambda lib, f, x, v: f.layer_norm(x, (6,)),
    "layer_two": lambda lib, f, x, v: f.layer_norm(x, x.shape[2:], x[0, 0], x[0, 1], eps=1e-3),
    "group": lambda lib, f, x, v: f.group_norm(x, 2, v, v),
    "instance": lambda lib, f, x, v: f.instance_norm(x, weight=v, bias=v),
    "rms": lambda lib, f, x, v: f.rms_norm(x, (6,), x[0, 0, 0]),
}  # fmt: skip

P = real(3, 4, seed=11, low=0.05, high=0.95)

Q = real(3, 4, seed=12, low=0.05, high=0.95)

SIGNS = np.sign(real(3, 4, seed=13))

LOSSES: dict[str, Callable[..., Any]] = {
    "mse": lambda lib, f, a, b, s: (f.mse_loss(a, b), f.mse_loss(a, b, reduction="none")),
    "l1": lambda lib, f, a, b, s: (f.l1_loss(a, b), f.l1_loss(a, b, reduction="sum")),
    "smooth_l1": lambda lib, f, a, b, s: (f.smooth_l1_loss(a, b), f.smooth_l1_loss(a, b, beta=0.3)),
    "huber": lambda lib, f, a, b, s: (f.huber_loss(a, b), f.huber_loss(a, b, delta=0.3)),
    "bce": lambda lib, f, a, b, s: (
        f.binary_cross_entropy(a, b), f.binary_cross_entropy(a, b.detach(), weight=b.detach()),
    ),
    "bce_logits": lambda lib, f, a, b, s: (
        f.binary_cross_entropy_with_logits(a * 9 - 4, b),
        f.binary_cross_entropy_with_logits(a, b, pos_weight=b[0].detach(), reduction="sum"),
        f.binary_cross_entropy_with_logits(a * 0, b),
    ),
    "kl": lambda lib, f, a, b, s: (
        f.kl_div(a.log(), b, reduction="batchmean"),
        f.kl_div(a.log(), b.log(), log_target=True, reduction="sum"),
    ),
    "poisson": lambda lib, f, a, b, s: (
        f.poisson_nll_loss(a, b), f.poisson_nll_loss(a, b * 9, False, True),
    ),
    "gaussian": lambda lib, f, a, b, s: (
        f.gaussian_nll_loss(a, b, b), f.gaussian_nll_loss(a, b, b, True),
    ),
    "hinge": lambda lib, f, a, b, s: f.hinge_embedding_loss(a, s.detach(), 0.7),
    "ranking": lambda lib, f, a, b, s: f.margin_ranking_loss(a, b, s.detach(), 0.2),
    "soft_margin": lambda lib, f, a, b, s: f.soft_margin_loss(a, s.detach()),
    "cosine": lambda lib, f, a, b, s: (f.cosine_similarity(a, b), f.cosine_similarity(a, b, dim=0)),
    "cosine_loss": lambda lib, f, a, b, s: f.cosine_embedding_loss(a, b, s[:, 0].detach(), 0.3),
    "pairwise": lambda lib, f, a, b, s: (
        f.pairwise_distance(a, b), f.pairwise_distance(a, b, p=1.0),
    ),
    "triplet": lambda lib, f, a, b, s: f.triplet_margin_loss(a, b, s, swap=True),
}  # fmt: skip

INDEX = np.array([[0, 2, 1, 0], [2, 2, 0, 1]])

LOOKUPS: dict[str, Callable[..., Any]] = {
    "gather": lambda lib, f, x, i: (x.gather(0, i), x.gather(1, i), x[0].gather(0, i[0])),
    "scatter": lambda lib, f, x, i: (
        lib.zeros(3, 4).scatter(1, i[:, :1], x[:2, :1]), x.scatter(0, i[:1], 1.5),
        x.scatter_add(0, i[:1], x[:1] * 2), x.scatter_add(1, i, x[:2]),
    ),
    "select": lambda lib, f, x, i: (x.index_select(1, i[0]), lib.index_select(x, 0, i[1])),
    "along": lambda lib, f, x, i: (lib.take_along_dim(x, i, 0), lib.take(x, i * 3)),
    "index_add": lambda lib, f, x, i: (
        x.index_add(0, i[0, :3], x[:3], alpha=2), x.index_fill(1, i[0, :2], 5.0),
        x.index_copy(0, i[0, :3], x * 2),
    ),
    "masked": lambda lib, f, x, i: (
        x.masked_fill(x > 0, -1.0), x.masked_select(x > 0), lib.where(x > 0, x, 0.0),
    ),
    "embedding": lambda lib, f, x, i: (f.embedding(i, x), f.embedding(i, x, padding_idx=-1)),
    "put": lambda lib, f, x, i: (
        x.index_put((i[0], i[1]), x[0], accumulate=True),
    ),
    "whole": lambda lib, f, x, i: (
        f.one_hot(i), f.one_hot(i, 5), i.nonzero(), *i.nonzero(as_tuple=True),
        lib.bincount(i.reshape(-1)), lib.isin(i, i[0, :1]),
    ),
    "sort": lambda lib, f, x, i: (
        *x.sort(), *lib.sort(x, 0, descending=True), *lib.topk(x, 2), *x.topk(3, 1, largest=False),
        lib.argsort(x, dim=0),
    ),
    "unique": lambda lib, f, x, i: (lib.unique(i),),
}  # fmt: skip

QUERY = real(2, 3, 4, 6, seed=15)
MORE: dict[str, Callable[..., Any]] = {
    "attention": lambda lib, f, x, q: (
        f.scaled_dot_product_attention(q, q * 2, q + 1),
        f.scaled_dot_product_attention(q, q, q, is_causal=True, scale=0.3),
        f.scaled_dot_product_attention(q, q, q, attn_mask=q[0, 0, :, :4].detach()),
        f.scaled_dot_product_attention(q, q, q, attn_mask=q[0, 0, :, :4] > -1),
    ),
    "nearest": lambda lib, f, x, q: (
        f.interpolate(x, scale_factor=2), f.interpolate(x, (5, 11)),
        f.interpolate(x, scale_factor=(1.7, 0.6)), f.interpolate(x, (5, 11), mode="nearest-exact"),
    ),
    "bilinear": lambda lib, f, x, q: (
        f.interpolate(x, scale_factor=2, mode="bilinear"),
        f.interpolate(x, (5, 11), mode="bilinear", align_corners=True),
        f.interpolate(x, scale_factor=0.7, mode="bilinear", align_corners=False),
        f.interpolate(x[0], 9, mode="linear"),
    ),
    "pixels": lambda lib, f, x, q: (
        f.pixel_shuffle(x, 2), f.pixel_unshuffle(x[..., :6, :], 2), f.channel_shuffle(x, 2),
    ),
    "patches": lambda lib, f, x, q: (
        f.unfold(x, 3, padding=1, stride=2), f.unfold(x, (2, 3), dilation=2),
        f.fold(f.unfold(x, 3, padding=1), (7, 6), 3, padding=1),
    ),
    "unpool": lambda lib, f, x, q: f.max_unpool2d(*f.max_pool2d(x, 2, return_indices=True), 2),
    "response": lambda lib, f, x, q: f.local_response_norm(x, 3, 0.1),
    "algebra": lambda lib, f, x, q: (
        lib.cdist(q[0, 0], q[0, 1]), lib.kron(q[0, 0], q[1, 0, :2]),
        lib.vdot(q[0, 0, 0], q[1, 0, 0]),
        lib.cross(q[..., :3], q[..., 3:], dim=-1),
    ),
    "neighbours": lambda lib, f, x, q: (lib.diff(x), lib.diff(x, 2, 1), x.diff(dim=0)),
    "combine": lambda lib, f, x, q: (
        lib.cartesian_prod(q[0, 0, 0], q[0, 0, 1]), lib.column_stack([q[0, 0, 0], q[0, 0, 1]]),
    ),
    "sinc": lambda lib, f, x, q: lib.sinc(q),
    "triangles": lambda lib, f, x, q: (lib.tril_indices(3, 4, 1), lib.triu_indices(4, 3, -1)),
}  # fmt: skip
