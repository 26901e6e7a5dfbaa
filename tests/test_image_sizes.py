"""Interpolation, sampling at places and patches, against PyTorch: eager, compiled, gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
import jitnet.nn.functional as F
from jitnet import nn
from tests.three_ways import check

oracle = pytest.mark.usefixtures("torch")


@pytest.fixture
def torch() -> Any:
    """PyTorch, or skip."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


def real(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


SIZES: dict[str, tuple[int, dict[str, Any]]] = {
    "nearest twice": (2, {"scale_factor": 2}),
    "nearest": (2, {"size": (4, 13), "mode": "nearest"}),
    "nearest exact": (1, {"scale_factor": 1.7, "mode": "nearest-exact"}),
    "nearest 3d": (3, {"scale_factor": (2, 0.5, 3)}),
    "linear": (1, {"size": 9, "mode": "linear"}),
    "linear corners": (1, {"size": 9, "mode": "linear", "align_corners": True}),
    "bilinear": (2, {"scale_factor": 2, "mode": "bilinear", "align_corners": False}),
    "bilinear recomputed": (
        2, {"scale_factor": 1.3, "mode": "bilinear", "recompute_scale_factor": True}),
    "bilinear smaller": (2, {"size": (3, 2), "mode": "bilinear"}),
    "bilinear corners": (2, {"size": (3, 11), "mode": "bilinear", "align_corners": True}),
    "bilinear smooth": (2, {"size": (3, 9), "mode": "bilinear", "antialias": True}),
    "bicubic": (2, {"scale_factor": 1.5, "mode": "bicubic"}),
    "bicubic corners": (2, {"size": (1, 9), "mode": "bicubic", "align_corners": True}),
    "bicubic smooth": (2, {"size": (2, 5), "mode": "bicubic", "antialias": True}),
    "trilinear": (3, {"size": (3, 4, 9), "mode": "trilinear"}),
    "area": (2, {"size": (3, 4), "mode": "area"}),
}  # fmt: skip


@oracle
@pytest.mark.parametrize("name", SIZES)
def test_interpolate(name: str) -> None:
    rank, options = SIZES[name]
    x = real(2, 3, *(7, 6, 4)[:rank])
    check(lambda lib, f, x: f.interpolate(x, **options), x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "options", "error", "words"),
    [
        ((2, 3), {"size": 4}, jitnet.ShapeError, r"f32\[2, 3\]"),
        ((1, 1, 4), {"size": 4, "mode": "bilinear"}, NotImplementedError, "3D input"),
        ((1, 1, 4), {}, ValueError, "either size or scale_factor"),
        ((1, 1, 4), {"size": 4, "scale_factor": 2}, ValueError, "either size or scale_factor"),
        ((1, 1, 4), {"size": 4, "align_corners": True}, ValueError, "align_corners"),
        ((1, 1, 4), {"size": 0}, RuntimeError, "greater than 0"),
        ((1, 1, 4), {"scale_factor": (2, 2)}, ValueError, "1 scale factors"),
        ((1, 1, 4), {"size": 2, "mode": "linear", "antialias": True}, ValueError, "antialias"),
        ((1, 1, 4), {"size": 2, "mode": "cubic"}, NotImplementedError, "cubic"),
    ],
)
def test_interpolate_refuses(
    shape: tuple[int, ...], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        F.interpolate(jitnet.zeros(*shape), **options)
    with pytest.raises(error, match=words):
        jitnet.compile(lambda x: F.interpolate(x, **options))(jitnet.zeros(*shape))


@oracle
@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, padding: str, corners: bool) -> None:
    grid = np.random.default_rng(1).uniform(-1.7, 1.7, size=(2, 3, 4, 2)).astype(np.float32)

    def sample(lib: Any, f: Any, x: Any, grid: Any) -> Any:
        return f.grid_sample(x, grid, mode=mode, padding_mode=padding, align_corners=corners)

    check(sample, real(2, 3, 5, 6), grid, rtol=1e-4, atol=2e-5)


@oracle
def test_grid_sample_in_space_and_affine_grid() -> None:
    grid = np.random.default_rng(1).uniform(-1.3, 1.3, size=(2, 2, 3, 4, 3)).astype(np.float32)
    for mode in ("bilinear", "nearest"):
        check(
            lambda lib, f, x, grid, mode=mode: f.grid_sample(x, grid, mode, align_corners=False),
            real(2, 2, 3, 4, 5),
            grid,
            rtol=1e-4,
            atol=1e-5,
        )
    for corners in (True, False):
        check(
            lambda lib, f, t, c=corners: f.affine_grid(t, (2, 1, 3, 5), align_corners=c),
            real(2, 2, 3),
        )
        check(
            lambda lib, f, t, c=corners: f.affine_grid(t, (2, 1, 3, 4, 2), align_corners=c),
            real(2, 3, 4),
        )


def test_sampling_refuses_wrong_shapes() -> None:
    image, grid = jitnet.zeros(2, 3, 4, 4), jitnet.zeros(2, 5, 5, 2)
    with pytest.raises(jitnet.ShapeError, match=r"f32\[2, 3, 4, 4\] and f32\[1, 5, 5, 2\]"):
        F.grid_sample(image, grid[:1])
    with pytest.raises(ValueError, match="'cubic'"):
        F.grid_sample(image, grid, mode="cubic")
    with pytest.raises(ValueError, match="'wrap'"):
        F.grid_sample(image, grid, padding_mode="wrap")
    with pytest.raises(jitnet.ShapeError, match=r"\[2, 2, 3\]"):
        F.affine_grid(jitnet.zeros(2, 3, 3), (2, 1, 4, 4))


@oracle
@pytest.mark.parametrize("args", [(0, 3, 2), (1, 2, 1), (-1, 4, 4), (-2, 0, 1)])
def test_windows(args: tuple[int, int, int]) -> None:
    check(lambda lib, f, x: x.unfold(*args), real(7, 5, 6))


def test_windows_refuse() -> None:
    with pytest.raises(RuntimeError, match="at most 4"):
        jitnet.zeros(4).unfold(0, 5, 1)
    with pytest.raises(RuntimeError, match="step > 0"):
        jitnet.zeros(4).unfold(0, 2, 0)


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "Upsample": ((2, 3, 4, 4), lambda nn: nn.Upsample(scale_factor=2, mode="bilinear")),
    "Upsample size": ((2, 3, 4), lambda nn: nn.Upsample(7)),
    "nearest": ((2, 3, 4, 5), lambda nn: nn.UpsamplingNearest2d(scale_factor=2)),
    "bilinear": ((2, 3, 4, 5), lambda nn: nn.UpsamplingBilinear2d(size=(7, 8))),
    "PixelShuffle": ((2, 8, 3, 4), lambda nn: nn.PixelShuffle(2)),
    "PixelUnshuffle": ((2, 2, 6, 4), lambda nn: nn.PixelUnshuffle(2)),
    "ChannelShuffle": ((2, 6, 3, 4), lambda nn: nn.ChannelShuffle(3)),
    "Unfold": ((2, 3, 6, 7), lambda nn: nn.Unfold((2, 3), padding=1, stride=2)),
    "Fold": ((2, 12, 12), lambda nn: nn.Fold((4, 5), (2, 2))),
}


@oracle
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, torch: Any) -> None:
    shape, make = LAYERS[name]
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    check(lambda lib, f, x: (ours if lib is jitnet else theirs)(x), real(*shape))
