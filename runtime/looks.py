"""Instructions that look at a call's arguments: is it one that the routine is for?

None of them changes anything, so after a miss the call can go another way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.typing import NDArray

from .holders import Holder
from .instruction import ABSENT, Call, Instruction, Place

# -- which object is looked at ------------------------------------------------------------------


class Argument(Instruction):
    """The current object is this argument from now on."""

    position: int
    ir = """
  %argument_at = getelementptr ptr, ptr %arguments, i64 %position
  %argument = load ptr, ptr %argument_at
  store ptr %argument, ptr %call
  br label %go
"""

    def do(self, call: Call) -> bool:
        call.current = call.arguments[self.position]
        return True


class Object(Instruction):
    """The current object is this one from now on."""

    value: Any
    ir = """
  store ptr %value, ptr %call
  br label %go
"""

    def do(self, call: Call) -> bool:
        call.current = self.value
        return True


class Slot(Instruction):
    """The current object is what the one before keeps in a slot."""

    slot: Place
    ir = """
  %slot_at = getelementptr i8, ptr %current, i64 %slot
  %found = load ptr, ptr %slot_at
  store ptr %found, ptr %call
  %empty = icmp eq ptr %found, null
  br i1 %empty, label %miss, label %go
"""

    def do(self, call: Call) -> bool:
        call.current = getattr(call.current, self.slot.name, ABSENT)
        return call.current is not ABSENT


class Base(Instruction):
    """The current object is the holder whose memory the one before shows, itself or another."""

    holder: Holder
    ir = """
  %base = call ptr @role_of(ptr %current, ptr %holder, i64 $BASE)
  %none = icmp eq ptr %base, @jitnet_none
  %memory = select i1 %none, ptr %current, ptr %base
  store ptr %memory, ptr %call
  br label %go
"""

    def do(self, call: Call) -> bool:
        base = self.holder.get(call.current, "base")
        call.current = call.current if base is None else base
        return True


# -- what it must be ----------------------------------------------------------------------------


class Arguments(Instruction):
    """There are so many arguments."""

    count: int
    ir = """
  %right = icmp eq i64 %given, %count
  br i1 %right, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        return len(call.arguments) == self.count


class Is(Instruction):
    """The current object is this very one."""

    expected: Any
    ir = """
  %same = icmp eq ptr %current, %expected
  br i1 %same, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        return call.current is self.expected


class IsOf(Instruction):
    """The current object is of exactly this type."""

    kind: type
    ir = """
  %type_at = getelementptr i8, ptr %current, i64 $TYPE
  %type = load ptr, ptr %type_at
  %same = icmp eq ptr %type, %kind
  br i1 %same, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        return type(call.current) is self.kind


class Keeps(Instruction):
    """The current object keeps this very one in a slot."""

    slot: Place
    expected: Any
    ir = """
  %slot_at = getelementptr i8, ptr %current, i64 %slot
  %found = load ptr, ptr %slot_at
  %same = icmp eq ptr %found, %expected
  br i1 %same, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        return getattr(call.current, self.slot.name) is self.expected


class KeepsOther(Instruction):
    """The current object keeps any other than this in a slot."""

    slot: Place
    unexpected: Any
    ir = """
  %slot_at = getelementptr i8, ptr %current, i64 %slot
  %found = load ptr, ptr %slot_at
  %same = icmp eq ptr %found, %unexpected
  br i1 %same, label %miss, label %go
"""

    def do(self, call: Call) -> bool:
        return getattr(call.current, self.slot.name) is not self.unexpected


class Equals(Instruction):
    """The current object is of this one's type and equal to it; for types without surprises."""

    expected: Any
    ir = """
  %same = icmp eq ptr %current, %expected
  br i1 %same, label %go, label %look
look:
  %type_at = getelementptr i8, ptr %current, i64 $TYPE
  %type = load ptr, ptr %type_at
  %wanted_at = getelementptr i8, ptr %expected, i64 $TYPE
  %wanted = load ptr, ptr %wanted_at
  %alike = icmp eq ptr %type, %wanted
  br i1 %alike, label %compare, label %miss
compare:
  %equal = call i32 @PyObject_RichCompareBool(ptr %current, ptr %expected, i32 2)
  switch i32 %equal, label %fail [
    i32 0, label %miss
    i32 1, label %go
  ]
"""

    def do(self, call: Call) -> bool:
        return type(call.current) is type(self.expected) and call.current == self.expected


class Passes(Instruction):
    """A function of Python's says yes to the current object."""

    predicate: Callable[[Any], bool]
    ir = """
  %answer = call ptr @PyObject_CallOneArg(ptr %predicate, ptr %current)
  %code = call i64 @verdict(ptr %answer)
  ret i64 %code
"""

    def do(self, call: Call) -> bool:
        return self.predicate(call.current)


