"""Which ops have no CUDA kernel, and why."""

from __future__ import annotations

from jitnet.compiler import ops

# Solvers and decompositions: LAPACK's, in NumPy. Rare functions: integrals, in float64.
RARE = {"zeta", "polynomial", *(op.name for op in (*ops.bessel.OPS, *ops.gammas.OPS))}
ON_PAIRS = {"on_pairs"}  # complex functions without a formula in real parts: NumPy's


def on_the_host(name: str) -> bool:
    """Whether an op of the host has, for a reason, no CUDA kernel."""
    decomposes = name.startswith("linalg.") or name in ("geqrf", "permutation")
    return decomposes or name in RARE | ON_PAIRS
