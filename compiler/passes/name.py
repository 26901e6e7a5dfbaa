"""Gives each kernel a name of its own, its number and what it does, and names to its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jitnet.compiler.ir.loops import Kernel

from .locals import name_locals


def name_kernels(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """Return the kernels named k0_..., k1_..., in order."""
    return tuple(
        replace(kernel, name=f"k{number}_{kernel.name}", body=name_locals(kernel.body))
        for number, kernel in enumerate(kernels)
    )
