"""Gives each kernel a name of its own, its number and what it does, and each code its first's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jitnet.compiler.ir.kernel import Code, Kernel


def name_kernels(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """Return the kernels named k0_..., k1_..., in order."""
    codes: dict[Code, Code] = {}
    named: list[Kernel] = []
    for number, kernel in enumerate(kernels):
        name = f"k{number}_{kernel.name}"
        if kernel.code not in codes:
            codes[kernel.code] = replace(kernel.code, name=name)
        named.append(replace(kernel, name=name, code=codes[kernel.code]))
    return tuple(named)
