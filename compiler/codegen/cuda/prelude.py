"""Functions that kernels call: written into a program's source where one is called.

All are put in where they are called (`inline="always"`), so numba-cuda needs no device to compile
them for. They run in Numba's simulator as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_JIT = '@cuda.jit(device=True, inline="always")\n'

_FLOAT = {
    "sigmoid": '''
def sigmoid_{t}(x):
    """1 / (1 + e^-x) by e^-|x|, which cannot overflow."""
    e = exp{f}(-fabs{f}(x))
    return ({t}(1) if x >= 0 else e) / ({t}(1) + e)
''',
    "rem": '''
def rem_{t}(a, b):
    """The remainder with the sign of the divisor."""
    rest = fmod{f}(a, b)
    return rest + b if rest != 0 and (rest < 0) != (b < 0) else rest
''',
    "floordiv": '''
def floordiv_{t}(a, b):
    """a / b rounded down, consistent with rem; a / b for b = 0."""
    rest = fmod{f}(a, b)
    exact = (a - rest) / b
    if rest != 0 and (rest < 0) != (b < 0):
        exact = exact - {t}(1)
    down = floor{f}(exact)
    if exact - down > {t}(0.5):
        down = down + {t}(1)
    if exact == 0:
        down = copysign{f}({t}(0), a / b)
    return a / b if b == 0 else down
''',
    "to_int32": '''
def to_int32_{t}(x):
    """x towards zero; the least integer where there is none such."""
    return int64(x) if fabs{f}(x) < {t}(2147483648) else -2147483648
''',
    "to_int64": '''
def to_int64_{t}(x):
    """x towards zero; the least integer where there is none such."""
    return int64(x) if fabs{f}(x) < {t}(9223372036854775808) else -9223372036854775808
''',
    "to_uint64": '''
def to_uint64_{t}(x):
    """x towards zero; 0 for what is too large, 2^63 where there is else none such."""
    half = {t}(9223372036854775808)
    if x >= half:
        return uint64(to_int64_{t}(x - half)) ^ uint64(9223372036854775808)
    return uint64(to_int64_{t}(x))
''',
    "random_normal": '''
def random_normal_{t}(index, seed, call):
    """A normal number (Box and Muller): sqrt(-2 ln u) cos(2 pi v)."""
    word = random_word(index, seed, call, uint64(0)) >> uint64({unused})
    second = random_word(index, seed, call, uint64(0x80000000)) >> uint64({unused})
    u = ({t}(word) + {t}(1)) * {t}(2.0**-{bits})
    v = {t}(second) * {t}(2.0**-{bits})
    return sqrt{f}({t}(-2) * log{f}(u)) * cos{f}({t}(2 * math.pi) * v)
''',
}

_PLAIN = {
    "maximum": '''
def maximum(a, b):
    """The larger one; NaN if there is one."""
    return a if a > b or a != a else b
''',
    "minimum": '''
def minimum(a, b):
    """The smaller one; NaN if there is one."""
    return a if a < b or a != a else b
''',
    "floordiv_int": '''
def floordiv_int(a, b):
    """a / b towards minus infinity; 0 for b = 0."""
    return a // (b if b != 0 else b + 1) if b != 0 else b
''',
    "rem_int": '''
def rem_int(a, b):
    """The remainder with the sign of the divisor; 0 for b = 0."""
    return a % (b if b != 0 else b + 1) if b != 0 else b
''',
    "fmod_int": '''
def fmod_int(a, b):
    """The remainder with the sign of the dividend; 0 for b = 0."""
    rest = rem_int(a, b)
    return rest - b if rest != 0 and (a < 0) != (b < 0) else rest
''',
    "floordiv_uint": '''
def floordiv_uint(a, b):
    """a / b rounded down; 0 for b = 0."""
    return a // b if b != uint64(0) else uint64(0)
''',
    "rem_uint": '''
def rem_uint(a, b):
    """The remainder; 0 for b = 0."""
    return a % b if b != uint64(0) else uint64(0)
''',
    "power_unsigned": '''
def power_unsigned(a, n):
    """a^n modulo 2^64."""
    result = uint64(1)
    while n > uint64(0):
        if n & uint64(1):
            result = result * a
        a = a * a
        n = n >> uint64(1)
    return result
''',
    "power": '''
def power(a, n):
    """a^n modulo 2^64; for n < 0 what is left of 1 / a^-n."""
    if n < 0:
        unit = a == 1 or a == -1
        return (a if n % 2 else a * a) if unit else a * 0
    result = a * 0 + 1
    while n > 0:
        if n % 2:
            result = result * a
        a = a * a
        n = n // 2
    return result
''',
    "shift_left": '''
def shift_left(a, count, bits):
    """a times 2^count; all bits leave where there are fewer than count, or count < 0."""
    return a << count if count >= 0 and count < bits else a * 0
''',
    "shift_right": '''
def shift_right(a, count, bits):
    """a / 2^count towards minus infinity."""
    return a >> (count if count >= 0 and count < bits else bits - 1)
''',
    "shift_left_unsigned": '''
def shift_left_unsigned(a, count, bits):
    """a times 2^count; all bits leave where there are fewer than count."""
    return a << count if count < bits else uint64(0)
''',
    "shift_right_unsigned": '''
def shift_right_unsigned(a, count, bits):
    """a / 2^count rounded down."""
    return a >> count if count < bits else uint64(0)
''',
    "from_bfloat16": '''
def from_bfloat16(bits):
    """The float32 that a bfloat16's bits stand for."""
    return int_as_float(int32(uint32(bits) << uint32(16)))
