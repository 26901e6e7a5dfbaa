"""Copies that turn a matrix round: by squares in registers, not element by element.

Lanes of what is written lie far apart in what is read. Where the elements of another loop lie side
by side there, whole vectors are read along that loop, and transposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from jitnet.compiler.ir.index import Var
from jitnet.compiler.ir.loops import For, Load, Store
from jitnet.runtime.dataclass import dataclass
from jitnet.runtime.dtype import DType, float32, float64
from jitnet.runtime.target import Target

from .emitter import PTR, Function, Value
from .expressions import Expressions
from .point import Point
from .squares import declare_squares
from .team import Shared

STEPS = 64  # along what is read that are copied together: whole cache lines of both sides
BY_SIZE: dict[int, DType] = {4: float32, 8: float64}  # elements are moved, whatever they are


@dataclass(frozen=True)
class TurnedCopy:
    """A copy whose elements are adjacent along `steps` where they are read, else along `lanes`."""

    outer: tuple[Var, ...]
    steps: Var
    lanes: Var
    store: Store
    load: Load


def turned_copy(chain: Sequence[For], target: Target) -> TurnedCopy | None:
    """Return the copy that parallel loops are, one inside the other; None if they are not."""
    match chain[-1].body:
        case (For(var=lanes, kind="vector", body=(Store(expr=Load() as load) as store,)),):
            pass
        case _:
            return None
    plain = not store.accumulate and not load.conditions and load.dtype == store.buffer.dtype
    if not plain or load.dtype.size not in BY_SIZE or load.buffer.owner is store.buffer.owner:
        return None
    if lanes.extent % target.lanes(load.dtype.size):
        return None
    far = load.index.coefficient(lanes) not in (None, 0, 1, -1)
    variables = [loop.var for loop in chain]
    found = [var for var in variables if load.index.coefficient(var) == 1]
    affine = load.index.is_affine and store.index.is_affine and store.index.coefficient(lanes) == 1
    if not (far and affine) or len(found) != 1 or not store.index.coefficient(found[0]):
        return None
    (steps,) = found
    if steps.extent < target.lanes(load.dtype.size):
        return None
    outer = tuple(var for var in variables if var is not steps)
    return TurnedCopy(outer, steps, lanes, store, load)


def write_turned_copy(copy: TurnedCopy, point: Point, expressions: Expressions) -> None:
    """Write what this thread does of a copy."""
    f, steps = point.f, copy.steps
    dtype = BY_SIZE[copy.load.dtype.size]
    width = f.target.lanes(dtype.size)
    squares, pieces = copy.lanes.extent // width, -(-steps.extent // STEPS)
    work = Shared(prod(var.extent for var in copy.outer) * pieces * squares)
    name = declare_squares(f.module, dtype, by_table=False)
    with (
        point.team.parts(f, work, f.i64(0)) as part,
        f.loop(part.start, part.stop, may_be_empty=True) as turns,
        expressions.scope(),
    ):
        rest = f.udiv(turns.index, f.i64(squares))
        first = f.mul(f.urem(rest, f.i64(pieces)), f.i64(STEPS))
        point.unflatten(copy.outer, f.udiv(rest, f.i64(pieces)))
        point.vars[steps] = first
        point.vars[copy.lanes] = f.mul(f.urem(turns.index, f.i64(squares)), f.i64(width))
        count = f.minimum(f.i64(STEPS), f.sub(f.i64(steps.extent), first))
        f.call(name, _arguments(f, copy, expressions, width, count))


def _arguments(
    f: Function, copy: TurnedCopy, expressions: Expressions, width: int, count: Value
) -> list[Value]:
    store, load = copy.store, copy.load
    between = store.index.coefficient(copy.steps), load.index.coefficient(copy.lanes)
    apart, column_step = (f.i64(each or 0) for each in between)
    address = expressions.memory.address
    return [
        address(store.buffer, store.index),
        apart,
        Value("null", PTR),
        address(load.buffer, load.index),
        column_step,
        f.i64(width),
        count,
    ]
