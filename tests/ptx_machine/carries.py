"""Arithmetic of long numbers, word by word: what is carried is kept for the next instruction."""

from __future__ import annotations

import numpy as np

from tests.ptx_machine.arithmetic import meaning_of
from tests.ptx_machine.lanes import Lanes, Where
from tests.ptx_machine.parse import Instruction, PtxError, Register

Array = np.ndarray

CARRY = "=carry"  # the register that PTX calls CC.CF
_OPS = {"add": "add", "addc": "add", "sub": "sub", "subc": "sub", "mad": "add", "madc": "add"}


def is_carried(instruction: Instruction) -> bool:
    """Whether an instruction reads or writes what is carried."""
    parts = instruction.parts
    return parts[0] in _OPS and ("cc" in parts or parts[0].endswith("c"))


class Carried:
    """What such an instruction does."""

    def __init__(self, instruction: Instruction) -> None:
        op, *words = instruction.parts
        self._op = _OPS[op]
        self._reads, self._writes = op.endswith("c"), "cc" in words
        kind = words[-1].replace("s", "u").replace("b", "u")
        half = next((word for word in words if word in ("lo", "hi")), "")
        self._multiply = meaning_of(f"mul.{half}.{kind}").compute if half else None
        self._kind = kind
        target, *self._sources = instruction.operands
        if not isinstance(target, Register) or set(words) - {"cc", "lo", "hi", words[-1]}:
            raise PtxError(f"an unknown form: {instruction.text}")
        self._target = target

    def __call__(self, lanes: Lanes, where: Where) -> None:
        count = lanes.count if where is None else len(where)
        a, *rest = (
            np.broadcast_to(lanes.get(source, self._kind, where), count) for source in self._sources
        )
        if self._multiply is not None:
            a, rest = self._multiply(a, rest[0]), rest[1:]
        (b,) = rest
        carry = np.zeros(count, bool)
        if self._reads:
            carry = np.broadcast_to(lanes.get(Register(CARRY), "pred", where), count)
        one = carry.astype(a.dtype)
        if self._op == "add":
            part = a + b
            found = part + one
            out = (part < a) | (found < part)
        else:
            part = a - b
            found = part - one
            out = (a < b) | (part < one)
        lanes.set(self._target.name, found, where)
        if self._writes:
            lanes.set(CARRY, out, where)
