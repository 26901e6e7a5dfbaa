"""Loops and branches: blocks, and the phis where they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field

from jitnet.runtime.dataclass import dataclass

from .arithmetic import IndexArithmetic
from .body import Scope
from .interleave import interleaved
from .module import ROLLED, SELDOM
from .values import I64, Value, integers


@dataclass
class Loop:
    """An open loop; set `carry` to the next values of the carried ones before it closes."""

    index: Value
    carried: list[Value]
    carry: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)  # after the loop: the last carried values


class ControlFlow(IndexArithmetic):
    """A function body with loops and branches."""

    # -- blocks -----------------------------------------------------------------------------

    def _branch(self, condition: Value, yes: str, no: str, note: str = "") -> None:
        self.raw(f"br {condition}, label %{yes}, label %{no}{note}")

    def _go_to(self, label: str) -> None:
        self.raw(f"br label %{label}")

    def _block(self, label: str) -> None:
        self.scope.lines.append(f"{label}:")

    def _carry(
        self, values: Sequence[Value], before: Sequence[Value], after: Sequence[Value], turn: Scope
    ) -> None:
        """Write the phis at the head of a loop: `before` in the first turn, then `after`."""
        for value, first, later in zip(values, before, after, strict=True):
            phi = _phi((first, self.scope.label), (later, turn.label))
            self.raw(f"{value.text} = {phi}")

    def _names(self, carried: Sequence[Value]) -> list[Value]:
        """Return new values of the innermost scope, of the types of others."""
        return [Value(f"%{self.fresh('c')}", value.type, self.depth) for value in carried]

    # -- loops ------------------------------------------------------------------------------

    @contextmanager
    def loop(
        self,
        start: Value,
        stop: Value,
        step: int = 1,
        carried: Sequence[Value] = (),
        may_be_empty: bool | None = None,
        interleave: bool = False,
    ) -> Iterator[Loop]:
        """Count from start to stop by step; with constant bounds the emptiness test is dropped.

        A non-empty range need not be a multiple of step: the loop runs while index < stop.
        interleave: whether chains of instructions go side by side; see interleave.py.
        """
        if may_be_empty is None:
            both = integers(start, stop)
            may_be_empty = both is None or both[0] >= both[1]
        head, done = self.fresh("loop"), self.fresh("done")
        self._scopes.append(Scope(head))
        loop = Loop(Value(f"%{self.fresh('i')}", I64, self.depth), self._names(carried))
        yield loop
        following = self.add(loop.index, self.i64(step))
        self._branch(self.compare("icmp slt", following, stop), head, done, ROLLED)
        carry = loop.carry or loop.carried
        assert len(carry) == len(carried), "carry must name one next value for each carried one"
        turn = self._scopes.pop()
        if interleave:
            turn.lines = interleaved(turn.lines)
        if may_be_empty:
            self._branch(self.compare("icmp slt", start, stop), head, done)
        else:
            self._go_to(head)
        self._block(head)
        self._carry([loop.index, *loop.carried], [start, *carried], [following, *carry], turn)
        self.scope.lines.extend(turn.lines)
        self._block(done)
        before, self.scope.label = self.scope.label, done
        for first, later in zip(carried, carry, strict=True):
            if may_be_empty:
                phi = _phi((first, before), (later, turn.label))
                loop.results.append(self.emit_here(phi, first.type))
            else:
                loop.results.append(Value(later.text, later.type, self.depth))

    @contextmanager
    def while_(
        self, condition: Callable[[list[Value]], Value], carried: Sequence[Value]
    ) -> Iterator[Loop]:
        """Loop while condition(carried) holds, tested before each turn; set `carry` inside."""
        head, body, done = self.fresh("test"), self.fresh("body"), self.fresh("done")
        self._scopes.append(Scope(head, conditional=True))
        loop = Loop(self.i64(0), self._names(carried))
        proceed = condition(loop.carried)
        assert self.scope.label == head, "the condition must be straight-line code"
        self._branch(proceed, body, done)
        self._block(body)
        self.scope.label = body
        yield loop
        self._go_to(head)
        turn = self._scopes.pop()
        self._go_to(head)
        self._block(head)
        self._carry(loop.carried, carried, loop.carry, turn)
        self.scope.lines.extend(turn.lines)
        self._block(done)
        self.scope.label = done
        loop.results = [Value(value.text, value.type, self.depth) for value in loop.carried]

    # -- branches ---------------------------------------------------------------------------

    @contextmanager
    def _conditional(
        self, condition: Value, then: str, done: str, note: str = ""
    ) -> Iterator[Scope]:
        """Write what is inside as a block of its own, which runs only where condition holds."""
        inside = Scope(then, conditional=True)
        self._scopes.append(inside)
        yield inside
        self._scopes.pop()
        self._branch(condition, then, done, note)
        self._block(then)
        self.scope.lines.extend(inside.lines)
        self._go_to(done)
        self._block(done)
        self.scope.label = done

    @contextmanager
    def when(self, condition: Value | None) -> Iterator[None]:
        """Run a block only where condition (i1) holds; always where there is none."""
        if condition is None:
            yield
            return
        with self._conditional(condition, self.fresh("then"), self.fresh("end")):
            yield

    def rarely(self, condition: Value, compute: Callable[[], Value], otherwise: Value) -> Value:
        """Return compute() where condition (i1, seldom true) holds, else otherwise.

        What compute emits for its effect or with `call` runs only then; pure instructions on
        outer values are hoisted as everywhere, so a costly computation belongs into a function.
        """
        label = self.scope.label
        then, done = self.fresh("rare"), self.fresh("usual")
        with self._conditional(condition, then, done, SELDOM) as inside:
            value = compute()
        phi = _phi((value, inside.label), (otherwise, label))
        return self.emit_here(phi, otherwise.type)

    def return_when(self, condition: Value) -> None:
        """Leave a void function here if condition (i1) holds."""
        leave, stay = self.fresh("leave"), self.fresh("stay")
        self._branch(condition, leave, stay)
        self._block(leave)
        self.raw("ret void")
        self._block(stay)
        self.scope.label = stay


def _phi(*arms: tuple[Value, str]) -> str:
    """Return the phi of values that come from blocks of these labels."""
    texts = ", ".join(f"[{value.text}, %{label}]" for value, label in arms)
    return f"phi {arms[0][0].type} {texts}"
