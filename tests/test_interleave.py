"""Instructions of long bodies in another order: nothing before what it needs, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest

from jitnet.compiler import ops
from jitnet.compiler.codegen.interleave import interleaved
from jitnet.compiler.ir.graph import Node
from tests.graph_harness import argument, check

BODY = """
  %a = load float, ptr %x, align 4
  %b = fmul float %a, %a
  %c = fmul float %b, %b
  %d = fmul float %c, %c
  %e = load float, ptr %y, align 4
  %f = fmul float %e, %e
  %g = fmul float %f, %f
  %h = call float @llvm.fma.f32(float %g, float %f, float %d)
  store float %h, ptr %x, align 4
  %i = load float, ptr %x, align 4
  store float %i, ptr %y, align 4
  br i1 %again, label %loop, label %done
""".strip("\n").splitlines()


def test_chains_go_side_by_side() -> None:
    """Two chains take turns; loads and stores keep their order; the branch is the last."""
    found = [line.split()[0] for line in interleaved(BODY)]
    assert found == "%a %b %e %c %f %d %g %h store %i store br".split()
    assert sorted(interleaved(BODY)) == sorted(BODY)


def test_bodies_with_branches_stay() -> None:
    """What has labels inside is not one block."""
    lines = [*BODY[:3], "  br label %next", "next:", *BODY[3:]]
    assert interleaved(lines) == lines


def test_calls_of_unknown_functions_keep_their_place() -> None:
    """A function may write to memory: what follows it in the text stays behind it."""
    lines = ["  %a = call float @f(float 1.0)", "  %b = call float @g(float 2.0)"]
    lines += ["  %c = fmul float %b, %b", "  %d = fmul float %c, %c", "  br label %loop"]
    assert interleaved(lines) == lines


def chain(x: Node) -> Node:
    """Three polynomials of one argument."""
    return ops.add(ops.mul(ops.erf(x), ops.sigmoid(x)), ops.tanh(x))


@pytest.mark.parametrize("count", [1, 15, 63, 64, 65, 127, 129, 1000, 4133])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_remainder(count: int, dtype: type) -> None:
    """Vectors that go together, then what is left of them, and nothing behind the end."""
    x = (4 * np.random.default_rng(0).standard_normal(count)).astype(dtype)
    item = argument("x", x)
    check([chain(item.node), ops.exp(chain(item.node))], [item], [x])
