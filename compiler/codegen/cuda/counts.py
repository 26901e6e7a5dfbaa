"""Histograms, values combined at looked-up places, and what is known of numbers bit by bit."""

from __future__ import annotations

from functools import partial
from math import prod

from jitnet.compiler.ir.host import HostCall
from jitnet.runtime.dtype import DType, float64

from .calls import Native, Site, Step, unflattened
from .types import to_memory

_EACH = """
number = cuda.grid(1)
if number < {total}:
    {target} = {value}
"""

_GREATEST = """
number = cuda.grid(1)
if number < {total}:
    a, b = abs(int64({a})), abs(int64({b}))
    product = a * b
    while b != 0:
        a, b = b, a % b
    {target} = {dtype}({result})
"""

_EXPONENT = """
number = cuda.grid(1)
if number < {total}:
    value = {value}
    {target} = int32({frexp}(value)[1]) if math.isfinite(value) else int32(0)
"""

_LIMITS = """
thread = cuda.threadIdx.x
lows = cuda.shared.array({threads}, float64)
highs = cuda.shared.array({threads}, float64)
low, high = math.inf, -math.inf
for number in range(thread, {total}, {threads}):
    value = float64({value})
    low, high = min(low, value), max(high, value)
lows[thread], highs[thread] = low, high
cuda.syncthreads()
if thread == 0:
    low, high = {low}, {high}
    if low == 0 and high == 0 and {total} > 0:
        low, high = math.inf, -math.inf
        for other in range({threads}):
            low, high = min(low, lows[other]), max(high, highs[other])
    spare0[0], spare0[1] = low, high
"""

_COUNT = """
thread, bin = cuda.threadIdx.x, cuda.blockIdx.x
counts = cuda.shared.array({threads}, int64)
low, high = spare0[0], spare0[1]
inside_low, inside_high = {dtype}(low), {dtype}(high)
if low == high:
    low, high = low - 0.5, high + 0.5
step = (high - low) / {bins}
first, last = {dtype}(low + bin * step), {dtype}(low + (bin + 1) * step)
found = 0
for number in range(thread, {total}, {threads}):
    value = {value}
    after = bin == 0 or value >= first
    before = bin == {bins} - 1 or value < last
    found += inside_low <= value <= inside_high and after and before
counts[thread] = found
cuda.syncthreads()
if thread == 0:
    for other in range(1, {threads}):
        found += counts[other]
    {target} = {dtype}(found)
"""

_COMBINED = """
number = cuda.grid(1)
if number < {total}:
    for looked in range({looked}):
        value = {value}
        {target} = {combined}
"""


def _each(site: Site, function: str) -> list[Step]:
    """A function of libdevice, of elements."""
    dtype = site.result.dtype
    name = function + ("f" if dtype.size == 4 else "")
    site.use((name,))
    parts = unflattened("number", site.result.shape)
    value = f"{name}({', '.join(site.value(each, parts) for each in range(len(site.args)))})"
    total = prod(site.result.shape)
    return [Step(_EACH.format(total=total, target=site.element(-1, parts), value=value), total)]


def _greatest(site: Site, multiple: bool) -> list[Step]:
    """Euclid's algorithm: the greatest common divisor, or the least common multiple by it."""
    parts, total = unflattened("number", site.result.shape), prod(site.result.shape)
    text = _GREATEST.format(
        total=total,
        a=site.value(0, parts),
        b=site.value(1, parts),
        target=site.element(-1, parts),
        dtype=site.result.dtype.name,
        result="product // a if a != 0 else 0" if multiple else "a",
    )
    return [Step(text, total)]


def _exponent(site: Site) -> list[Step]:
    frexp = "frexpf" if site.args[0].dtype.size == 4 else "frexp"
    site.use((frexp,))
    parts, total = unflattened("number", site.result.shape), prod(site.result.shape)
    text = _EXPONENT.format(
        total=total, value=site.value(0, parts), target=site.element(-1, parts), frexp=frexp
    )
    return [Step(text, total)]


def _histogram(site: Site) -> list[Step]:
    """Find the limits; then a block for each bin counts what lies between its edges."""
    x, bins = site.args[0], site.params["bins"]
    total, threads = prod(x.shape), 256
    value = site.value(0, unflattened("number", x.shape))
    low, high = (float(site.params[name]) for name in ("low", "high"))
    dtype = x.dtype.name
    params = {"bins": bins, "threads": threads, "total": total, "value": value, "dtype": dtype}
    limits = _LIMITS.format(**params, low=low, high=high)
    count = _COUNT.format(**params, target=site.element(-1, ["bin"]))
    return [Step(limits, threads, threads), Step(count, bins * threads, threads)]


def _spare_of_histogram(call: HostCall) -> list[tuple[DType, int]]:
    """Both limits."""
    return [(float64, 2)]


_COMBINE = {"prod": "mul", "amax": "max", "amin": "min"}


def _combine(site: Site) -> list[Step]:
    """A copy; then a thread for each place of a row, which takes what is put there in order."""
    axis, function = site.params["axis"], _COMBINE[site.params["reduce"]]
    x, index = site.args[:2]
    dtype = x.dtype
    parts = unflattened("number", x.shape)
    copied = _EACH.format(
        total=prod(x.shape), target=site.element(-1, parts), value=site.element(0, parts)
    )
    rest = [*x.shape[:axis], *x.shape[axis + 1 :]]
    outer = unflattened("number", rest)
    looked = unflattened("looked", index.shape)
    at = [*outer[:axis], f"int64({site.element(1, looked)})", *outer[axis:]]
    target = site.element(-1, at)
    combined = site.combined(function, target, "value", dtype)
    text = _COMBINED.format(
        total=prod(rest),
        looked=prod(index.shape),
        value=site.value(2, [*outer[:axis], *looked, *outer[axis:]]),
        target=target,
        combined=to_memory(combined, dtype),
    )
    return [Step(copied, prod(x.shape)), Step(text, prod(rest))]


COUNTS = {
    "nextafter": Native(("a", "b"), partial(_each, function="nextafter")),
    "gcd": Native(("a", "b"), partial(_greatest, multiple=False)),
    "lcm": Native(("a", "b"), partial(_greatest, multiple=True)),
    "exponent": Native(("x",), _exponent),
    "histogram": Native(("x",), _histogram, _spare_of_histogram),
    "combine": Native(("x", "index", "put"), _combine),
}