class IsArray(Instruction):
    """The current object is exactly an ndarray of this layout; the bytes of dtype by identity."""

    dtype: np.dtype[Any]
    rank: int
    sizes: NDArray[np.int64]  # shape, then strides
    writeable: int
    ir = """
  %fits = call i1 @is_array(
      ptr %current, ptr %dtype, i64 %rank, ptr %sizes, i64 %writeable)
  br i1 %fits, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        return self.fits(call.current)

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """The operands, for an instruction that looks at an array among other things."""
        return np.array(self.words(), np.int64)

    def fits(self, array: Any) -> bool:
        """Whether an object is an array of this layout."""
        return (
            type(array) is np.ndarray
            and array.dtype is self.dtype
            and (*array.shape, *array.strides) == tuple(self.sizes)
            and array.flags.writeable == self.writeable
        )


class Settled(Instruction):
    """The current holder's history is that of its origin now, if it follows one."""

    holder: Holder
    ir = """
  %origin = call ptr @role_of(ptr %current, ptr %holder, i64 $ORIGIN)
  %none = icmp eq ptr %origin, @jitnet_none
  br i1 %none, label %go, label %compare
compare:
  %history = call ptr @role_of(ptr %origin, ptr %holder, i64 $HISTORY)
  %known = call ptr @role_of(ptr %current, ptr %holder, i64 $ORIGIN_HISTORY)
  %same = icmp eq ptr %history, %known
  br i1 %same, label %go, label %miss
"""

    def do(self, call: Call) -> bool:
        get, current = self.holder.get, call.current
        origin = get(current, "origin")
        return origin is None or get(origin, "history") is get(current, "origin_history")


class Apart(Instruction):
    """The current holder shows memory of its own: none that is held, and no earlier argument's.

    Views of one base that lie apart are memories of their own, if the base wants no gradient. The
    holder's array is known to have the rank and the bytes of an element that are given.
    """

    holder: Holder
    number: int  # of arguments that were looked at before
    held: NDArray[np.int64]  # addresses of holders
    count: int
    rank: int
    bytes: int
    ir = """
  %base = call ptr @role_of(ptr %current, ptr %holder, i64 $BASE)
  %is_base = icmp eq ptr %base, @jitnet_none
  %memory = select i1 %is_base, ptr %current, ptr %base
  %wants = call ptr @role_of(ptr %memory, ptr %holder, i64 $WANTS_GRADIENT)
  %wants_none = icmp eq ptr %wants, @jitnet_false
  %is_view = xor i1 %is_base, true
  %may_share = and i1 %is_view, %wants_none
  %array = call ptr @role_of(ptr %current, ptr %holder, i64 $ARRAY)
  %low_at = getelementptr i8, ptr %array, i64 $DATA
  %low = load i64, ptr %low_at
  %extent = call i64 @extent_of(ptr %array, i64 %rank, i64 %bytes)
  %high = add i64 %low, %extent
  %own = getelementptr [3 x i64], ptr %spans, i64 %number
  %own_low = getelementptr i64, ptr %own, i64 1
  %own_high = getelementptr i64, ptr %own, i64 2
  store ptr %memory, ptr %own
  store i64 %low, ptr %own_low
  store i64 %high, ptr %own_high
  %is_held = call i1 @is_among(ptr %memory, ptr %held, i64 %count)
  br i1 %is_held, label %miss, label %next
next:
  %other = phi i64 [0, %entry], [%following, %compare], [%following, %measure]
  %following = add i64 %other, 1
  %more = icmp slt i64 %other, %number
  br i1 %more, label %compare, label %go
compare:
  %that = getelementptr [3 x i64], ptr %spans, i64 %other
  %that_memory = load ptr, ptr %that
  %shared = icmp eq ptr %that_memory, %memory
  br i1 %shared, label %measure, label %next
measure:
  %that_low_at = getelementptr i64, ptr %that, i64 1
  %that_high_at = getelementptr i64, ptr %that, i64 2
  %that_low = load i64, ptr %that_low_at
  %that_high = load i64, ptr %that_high_at
  %before = icmp sle i64 %high, %that_low
  %after = icmp sle i64 %that_high, %low
  %apart = or i1 %before, %after
  %allowed = and i1 %apart, %may_share
  br i1 %allowed, label %next, label %miss
"""

    def do(self, call: Call) -> bool:
        get = self.holder.get
        base = get(call.current, "base")
        memory = call.current if base is None else base
        low, high = byte_bounds(get(call.current, "array"))
        may_share = base is not None and not get(base, "wants_gradient")
        is_apart = all(
            memory is not other or (may_share and (high <= that_low or that_high <= low))
            for other, that_low, that_high in call.spans
        )
        call.spans.append((memory, low, high))
        return is_apart and id(memory) not in self.held
