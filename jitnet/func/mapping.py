"""vmap: a function of one item, for a batch of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import at_line
from ..functional import cat, movedim
from ..modes import mode
from ..tensor import Tensor
from ..tree import flatten, rebuild
from .batched import BatchedTensor, Mapping, lift


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return func mapped over a dim of its arguments: one call of func computes for all items.

    in_dims: the dim, or one for each argument, nested as the arguments are; None hands an argument
    on whole.  out_dims: where results have the dim of items.  randomness: what random numbers are
    inside func: "error", "same" for all items, "different" for each.  chunk_size: items of one
    call.  An op that cannot compute for several items is applied to each.
    ValueError for dims that do not fit, RuntimeError where func reads an item's elements.
    """
    if randomness not in ("error", "same", "different"):
        raise RuntimeError(
            at_line(f"randomness wants 'error', 'same' or 'different', got {randomness!r}")
        )

    def run(*args: Any, **kwargs: Any) -> Any:
        leaves, tree = flatten(args)
        dims = _dims_of(in_dims, args)
        size = _count(leaves, dims)
        step = size if chunk_size is None or not size else chunk_size
        found = []
        for start in range(0, max(size, 1), max(step, 1)):
            part = [_part(leaf, dim, start, step) for leaf, dim in zip(leaves, dims, strict=True)]
            count = min(step, size - start)
            found.append(_mapped(func, part, tree, kwargs, dims, out_dims, count, randomness))
        return found[0] if len(found) == 1 else _joined(found, out_dims)

    return run


def _mapped(
    func: Callable[..., Any],
    leaves: list[Any],
    tree: Any,
    kwargs: dict[str, Any],
    dims: list[int | None],
    out_dims: Any,
    size: int,
    randomness: str,
) -> Any:
    """Call func once for all items."""
    outer = mode.mapping
    mapping = Mapping(1 if outer is None else outer.level + 1, size, randomness)
    seen = (
        leaf if dim is None else lift(movedim(leaf, dim, 0), mapping)
        for leaf, dim in zip(leaves, dims, strict=True)
    )
    mode.mapping = mapping
    try:
        result = func(*rebuild(tree, seen), **kwargs)
    finally:
        mode.mapping = outer
    outputs, result_tree = flatten(result)
    places = _out_dims_of(out_dims, outputs, result)
    return rebuild(
        result_tree,
        (_whole(y, dim, mapping) for y, dim in zip(outputs, places, strict=True)),
    )


def _whole(y: Any, dim: int | None, mapping: Mapping) -> Any:
    """Return a result with its dim of items."""
    batched = isinstance(y, BatchedTensor) and y._mapping is mapping
    if dim is None:
        if batched:
            raise ValueError(at_line("vmap: a result differs from item to item: no out_dims=None"))
        return y
    if not isinstance(y, Tensor):
        raise ValueError(
            at_line(f"vmap wants a function that returns tensors, got {type(y).__name__}")
        )
    value = y._value if batched else y.unsqueeze(0).expand(mapping.size, *y._type.shape)  # type: ignore[attr-defined]
    return movedim(value, 0, dim)


def _dims_of(in_dims: Any, args: tuple[Any, ...]) -> list[int | None]:
    """Return the dim of every leaf of the arguments."""
    if not isinstance(in_dims, int | tuple | list):
        raise ValueError(at_line(f"vmap wants in_dims of ints or a tuple of them, got {in_dims!r}"))
    if isinstance(in_dims, tuple | list) and len(in_dims) != len(args):
        raise ValueError(
            at_line(f"vmap wants an in_dim for each of {len(args)} arguments, got {in_dims}")
        )
    found: list[int | None] = []
    _spread(tuple(in_dims) if isinstance(in_dims, list) else in_dims, args, found)
    return found


def _spread(dims: Any, value: Any, found: list[int | None]) -> None:
    """Append a dim for each leaf of value: one for all, or nested as value is."""
    if dims is None or isinstance(dims, int):
        found += [dims] * len(flatten(value)[0])
        return
    matching = isinstance(value, dict) == isinstance(dims, dict) and len(dims) == len(value)
    if not matching or (isinstance(dims, dict) and dims.keys() != value.keys()):
        raise ValueError(at_line(f"vmap wants in_dims nested as its arguments, got {dims!r}"))
    for key in value if isinstance(dims, dict) else range(len(dims)):
        _spread(dims[key], value[key], found)


def _count(leaves: list[Any], dims: list[int | None]) -> int:
    """Return the size of the mapped dims, which is one and the same."""
    sizes = set()
    for leaf, dim in zip(leaves, dims, strict=True):
        if dim is None:
            continue
        if not isinstance(leaf, Tensor):
            raise ValueError(
                at_line(f"vmap wants None as the in_dim of what is no tensor, got {leaf!r}")
            )
        rank = len(leaf._type.shape)
        if not -rank <= dim < rank:
            raise ValueError(at_line(f"vmap wants an in_dim of {leaf._type}, got {dim}"))
        sizes.add(leaf._type.shape[dim])
    if len(sizes) != 1:
        raise ValueError(
            at_line(f"vmap wants one size of the mapped dims, got {sorted(sizes) or 'no tensor'}")
        )
    return int(sizes.pop())


def _part(leaf: Any, dim: int | None, start: int, count: int) -> Any:
    if dim is None or (not start and count >= leaf._type.shape[dim]):
        return leaf
    return leaf.narrow(dim, start, min(count, leaf._type.shape[dim] - start))


def _out_dims_of(out_dims: Any, outputs: list[Any], result: Any) -> list[int | None]:
    """Return where each result has its dim of items."""
    if out_dims is None or isinstance(out_dims, int):
        return [out_dims] * len(outputs)
    found: list[int | None] = []
    single = isinstance(result, Tensor)
    if single and isinstance(out_dims, tuple | list) and len(out_dims) == 1:
        return list(out_dims)
    if single or len(out_dims) != len(result):
        raise ValueError(
            at_line(f"vmap wants an out_dim for each of {len(outputs)} results, got {out_dims}")
        )
    _spread(out_dims, result, found)
    return found


def _joined(found: list[Any], out_dims: Any) -> Any:
    """Join the results of chunks."""
    flat = [flatten(result)[0] for result in found]
    dims = _out_dims_of(out_dims, flat[0], found[0])
    columns = zip(*flat, strict=True)
    parts = (
        column[0] if dim is None else cat(list(column), dim)
        for column, dim in zip(columns, dims, strict=True)
    )
    return rebuild(flatten(found[0])[1], parts)
