"""How an op becomes loops: the kinds of `Op.lower`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jitnet.runtime.dataclass import dataclass

from .index import Index, Var

Place = tuple[Index, ...]


@dataclass(frozen=True)
class Pointwise:
    """Element i of the result is fn of element i of each argument; fn is a name in SCALARS."""

    fn: str


@dataclass(frozen=True)
class Inline:
    """Element i of the result is an expression over elements of the arguments at computed places.

    build: (read, index, node) -> Expr, where read(argument number, index tuple, conditions) gives
    an argument's element, not touched in memory unless all conditions hold.
    """

    build: Callable[[Any, tuple[Any, ...], Any], Any]
    view: bool = False  # only moves elements: build returns exactly one read


@dataclass(frozen=True)
class Reduction:
    """The result combines the elements of the argument along `axes` with fn."""

    fn: str  # "add", "mul", "max", "min", "and", "or", "argmax", "argmin"


@dataclass(frozen=True)
class BandSum:
    """Result [b] is the sum of the argument's rows in the b-th band; there are `bands` of them.

    So sums over columns share the loops of whatever is computed row by row, and do not depend on
    how threads share the bands.
    """


@dataclass(frozen=True)
class Contraction:
    """The result is a sum of products of two arguments over shared indices.

    passes/contract.py knows the row, column and inner indices of each kind.
    """

    kind: str  # "matmul", "conv", "conv_input_grad", "conv_weight_grad"


@dataclass(frozen=True)
class Transform:
    """Blocks of the argument become blocks of the result: each is matrix @ block @ matrix.T."""

    blocks: Callable[[Any], Blocks]  # of a node


@dataclass(frozen=True)
class Blocks:
    """Where the blocks of a transform are.

    variables: a loop for each dim outside a block.  matrix: rows of numbers.
    source, target: the place of element i, j of a block in the argument, in the result, given the
    place of the block, an index for each variable.
    """

    variables: tuple[Var, ...]
    matrix: tuple[tuple[float, ...], ...]
    source: Callable[[Place, int, int], Place]
    target: Callable[[Place, int, int], Place]

    @property
    def tiles(self) -> tuple[int, ...]:
        """Sizes of all dims outside a block but the last."""
        return tuple(var.extent for var in self.variables[:-1])


@dataclass(frozen=True)
class PlaneProduct:
    """Products of the planes that a transform of the first argument makes, transformed once more.

    The second argument holds the other factors' planes, [planes, K, N]; all but the last variable
    of both transforms count tiles, the last one channels. It is one kernel, by blocks of tiles
    whose planes stay in the cache.
    """

    source: Callable[[Any], Blocks]  # of a node: from its first argument to planes
    target: Callable[[Any], Blocks]  # from planes to its result


@dataclass(frozen=True)
class PlaneSum:
    """Products of planes that are summed over tiles: planes of both arguments, to the result.

    All but the last variable of the first two transforms count the same tiles, the last ones
    channels; the result's variables are both channels. It is one kernel, by slices of channels.
    """

    first: Callable[[Any], Blocks]
    second: Callable[[Any], Blocks]
    target: Callable[[Any], Blocks]


@dataclass(frozen=True)
class Scatter:
    """The result is the first argument with elements replaced or added to at looked-up places."""


@dataclass(frozen=True)
class Host:
    """NumPy computes the result: the program calls back into Python, which applies the op's `eval`.

    For ops that have no sensible native form, and no shape that depends on data. What `eval` raises
    reaches the user. Arguments and result are in memory; params are numbers, strings and tuples.
    """


@dataclass(frozen=True)
class Joined:
    """The result is its arguments next to each other in memory: each is written where it belongs.

    So it needs no loops of its own. passes/join.py sees to it that the arguments are values of
    their own, which nothing else wants elsewhere.
    """


@dataclass(frozen=True)
class Decompose:
    """The op is written with other ops before loops are made: build(node) -> node."""

    build: Callable[[Any], Any]
