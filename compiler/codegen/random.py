"""The random ops as IR: what docs/architecture.md says each element of a call is."""

from __future__ import annotations

from jitnet.runtime.dtype import DType

from .emitter import F32, I64, Function, Value
from .math import normal, random_words, uniform32, uniform64


def emit_random(
    f: Function, fn: str, index: Value, seed: Value, call: Value, dtype: DType
) -> Value:
    """Return elements number `index` (i64, a vector or a scalar) of a random call."""
    word = random_words(f, index, seed, call)
    if fn == "random_bits":
        return f.convert("trunc", f.convert("zext", word, I64), dtype.llvm)
    if fn == "random_uniform" and dtype.llvm == F32:
        return uniform32(f, word)
    second = random_words(f, index, seed, call, second=True)
    if fn == "random_uniform":
        return uniform64(f, word, second)
    assert fn == "random_normal", fn
    return normal(f, word, second, dtype.llvm)
