"""Loops and branches: blocks, and the phis where they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from .arithmetic import IndexArithmetic
from .body import Scope
from .values import I64, Value


@dataclass
class Loop:
    """An open counted loop; set `carry` to the next values of the carried ones before it closes."""

    index: Value
    carried: list[Value]
    carry: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)  # after the loop: the last carried values


class ControlFlow(IndexArithmetic):
    """A function body with loops and branches."""

    @contextmanager
    def loop(
        self,
        start: Value,
        stop: Value,
        step: int = 1,
        carried: Sequence[Value] = (),
        may_be_empty: bool | None = None,
    ) -> Iterator[Loop]:
        """Count from start to stop by step; with constant bounds the emptiness test is dropped.

        A non-empty range need not be a multiple of step: the loop runs while index < stop.
        """
        both = self._int_constants(start, stop)
        if may_be_empty is None:
            may_be_empty = not (both and both[0] < both[1])
        outer = self.scope
        head, done = self.fresh("loop"), self.fresh("done")
        depth = self.depth + 1
        self._scopes.append(Scope(head))
        index = Value(f"%{self.fresh('i')}", I64, depth)
        inner = [Value(f"%{self.fresh('c')}", value.type, depth) for value in carried]
        loop = Loop(index, inner)
        yield loop
        scope = self.scope
        following = self.add(index, self.i64(step))
        more = self.compare("icmp slt", following, stop)
        carry = loop.carry or inner
        assert len(carry) == len(carried), "carry must name one next value for each carried one"
        scope.lines.append(f"  br {more}, label %{head}, label %{done}, !llvm.loop !0")
        self._scopes.pop()
        if may_be_empty:
            some = self.compare("icmp slt", start, stop)
            outer.lines.append(f"  br {some}, label %{head}, label %{done}")
        else:
            outer.lines.append(f"  br label %{head}")
        back = scope.label
        outer.lines.append(f"{head}:")
        outer.lines.append(
            f"  {index.text} = phi i64 [{start.text}, %{outer.label}], [{following.text}, %{back}]"
        )
        for value, first, later in zip(inner, carried, carry, strict=True):
            arms = f"[{first.text}, %{outer.label}], [{later.text}, %{back}]"
            outer.lines.append(f"  {value.text} = phi {value.type} {arms}")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"{done}:")
        before = outer.label
        outer.label = done
        for first, later in zip(carried, carry, strict=True):
            if not may_be_empty:
                loop.results.append(Value(later.text, later.type, depth - 1))
                continue
            arms = f"[{first.text}, %{before}], [{later.text}, %{back}]"
            loop.results.append(self.emit_here(f"phi {first.type} {arms}", first.type))

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Run a block only where condition (i1) holds."""
        outer = self.scope
        then, done = self.fresh("then"), self.fresh("end")
        self._scopes.append(Scope(then, conditional=True))
        yield
        scope = self._scopes.pop()
        outer.lines.append(f"  br {condition}, label %{then}, label %{done}")
        outer.lines.append(f"{then}:")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"  br label %{done}")
        outer.lines.append(f"{done}:")
        outer.label = done

    def rarely(self, condition: Value, compute: Callable[[], Value], otherwise: Value) -> Value:
        """Return compute() where condition (i1, seldom true) holds, else otherwise.

        What compute emits for its effect or with `call` runs only then; pure instructions on
        outer values are hoisted as everywhere, so a costly computation belongs into a function.
        """
        outer = self.scope
        then, done = self.fresh("rare"), self.fresh("usual")
        self._scopes.append(Scope(then, conditional=True))
        value = compute()
        scope = self._scopes.pop()
        outer.lines.append(f"  br {condition}, label %{then}, label %{done}, !prof !3")
        outer.lines.append(f"{then}:")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"  br label %{done}")
        outer.lines.append(f"{done}:")
        arms = f"[{value.text}, %{scope.label}], [{otherwise.text}, %{outer.label}]"
        outer.label = done
        return self.emit_here(f"phi {otherwise.type} {arms}", otherwise.type)

    @contextmanager
    def while_(
        self, condition: Callable[[list[Value]], Value], carried: Sequence[Value]
    ) -> Iterator[Loop]:
        """Loop while condition(carried) holds, tested before each turn; set `carry` inside."""
        outer = self.scope
        head, body, done = self.fresh("test"), self.fresh("body"), self.fresh("done")
        depth = self.depth + 1
        self._scopes.append(Scope(head, conditional=True))
        inner = [Value(f"%{self.fresh('c')}", value.type, depth) for value in carried]
        proceed = condition(inner)
        scope = self.scope
        test_label = scope.label
        scope.lines.append(f"  br {proceed}, label %{body}, label %{done}")
        scope.lines.append(f"{body}:")
        scope.label = body
        loop = Loop(self.i64(0), inner)
        yield loop
        scope = self.scope
        scope.lines.append(f"  br label %{head}")
        self._scopes.pop()
        outer.lines.append(f"  br label %{head}")
        outer.lines.append(f"{head}:")
        for value, first, later in zip(inner, carried, loop.carry, strict=True):
            arms = f"[{first.text}, %{outer.label}], [{later.text}, %{scope.label}]"
            outer.lines.append(f"  {value.text} = phi {value.type} {arms}")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"{done}:")
        outer.label = done
        assert test_label == head, "the condition must be straight-line code"
        loop.results = [Value(value.text, value.type, depth - 1) for value in inner]

    def return_when(self, condition: Value) -> None:
        """Leave a void function here if condition (i1) holds."""
        leave, stay = self.fresh("leave"), self.fresh("stay")
        lines = self.scope.lines
        lines.append(f"  br {condition}, label %{leave}, label %{stay}")
        lines.extend([f"{leave}:", "  ret void", f"{stay}:"])
        self.scope.label = stay
