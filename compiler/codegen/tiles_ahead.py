"""What tiles do ahead, between parts of their run along K: ask for cache lines, or copy them.

It costs them little, for their multipliers do not wait: loads and stores have units of their own.
"""

from __future__ import annotations

from collections.abc import Callable

from .emitter import F32, PTR, Function, Value, vector

AHEAD_EVERY = 16  # steps along K: how often a tile asks for what is read after it,
AHEAD_LINES = 6  # and for how many cache lines
COPY_AHEAD = 4  # steps that a copying tile asks for before it copies them
CACHE_LINE = 64

# Where asking begins, and what asks in one part along K, returning where the next part goes on.
Asking = tuple[Value, Callable[[Value], Value]]


def asking(f: Function, first: Value, line: Value, part: Value) -> Asking:
    """Ask for some lines of what is read after this panel, or these rows, `line` bytes apart.

    So memory is read while registers multiply. Into level 2: level 1 is full of the panel.
    """

    def more(ahead: Value) -> Value:
        place = ahead
        for _ in range(AHEAD_LINES):
            f.prefetch(place, locality=2)
            place = f.gep(place, line)
        return f.gep(ahead, part)

    return first, more


def asking_from_list(f: Function, table: Value, count: Value, last: Value) -> Asking:
    """Ask for the next so many places of a table; when it ends, for the last one again."""

    def more(number: Value) -> Value:
        with f.loop(f.i64(0), count, may_be_empty=True) as each:
            at = f.minimum(f.add(number, each.index), last)
            f.prefetch(f.load(f.gep(table, at, PTR), PTR, 8), locality=2)
        return f.add(number, count)

    return f.i64(0), more


def copying(
    f: Function, first: Value, step: Value, to: Value, to_step: Value, each: Value, count: Value
) -> Asking:
    """Copy the next few steps; those soon after them are asked for, so that these have come."""
    whole_line = vector(F32, CACHE_LINE // 4)

    def more(number: Value) -> Value:
        stop = f.minimum(f.add(number, each), count)
        with f.loop(number, stop, may_be_empty=True) as one:
            source = f.gep(first, f.mul(one.index, step))
            soon = f.gep(source, f.mul(step, f.i64(COPY_AHEAD)))
            target = f.gep(to, f.mul(one.index, to_step))
            for line in range(AHEAD_LINES):
                place = f.i64(line * CACHE_LINE)
                f.prefetch(f.gep(soon, place), locality=2)
                copied = f.load(f.gep(source, place), whole_line, 4)
                f.store(copied, f.gep(target, place), CACHE_LINE)
        return stop

    return f.i64(0), more


ASKING: dict[str, Callable[..., Asking]] = {
    "tile": asking,
    "broad": asking,
    "wide": asking,
    "listed": asking_from_list,
    "copying": copying,
}
