"""Internal ops that convolutions of 3 x 3 are written with: Winograd's F(2 x 2, 3 x 3).

Four neighbouring results of a convolution need 16 products instead of 36. Tiles of 4 x 4 pixels
that overlap by two, kernels, and tiles of 2 x 2 results are mapped to 16 "planes" each: matrices of
tiles and channels, whose products along the channels are planes of the results.

    y = A^T [(G w G^T) * (B^T x B)] A        (Lavin and Gray, arXiv:1509.09308)

The sum is linear in x and in w, so its gradient for w is G^T [(A g A^T) * (B^T x B)] G.
Images have an even number of pixels along each dim; kernels are [O, C, 3, 3].
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jitnet.compiler.ir.dims import Shape
from jitnet.compiler.ir.errors import ShapeError
from jitnet.compiler.ir.index import Index, Var
from jitnet.compiler.ir.lowering import Blocks, Place, PlaneProduct, PlaneSum, Transform
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType

Matrix = tuple[tuple[float, ...], ...]

TO_TILE: Matrix = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))  # B^T
TO_KERNEL: Matrix = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))  # G
TO_RESULT: Matrix = ((1, 1, 1, 0), (0, 1, -1, -1))  # A^T

RESULTS = 2  # of a tile, along each dim
TILE = 4  # pixels of a tile along each dim
PLANES = TILE * TILE


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _apply(matrix: Matrix, blocks: np.ndarray) -> np.ndarray:
    """Return matrix @ block @ matrix.T for the blocks in the last two dims."""
    left = np.array(matrix, blocks.dtype)
    return np.asarray(left @ blocks @ left.T)


def _planes(blocks: np.ndarray) -> np.ndarray:
    """Return [16, rows, columns] from [rows, columns, 4, 4]."""
    rows, columns = blocks.shape[:2]
    return np.ascontiguousarray(blocks.transpose(2, 3, 0, 1)).reshape(PLANES, rows, columns)


def _blocks(planes: np.ndarray) -> np.ndarray:
    """Return [rows, columns, 4, 4] from [16, rows, columns]."""
    return planes.reshape(TILE, TILE, *planes.shape[1:]).transpose(2, 3, 0, 1)


def tiles_of(image: Shape, size: int) -> tuple[int, int]:
    """Return how many tiles of `size` pixels, two pixels apart, an image [N, C, H, W] has."""
    down, across = ((pixels - size) // RESULTS + 1 for pixels in image[2:])
    return down, across


def _check_image(name: str, shape: Shape, least: int) -> None:
    if len(shape) != 4 or any(size % RESULTS or size < least for size in shape[2:]):
        raise ShapeError(
            f"{name} wants an image [N, C, H, W] with H and W even and at least {least}, "
            f"got {list(shape)}"
        )


def _of_image(x: np.ndarray, matrix: Matrix, size: int) -> np.ndarray:
    view = np.lib.stride_tricks.sliding_window_view(x, (size, size), (2, 3))
    blocks = view[:, :, ::RESULTS, ::RESULTS].transpose(0, 2, 3, 1, 4, 5)
    return _planes(_apply(matrix, blocks.reshape(-1, x.shape[1], size, size)))


def _of_image_type(name: str, x: TensorType, size: int) -> TensorType:
    _check_image(name, x.shape, size)
    down, across = tiles_of(x.shape, size)
    return TensorType(x.dtype, (PLANES, x.shape[0] * down * across, x.shape[1]))


def _image_variables(image: Shape, tiles: tuple[int, int]) -> tuple[Var, ...]:
    sizes = (image[0], *tiles, image[1])
    return tuple(Var(name, size) for name, size in zip("nyxc", sizes, strict=True))


def _in_image(at: Place, i: int, j: int) -> Place:
    image, down, across, channel = at
    return image, channel, down * RESULTS + i, across * RESULTS + j


def _in_planes(at: Place, tiles: tuple[int, int], i: int, j: int) -> Place:
    image, down, across, channel = at
    return Index(TILE * i + j), (image * tiles[0] + down) * tiles[1] + across, channel


def _image_to_planes(image: Shape, matrix: Matrix, size: int) -> Blocks:
    tiles = tiles_of(image, size)
    return Blocks(
        _image_variables(image, tiles),
        matrix,
        _in_image,
        lambda at, i, j: _in_planes(at, tiles, i, j),
    )


# -- images and results to planes -----------------------------------------------------------------


def _tiles_blocks(node: Any) -> Blocks:
    return _image_to_planes(node.args[0].shape, TO_TILE, TILE)


def _result_tiles_blocks(node: Any) -> Blocks:
    return _image_to_planes(node.args[0].shape, _transposed(TO_RESULT), RESULTS)


# `use` keeps planes for different uses apart: they are four times as large as the image, so that
# keeping them from the forward pass for the gradient costs more than making them again.
winograd_tiles = Op(
    "winograd_tiles",
    lambda x, use: _of_image_type("winograd_tiles", x, TILE),
    lambda x, use: _of_image(x, TO_TILE, TILE),
    None,
    Transform(_tiles_blocks),
)
winograd_result_tiles = Op(
    "winograd_result_tiles",
    lambda g: _of_image_type("winograd_result_tiles", g, RESULTS),
    lambda g: _of_image(g, _transposed(TO_RESULT), RESULTS),
    None,
    Transform(_result_tiles_blocks),
)


# -- planes to results ----------------------------------------------------------------------------


def _results_type(planes: TensorType, *, shape: Shape) -> TensorType:
    _check_image("winograd_results", shape, RESULTS)
    down, across = tiles_of(shape, RESULTS)
    if planes.shape != (PLANES, shape[0] * down * across, shape[1]):
        raise ShapeError(f"winograd_results wants planes of {list(shape)}, got {planes}")
    return TensorType(planes.dtype, shape)


def _results(planes: np.ndarray, *, shape: Shape) -> np.ndarray:
    images, channels = shape[:2]
    results = _apply(TO_RESULT, _blocks(planes))
    split = results.reshape(images, *tiles_of(shape, RESULTS), channels, RESULTS, RESULTS)
    return np.ascontiguousarray(split.transpose(0, 3, 1, 4, 2, 5)).reshape(shape)


def _results_blocks(node: Any) -> Blocks:
    tiles = tiles_of(node.shape, RESULTS)
    return Blocks(
        _image_variables(node.shape, tiles),
        TO_RESULT,
        lambda at, i, j: _in_planes(at, tiles, i, j),
        _in_image,
    )


winograd_results = Op("winograd_results", _results_type, _results, None, Transform(_results_blocks))


# -- images to results in one step ----------------------------------------------------------------


def _conv_type(x: TensorType, kernels: TensorType, *, shape: Shape) -> TensorType:
    planes = _of_image_type("winograd_conv", x, TILE).shape
    given, wanted = kernels.shape, (PLANES, x.shape[1], shape[1])
    if given != wanted:
        raise ShapeError(f"winograd_conv wants planes {list(wanted)} of kernels, got {kernels}")
    return _results_type(TensorType(x.dtype, (*planes[:2], shape[1])), shape=shape)


def _conv(x: np.ndarray, kernels: np.ndarray, *, shape: Shape) -> np.ndarray:
    return _results(np.matmul(_of_image(x, TO_TILE, TILE), kernels), shape=shape)


# The same as winograd_results of the product of winograd_tiles and planes [16, C, O] of kernels.
winograd_conv = Op(
    "winograd_conv", _conv_type, _conv, None, PlaneProduct(_tiles_blocks, _results_blocks)
)


# -- kernels and their planes ---------------------------------------------------------------------


def _kernels_type(w: TensorType, *, turned: bool) -> TensorType:
    del turned
    if len(w.shape) != 4 or w.shape[2:] != (3, 3):
        raise ShapeError(f"winograd_kernels wants kernels [O, C, 3, 3], got {w}")
    return TensorType(w.dtype, (PLANES, *w.shape[:2]))


def _kernels(w: np.ndarray, *, turned: bool) -> np.ndarray:
    return _planes(_apply(TO_KERNEL, w[:, :, ::-1, ::-1] if turned else w))


def _kernel_variables(kernels: Shape) -> tuple[Var, ...]:
    return Var("o", kernels[0]), Var("c", kernels[1])


def _kernel_planes(at: Place, i: int, j: int) -> Place:
    return Index(TILE * i + j), *at


def _kernels_blocks(node: Any) -> Blocks:
    def source(at: Place, i: int, j: int) -> Place:
        down, across = (2 - i, 2 - j) if node.params["turned"] else (i, j)
        return *at, Index(down), Index(across)

    return Blocks(_kernel_variables(node.args[0].shape), TO_KERNEL, source, _kernel_planes)


def _kernel_grads_type(planes: TensorType) -> TensorType:
    if len(planes.shape) != 3 or planes.shape[0] != PLANES:
        raise ShapeError(f"winograd_kernel_grads wants planes [16, O, C], got {planes}")
    return TensorType(planes.dtype, (*planes.shape[1:], 3, 3))


def _kernel_grads(planes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(_apply(_transposed(TO_KERNEL), _blocks(planes)))


def _kernel_grads_blocks(node: Any) -> Blocks:
    return Blocks(
        _kernel_variables(node.shape),
        _transposed(TO_KERNEL),
        _kernel_planes,
        lambda at, i, j: (*at, Index(i), Index(j)),
    )


winograd_kernels = Op("winograd_kernels", _kernels_type, _kernels, None, Transform(_kernels_blocks))
winograd_kernel_grads = Op(
    "winograd_kernel_grads",
    _kernel_grads_type,
    _kernel_grads,
    None,
    Transform(_kernel_grads_blocks),
)

# -- images and the gradients of results to those of kernels --------------------------------------


def _weight_grad_type(g: TensorType, x: TensorType, *, parts: int) -> TensorType:
    results = _of_image_type("winograd_weight_grad", g, RESULTS).shape
    tiles = _of_image_type("winograd_weight_grad", x, TILE).shape
    if results[1] != tiles[1]:
        raise ShapeError(f"winograd_weight_grad wants results of the same tiles, got {g} and {x}")
    if results[1] % parts:
        raise ShapeError(f"winograd_weight_grad wants {parts} equal parts of {results[1]} tiles")
    return TensorType(g.dtype, (parts, results[2], tiles[2], 3, 3))


def _weight_grad(g: np.ndarray, x: np.ndarray, *, parts: int) -> np.ndarray:
    results, tiles = _of_image(g, _transposed(TO_RESULT), RESULTS), _of_image(x, TO_TILE, TILE)
    pairs = zip(np.split(results, parts, axis=1), np.split(tiles, parts, axis=1), strict=True)
    return np.stack([_kernel_grads(np.matmul(r.transpose(0, 2, 1), t)) for r, t in pairs])


def _second_tiles_blocks(node: Any) -> Blocks:
    return _image_to_planes(node.args[1].shape, TO_TILE, TILE)


def _part_blocks(node: Any) -> Blocks:
    part = Var("part", node.shape[0])
    return Blocks(
        (part, *_kernel_variables(node.shape[1:])),
        _transposed(TO_KERNEL),
        _kernel_planes,
        lambda at, i, j: (*at, Index(i), Index(j)),
    )


# [parts, O, C, 3, 3]: their sum is winograd_kernel_grads of the product of winograd_result_tiles
# and winograd_tiles; each part sums as many tiles.
winograd_weight_grad = Op(
    "winograd_weight_grad",
    _weight_grad_type,
    _weight_grad,
    None,
    PlaneSum(_result_tiles_blocks, _second_tiles_blocks, _part_blocks),
)

OPS = (
    winograd_tiles,
    winograd_result_tiles,
    winograd_results,
    winograd_conv,
    winograd_kernels,
    winograd_kernel_grads,
    winograd_weight_grad,
)
