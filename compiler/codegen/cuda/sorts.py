"""Orders of elements on a GPU: argsort, topk, kth, mode, searchsorted.

Elements are compared by whole numbers in their order, their keys, and equal ones by their places,
so that orders are stable. Short lines count, for each element, those that come before it. Others
are sorted in tiles in shared memory (a bitonic network); sorted runs are merged, two at a time, by
every element finding its place in the other run.
"""

from __future__ import annotations

from math import prod
from typing import Any

from jitnet.compiler.ir.host import Block, HostCall
from jitnet.runtime.dtype import DType, float32, float64, int64

from .calls import Native, Site, Step, along, lines_of, unflattened
from .nests import WARP

COUNTED = 64  # elements of a line at most, whose places are counted
TILE = 2048  # elements of a line that a block sorts in shared memory, which takes 24 KiB
SORTERS = 512  # threads of such a block at most
FINDERS = 256  # threads of a block that looks at a sorted line, at most

_COUNT = """
number = cuda.grid(1)
if number < {total}:
    line, at = number // {size}, number % {size}
    own = {own}
    place = 0
    for other in range({size}):
        key = {key}
        place += key < own or (key == own and other < at)
    order, key = at, own
    {give}
"""

_SORT = """
keys = cuda.shared.array({tile}, int64)
places = cuda.shared.array({tile}, int32)
line, first = cuda.blockIdx.x // {tiles}, cuda.blockIdx.x % {tiles} * {tile}
for slot in range(cuda.threadIdx.x, {tile}, {threads}):
    at = first + slot
    keys[slot] = {key} if at < {size} else {last}
    places[slot] = at
cuda.syncthreads()
width = 2
while width <= {tile}:
    step = width >> 1
    while step > 0:
        for pair in range(cuda.threadIdx.x, {pairs}, {threads}):
            low = 2 * pair - (pair & (step - 1))
            high = low + step
            key, other = keys[low], keys[high]
            at, there = places[low], places[high]
            after = key > other or (key == other and at > there)
            if after == ((low & width) == 0):
                keys[low], keys[high] = other, key
                places[low], places[high] = there, at
        cuda.syncthreads()
        step >>= 1
    width <<= 1
for slot in range(cuda.threadIdx.x, {tile}, {threads}):
    place = first + slot
    order, key = places[slot], keys[slot]
    if place < {size}:
        {give}
"""

_MERGE = """
number = cuda.grid(1)
if number < {total}:
    line, at = number // {size}, number % {size}
    first = at // {both} * {both}
    middle, end = min(first + {run}, {size}), min(first + {both}, {size})
    order, key = {orders}[number], {keys}[number]
    low, high = (middle, end) if at < middle else (first, middle)
    while low < high:
        half = (low + high) >> 1
        other = {keys}[line * {size} + half]
        if other < key or (other == key and at >= middle):
            low = half + 1
        else:
            high = half
    place = at + low - middle
    {give}
"""

_KTH = """
line = cuda.grid(1)
if line < {lines}:
    low, high = line * {size}, line * {size} + {place}
    key = {keys}[high]
    while low < high:
        half = (low + high) >> 1
        if {keys}[half] < key:
            low = half + 1
        else:
            high = half
    {target} = {orders}[low]
"""

_MODE = """
lengths = cuda.shared.array({threads}, int64)
ends = cuda.shared.array({threads}, int64)
thread, line = cuda.threadIdx.x, cuda.blockIdx.x
first = line * {size}
longest, end = 0, 0
for at in range(first + thread, first + {size}, {threads}):
    key = {keys}[at]
    if at == first + {size} - 1 or {keys}[at + 1] != key:
        low, high = first, at
        while low < high:
            half = (low + high) >> 1
            if {keys}[half] < key:
                low = half + 1
            else:
                high = half
        if at - low >= longest:
            longest, end = at - low + 1, at
lengths[thread], ends[thread] = longest, end
cuda.syncthreads()
step = {threads} >> 1
while step > 0:
    if thread < step:
        length, other = lengths[thread + step], ends[thread + step]
        tied = length == lengths[thread]
        if length > lengths[thread] or (tied and other < ends[thread]):
            lengths[thread], ends[thread] = length, other
    cuda.syncthreads()
    step >>= 1
if thread == 0:
    {target} = {orders}[ends[0]]
"""

_SEARCH = """
number = cuda.grid(1)
if number < {total}:
    key = {wanted}
    low, high = 0, {size}
    while low < high:
        half = (low + high) >> 1
        if {key} {sign} key:
            low = half + 1
        else:
            high = half
    {target} = low
"""


def _key(site: Site, text: str, dtype: DType, descending: bool = False) -> str:
    """Return an element's key: a whole number of 64 bits with a sign."""
    if dtype in (float32, float64) or dtype.name == "uint64":
        name = f"order_key_{dtype.name}"
        site.use((), (name,))
        text = f"{name}({text})"
    else:
        text = f"int64({text})"
    return f"~{text}" if descending else text


