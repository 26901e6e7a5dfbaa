"""Instructions of GPUs that Numba has no name for: 16 bytes at a time, products on tensor cores.

CUDA source imports them by name; nothing of jitnet does, so numba is imported only where that
source is compiled. Each is put in as LLVM IR, or as PTX, where it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types as numba_types
from numba.cuda import extending

types: Any = numba_types  # neither has type hints
intrinsic: Callable[[Callable[..., Any]], Any] = extending.intrinsic

_WORD = ir.IntType(32)
_FLOAT = ir.FloatType()
_SHARED = 3  # LLVM's number for the memory of a block
_WIDE = 16  # bytes that one instruction loads or stores at most


# -- memory -----------------------------------------------------------------------------------


def _part(builder: Any, pointer: Any, index: Any, element: Any) -> Any:
    """Return the address of an element, as one of elements of another type."""
    return builder.bitcast(builder.gep(pointer, [index]), element.as_pointer())


def _aligned(builder: Any, pointer: Any) -> Any:
    """Whether an address is one that wide instructions may use."""
    address = builder.ptrtoint(pointer, ir.IntType(64))
    rest = builder.and_(address, ir.Constant(address.type, _WIDE - 1))
    return builder.icmp_unsigned("==", rest, ir.Constant(address.type, 0))


def _choose(builder: Any, conditions: Sequence[Any], ways: Sequence[Any]) -> list[Any]:
    """Return the values of the first way whose condition holds, else of the last way."""
    function = builder.function
    end = function.append_basic_block("end")
    found: list[tuple[list[Any], Any]] = []
    for condition, way in zip([*conditions, None], ways, strict=True):
        here = function.append_basic_block("way")
        if condition is None:
            builder.branch(here)
        else:
            other = function.append_basic_block("other")
            builder.cbranch(condition, here, other)
        builder.position_at_end(here)
        found.append((way(), builder.block))
        builder.branch(end)
        if condition is not None:
            builder.position_at_end(other)
    builder.position_at_end(end)
    results = []
    for number, first in enumerate(found[0][0]):
        phi = builder.phi(first.type)
        for values, block in found:
            phi.add_incoming(values[number], block)
        results.append(phi)
    return results


def _load4(builder: Any, args: Sequence[Any], element: Any, each: int) -> list[Any]:
    """Return four elements of 32 bits from an address: 0 unless wanted, one by one if need be.

    each: elements of the pointer's own type in one of these.
    """
    pointer, index, wanted = args
    start = _part(builder, pointer, index, element)

    def wide() -> list[Any]:
        vector = ir.VectorType(element, 4)
        value = builder.load(builder.bitcast(start, vector.as_pointer()))
        value.align = _WIDE
        return [builder.extract_element(value, _WORD(lane)) for lane in range(4)]

    def single() -> list[Any]:
        values = [builder.load(builder.gep(start, [_WORD(lane)])) for lane in range(4)]
        for value in values:
            value.align = 4 // each
        return values

    def nothing() -> list[Any]:
        return [ir.Constant(element, 0)] * 4

    unwanted = builder.not_(wanted)
    return _choose(builder, [unwanted, _aligned(builder, start)], [nothing, wide, single])


@intrinsic
def load4(typing: Any, pointer: Any, index: Any, wanted: Any) -> Any:
    """Return four floats, side by side in memory; zeros unless wanted."""
    result = types.UniTuple(types.float32, 4)

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = _load4(builder, args, _FLOAT, 1)
        return context.make_tuple(builder, signature.return_type, values)

    return result(pointer, types.int64, types.boolean), write


@intrinsic
def load8(typing: Any, pointer: Any, index: Any, wanted: Any) -> Any:
    """Return eight elements of 16 bits, two in a word, side by side; zeros unless wanted."""
    result = types.UniTuple(types.uint32, 4)

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = _load4(builder, args, _WORD, 2)
        return context.make_tuple(builder, signature.return_type, values)

    return result(pointer, types.int64, types.boolean), write


@intrinsic
def copy8(typing: Any, tiles: Any, at: Any, pointer: Any, index: Any, wanted: Any) -> Any:
    """Let eight elements of 16 bits come into a block's memory, by sm_80's asynchronous copy.

    They are there after `wait_copies`; zeros unless wanted.
    """

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        target, start = builder.gep(array.data, [args[1]]), _part(builder, args[2], args[3], _WORD)
        _copy_words(builder, target, start, args[4])
        return context.get_dummy_value()

    return types.void(tiles, types.int64, pointer, types.int64, types.boolean), write


def _copy_words(builder: Any, target: Any, start: Any, wanted: Any) -> None:
    """Copy four words to shared memory: at once and later, or one by one if need be."""

    def later() -> list[Any]:
        shared = builder.addrspacecast(target, _WORD.as_pointer(_SHARED))
        kind = ir.FunctionType(ir.VoidType(), [_WORD, start.type])
        text = "cp.async.cg.shared.global [$0], [$1], 16;"
        code = ir.InlineAsm(kind, text, "r,l,~{memory}", side_effect=True)
        builder.call(code, [builder.ptrtoint(shared, _WORD), start])
        return []

    def single() -> list[Any]:
        for lane in range(4):
            value = builder.load(builder.gep(start, [_WORD(lane)]))
            value.align = 2
            builder.store(value, builder.gep(target, [_WORD(lane)]))
        return []

    def nothing() -> list[Any]:
        for lane in range(4):
            builder.store(_WORD(0), builder.gep(target, [_WORD(lane)]))
        return []

    unwanted = builder.not_(wanted)
    _choose(builder, [unwanted, _aligned(builder, start)], [nothing, later, single])


@intrinsic
def wait_copies(typing: Any) -> Any:
    """Wait until this thread's copies are in the block's memory."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [])
        builder.call(ir.InlineAsm(kind, "cp.async.wait_all;", "~{memory}", side_effect=True), [])
        return context.get_dummy_value()

    return types.void(), write


