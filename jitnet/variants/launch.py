"""A call of a variant, as a routine that native code carries out: first it looks, then it acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jitnet.runtime.instruction import Instruction
from jitnet.runtime.routine import MISSED, Routine

from ..guards.holding import Guards
from ..guards.signature import Signature
from ..trace import Traced
from .acting import Executable
from .looking import looks_of


class Launch:
    """A variant's routine.

    take: given the leaves of a call's arguments, carries out the call if it is one that the variant
    is for, and returns MISSED if not; None where only the long way can tell.

    held: ids of the tensors that the function reached by itself; no argument may be one of them.
    """

    def __init__(
        self,
        traced: Traced,
        signature: Signature,
        guards: Guards,
        executable: Executable,
        finish: Callable[..., Any],
    ) -> None:
        self.executable = executable
        self.held = {id(tensor) for tensor in traced.reached()}
        self._guards = guards
        looks, watched = looks_of(signature, traced, self.held), guards.looks()
        acts = executable.acts(traced, finish)
        self.routine = Routine([*looks, *watched, *acts])
        self._watched_from = len(looks)
        call = self.routine.call()
        self.take = None if signature.sharing else executable.first_try(call, self.held)
        self._run = self.routine.call(len(looks) + len(watched))
        guards.follow(self._replace)

    def run(self, leaves: Sequence[Any]) -> Any:
        """Carry out a call that the variant is for: see that the next such call is taken."""
        result = MISSED if self.take is None else self.take(*leaves)
        if result is not MISSED:
            return result
        self._replace(self._guards.looks())
        return self._run(*leaves)

    def _replace(self, watched: list[Instruction]) -> None:
        """Look from now on for what the guards have learned."""
        self.routine.replace(self._watched_from, watched)


class BackwardLaunch:
    """A backward program's routine: `run` takes arrays and returns a tuple of gradients."""

    def __init__(self, executable: Executable) -> None:
        self.executable = executable
        self.routine = Routine(executable.backward_acts())
        self.run = self.routine.call()