class _Sorting:
    """Writes the functions that sort the lines of an argument.

    wanted: how many of a line are given. into: what is assigned where an element's order is known,
    or none, to leave sorted keys and orders in spare memory.
    """

    def __init__(self, site: Site, axis: int, descending: bool, into: int | None) -> None:
        self.site = site
        self.axis = axis
        self.block: Block = site.args[0]
        self.size = self.block.shape[axis]
        self.lines = lines_of(self.block, axis)
        self._descending = descending
        self._into = into
        self._half = 0  # of the spare memory, that holds what is sorted so far

    @property
    def keys(self) -> str:
        """Where the sorted keys are."""
        return f"spare{2 * self._half}"

    @property
    def orders(self) -> str:
        """Where the places of sorted elements are."""
        return f"spare{2 * self._half + 1}"

    def steps(self) -> list[Step]:
        """Return the functions."""
        if self.lines * self.size == 0:
            return []
        if self.size <= COUNTED:
            return [self._counting()]
        runs = _runs(self.size)
        found = [self._tiles(last=len(runs) == 0)]
        for run in runs:
            found.append(self._merging(run, last=run == runs[-1]))
        return found

    def _element(self, at: str) -> str:
        value = self.site.value(0, along("line", self.block, self.axis, at))
        return _key(self.site, value, self.block.dtype, self._descending)

    def _give(self, half: int, last: bool) -> str:
        """Return the statement that hands on an order and a key, at its place of a line."""
        if not last or self._into is None:
            at = f"line * {self.size} + place"
            return f"spare{2 * half}[{at}], spare{2 * half + 1}[{at}] = key, order"
        target = self.site.element(-1, along("line", self.site.result, self.axis, "place"))
        if self._into == self.size:
            return f"{target} = order"
        return f"if place < {self._into}: {target} = order"

    def _counting(self) -> Step:
        total = self.lines * self.size
        text = _COUNT.format(
            total=total,
            size=self.size,
            own=self._element("at"),
            key=self._element("other"),
            give=self._give(0, last=True),
        )
        return Step(text, total)

    def _tiles(self, last: bool) -> Step:
        tile = min(1 << (self.size - 1).bit_length(), TILE)
        tiles, threads = -(-self.size // tile), min(SORTERS, tile // 2)
        text = _SORT.format(
            tile=tile,
            tiles=tiles,
            size=self.size,
            threads=threads,
            pairs=tile // 2,
            key=self._element("at"),
            last=(1 << 63) - 1,
            give=self._give(0, last),
        )
        return Step(text, self.lines * tiles * threads, threads)

    def _merging(self, run: int, last: bool) -> Step:
        total = self.lines * self.size
        text = _MERGE.format(
            total=total,
            size=self.size,
            run=run,
            both=2 * run,
            keys=self.keys,
            orders=self.orders,
            give=self._give(1 - self._half, last),
        )
        self._half = 1 - self._half
        return Step(text, total)


def _runs(size: int) -> list[int]:
    """Return the lengths of the runs that are merged, pass by pass."""
    found: list[int] = []
    run = TILE
    while run < size:
        found.append(run)
        run *= 2
    return found


def _argsort(site: Site) -> list[Step]:
    axis, size = site.params["axis"], site.args[0].shape[site.params["axis"]]
    return _Sorting(site, axis, site.params["descending"], size).steps()


def _topk(site: Site) -> list[Step]:
    count = site.params["count"]
    return _Sorting(site, site.params["axis"], site.params["largest"], count).steps()


def _kth(site: Site) -> list[Step]:
    """The first element that equals the one at a place of a sorted line."""
    return _of_sorted(site, _KTH, None)


def _mode(site: Site) -> list[Step]:
    """The last of the elements that are there most often, the smallest of several such.

    A block looks at a sorted line: a thread finds where a run of equal ones begins from its end.
    """
    size = site.args[0].shape[site.params["axis"]]
    return _of_sorted(site, _MODE, min(FINDERS, max(WARP, 1 << (size - 1).bit_length())))


def _of_sorted(site: Site, template: str, threads: int | None) -> list[Step]:
    """Return the functions that sort, and one that looks at sorted lines.

    threads: of the block of a line; None for one thread a line.
    """
    sorting = _Sorting(site, site.params["axis"], False, None)
    steps = sorting.steps()
    text = template.format(
        lines=sorting.lines,
        size=sorting.size,
        threads=threads,
        keys=sorting.keys,
        orders=sorting.orders,
        place=site.params.get("place"),
        target=site.element(-1, unflattened("line", site.result.shape)),
    )
    if threads is None:
        return [*steps, Step(text, sorting.lines)]
    return [*steps, Step(text, sorting.lines * threads, threads)]


def _searchsorted(site: Site) -> list[Step]:
    line, values = site.args
    parts = unflattened("number", values.shape)
    rows = parts[:-1] if len(line.shape) > 1 else []
    text = _SEARCH.format(
        total=prod(values.shape),
        size=line.shape[-1],
        wanted=_key(site, site.value(1, parts), values.dtype),
        key=_key(site, site.value(0, [*rows, "half"]), line.dtype),
        sign="<=" if site.params["right"] else "<",
        target=site.element(-1, parts),
    )
    return [Step(text, prod(values.shape))]


def _spare_of_merges(call: HostCall) -> list[tuple[DType, int]]:
    """Keys and orders of what is sorted in parts, twice: passes read one and write the other."""
    size = _line(call)
    return _spare(call, min(2, len(_runs(size))) if size > COUNTED else 0)


def _spare_of_sorted(call: HostCall) -> list[tuple[DType, int]]:
    """The same, and of what is sorted at last."""
    size = _line(call)
    return _spare(call, 2 if size > COUNTED and _runs(size) else 1)


def _line(call: HostCall) -> int:
    """Return the elements of a line."""
    params: dict[str, Any] = dict(call.params)
    size: int = call.args[0].shape[params["axis"]]
    return size


def _spare(call: HostCall, halves: int) -> list[tuple[DType, int]]:
    return [(int64, prod(call.args[0].shape))] * (2 * halves)


SORTS = {
    "argsort": Native(("x",), _argsort, _spare_of_merges),
    "topk": Native(("x",), _topk, _spare_of_merges),
    "kth": Native(("x",), _kth, _spare_of_sorted),
    "mode": Native(("x",), _mode, _spare_of_sorted),
    "searchsorted": Native(("line_of_values", "wanted"), _searchsorted),
}