@intrinsic
def load_bits(typing: Any, pointer: Any, index: Any) -> Any:
    """Return the 16 bits of an element, as the low half of a word."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        half = ir.IntType(16)
        return builder.zext(builder.load(_part(builder, args[0], args[1], half)), _WORD)

    return types.uint32(pointer, types.int64), write


@intrinsic
def store4(typing: Any, pointer: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Store four floats side by side."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = _part(builder, args[0], args[1], _FLOAT)
        with builder.if_else(_aligned(builder, start)) as (wide, single):
            with wide:
                vector = ir.VectorType(_FLOAT, 4)
                value = ir.Constant(vector, ir.Undefined)
                for lane in range(4):
                    value = builder.insert_element(value, args[2 + lane], _WORD(lane))
                builder.store(value, builder.bitcast(start, vector.as_pointer()), align=_WIDE)
            with single:
                for lane in range(4):
                    builder.store(args[2 + lane], builder.gep(start, [_WORD(lane)]), align=4)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, *[types.float32] * 4), write


# -- words of two halves ----------------------------------------------------------------------


@intrinsic
def low_halves(typing: Any, a: Any, b: Any) -> Any:
    """Return the word of a's low half and, above it, b's low half."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        low = builder.and_(args[0], _WORD(0xFFFF))
        return builder.or_(low, builder.shl(args[1], _WORD(16)))

    return types.uint32(types.uint32, types.uint32), write


@intrinsic
def high_halves(typing: Any, a: Any, b: Any) -> Any:
    """Return the word of a's high half and, above it, b's high half."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        high = builder.and_(args[1], _WORD(0xFFFF0000))
        return builder.or_(builder.lshr(args[0], _WORD(16)), high)

    return types.uint32(types.uint32, types.uint32), write


@intrinsic
def to_tf32(typing: Any, x: Any) -> Any:
    """Return the bits of the nearest number that tensor cores take for a float32."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_WORD, [_FLOAT])
        code = ir.InlineAsm(kind, "cvt.rna.tf32.f32 $0, $1;", "=r,f", side_effect=False)
        return builder.call(code, args)

    return types.uint32(types.float32), write


# -- tensor cores -----------------------------------------------------------------------------


def _multiply(shape: str, name: str, args: Sequence[Any], context: Any, builder: Any) -> Any:
    """Return the four sums that a thread of a warp has after a product of small matrices."""
    kind = ir.FunctionType(ir.LiteralStructType([_FLOAT] * 4), [_WORD] * 6 + [_FLOAT] * 4)
    text = (
        f"mma.sync.aligned.{shape}.row.col.f32.{name}.{name}.f32 "
        "{$0,$1,$2,$3}, {$4,$5,$6,$7}, {$8,$9}, {$10,$11,$12,$13};"
    )
    code = ir.InlineAsm(kind, text, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f", side_effect=True)
    # Convergent: LLVM must not copy it into the ways of a branch, where a part of the warp is.
    found = builder.call(code, args, attrs=("convergent",))
    values = [builder.extract_value(found, number) for number in range(4)]
    return context.make_tuple(builder, types.UniTuple(types.float32, 4), values)


def _mma(shape: str, name: str) -> Any:
    """Return a function of six words and four sums, those of this thread of a warp."""
    result = types.UniTuple(types.float32, 4)
    signature = result(*[types.uint32] * 6, *[types.float32] * 4)

    # Numba wants each argument by its name.
    def mma(
        typing: Any, a0: Any, a1: Any, a2: Any, a3: Any, b0: Any, b1: Any,
        c0: Any, c1: Any, c2: Any, c3: Any,
    ) -> Any:  # fmt: skip
        def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _multiply(shape, name, args, context, builder)

        return signature, write

    return intrinsic(mma)


# c + a @ b, which a warp computes together: of 16 x 16 and 16 x 8 elements, two in a word ...
mma_bfloat16 = _mma("m16n8k16", "bf16")
mma_float16 = _mma("m16n8k16", "f16")
# ... and of 16 x 8 and 8 x 8 elements, one in a word.
mma_tf32 = _mma("m16n8k8", "tf32")