''',
    "to_bfloat16": '''
def to_bfloat16(x):
    """The bits of the nearest bfloat16, halves to even; of NaN, a quiet one."""
    bits = uint32(float_as_int(x))
    up = bits + uint32(0x7FFF) + ((bits >> uint32(16)) & uint32(1))
    return uint16((up if x == x else bits | uint32(0x400000)) >> uint32(16))
''',
    "nearest_bfloat16": '''
def nearest_bfloat16(x):
    """The float32 next to x that a bfloat16 can hold."""
    return from_bfloat16(to_bfloat16(x))
''',
    "nearest_float16": '''
def nearest_float16(x):
    """The float32 next to x that a float16 can hold."""
    return float32(float16(x))
''',
    "order_key_float32": '''
def order_key_float32(x):
    """A whole number in the order of the numbers: both zeros the same, NaN last."""
    bits = float_as_int(x + float32(0))
    return int64(bits ^ ((bits >> int32(31)) & int32(0x7FFFFFFF)) if x == x else int32(0x7FFFFFFF))
''',
    "order_key_float64": '''
def order_key_float64(x):
    """A whole number in the order of the numbers: both zeros the same, NaN last."""
    bits = double_as_longlong(x + 0.0)
    return bits ^ ((bits >> 63) & 0x7FFFFFFFFFFFFFFF) if x == x else 0x7FFFFFFFFFFFFFFF
''',
    "order_key_uint64": '''
def order_key_uint64(x):
    """A whole number with a sign, in the order of the numbers."""
    return int64(x ^ uint64(0x8000000000000000))
''',
    "random_word": '''
def random_word(index, seed, call, second):
    """Element index's word of a call: Philox4x32-10, see docs/architecture.md."""
    low, half = uint64(0xFFFFFFFF), uint64(32)
    place = uint64(index)
    block = ((place >> uint64(5)) << uint64(3)) | (place & uint64(7))
    c0, c1 = block & low, block >> half
    c2, c3 = uint64(call) & low, (uint64(call) >> half) | second
    k0, k1 = uint64(seed) & low, uint64(seed) >> half
    for _ in range(10):
        a, b = uint64(0xD2511F53) * c0, uint64(0xCD9E8D57) * c2
        c0, c1 = (b >> half) ^ c1 ^ k0, b & low
        c2, c3 = (a >> half) ^ c3 ^ k1, a & low
        k0, k1 = (k0 + uint64(0x9E3779B9)) & low, (k1 + uint64(0xBB67AE85)) & low
    word = (place >> uint64(3)) & uint64(3)
    first = c1 if word == uint64(1) else c0
    last = c3 if word == uint64(3) else c2
    return first if word < uint64(2) else last
''',
    "random_bits": '''
def random_bits(index, seed, call):
    """The word."""
    return int64(random_word(index, seed, call, uint64(0)))
''',
    "random_uniform_float32": '''
def random_uniform_float32(index, seed, call):
    """A number in [0, 1), a multiple of 2^-24."""
    word = random_word(index, seed, call, uint64(0))
    return float32(word >> uint64(8)) * float32(2.0**-24)
''',
    "random_uniform_float64": '''
def random_uniform_float64(index, seed, call):
    """A number in [0, 1), a multiple of 2^-53."""
    word = random_word(index, seed, call, uint64(0))
    second = random_word(index, seed, call, uint64(0x80000000))
    return float64((word << uint64(21)) + (second >> uint64(11))) * 2.0**-53
''',
}


def _functions() -> dict[str, str]:
    """Return every function's source by its name."""
    functions = dict(_PLAIN)
    for name, text in _FLOAT.items():
        for number, suffix, bits in (("float32", "f", 24), ("float64", "", 32)):
            source = text.format(t=number, f=suffix, bits=bits, unused=32 - bits)
            functions[f"{name}_{number}"] = source
    return functions


FUNCTIONS = _functions()
_WORD = re.compile(r"\b\w+\b")
_LIBDEVICE = re.compile(
    r"\b((?:exp|fabs|fmod|floor|copysign|sqrt|log|cos)f?"
    r"|int_as_float|float_as_int|double_as_longlong|longlong_as_double|frexpf?|nextafterf?)\("
)


def needed(names: Iterable[str]) -> list[str]:
    """Return the functions that these need, themselves too, each after what it calls."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found:
            return
        for word in _WORD.findall(FUNCTIONS[name]):
            if word in FUNCTIONS and word != name:
                visit(word)
        found[name] = None

    for name in names:
        visit(name)
    return list(found)


def device_function(text: str) -> str:
    """Return a function's source as one that kernels call."""
    return _JIT + text.strip() + "\n"


def libdevice_of(name: str) -> list[str]:
    """Return the functions of libdevice that one calls."""
    return _LIBDEVICE.findall(FUNCTIONS[name])
