"""vmap: a function of one item, for a batch of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import at_line
from ..functional import stack
from ..tensor import Tensor
from ..tree import flatten, rebuild, tree_map


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return func mapped over a dim of its arguments: a loop over the items, whose results stack.

    in_dims: the dim, or one for each argument; None hands an argument on whole. Random numbers
    are drawn anew for each item. A batch written with dims of its own is faster.
    """

    def run(*args: Any, **kwargs: Any) -> Any:
        dims = in_dims if isinstance(in_dims, tuple | list) else (in_dims,) * len(args)
        if len(dims) != len(args):
            raise ValueError(
                at_line(f"vmap wants an in_dim for each of {len(args)} arguments, got {in_dims}")
            )
        count = _count(args, dims)
        results = [
            func(*(_item(arg, dim, i) for arg, dim in zip(args, dims, strict=True)), **kwargs)
            for i in range(count)
        ]
        return _stacked(results, out_dims)

    return run


def _count(args: tuple[Any, ...], dims: Any) -> int:
    """Return the size of the mapped dims, which is one and the same."""
    sizes = {
        leaf.shape[dim]
        for arg, dim in zip(args, dims, strict=True)
        if dim is not None
        for leaf in flatten(arg)[0]
        if isinstance(leaf, Tensor)
    }
    if len(sizes) != 1:
        raise ValueError(
            at_line(f"vmap wants one size of the mapped dims, got {sorted(sizes) or 'no tensor'}")
        )
    (size,) = sizes
    if not size:
        raise ValueError(at_line("vmap wants at least one item, got a dim of size 0"))
    return int(size)


def _item(arg: Any, dim: int | None, place: int) -> Any:
    if dim is None:
        return arg
    return tree_map(lambda x: x.select(dim, place) if isinstance(x, Tensor) else x, arg)


def _stacked(results: list[Any], out_dims: Any) -> Any:
    flat = [flatten(result) for result in results]
    tree = flat[0][1]
    count = len(flat[0][0])
    dims = tuple(out_dims) if isinstance(out_dims, tuple | list) else (out_dims,) * count
    if len(dims) != count:
        raise ValueError(at_line(f"vmap wants an out_dim for each of {count} results, got {dims}"))
    columns = zip(*(leaves for leaves, _ in flat), strict=True)
    joined = (
        column[0] if dim is None else stack(list(column), dim)
        for column, dim in zip(columns, dims, strict=True)
    )
    return rebuild(tree, joined)
