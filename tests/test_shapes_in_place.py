"""unsqueeze_(), t_() and kin: shapes, aliases and gradients as in PyTorch, compiled too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import jitnet


def _aliases(t: Any, x: Any) -> Any:
    """Writes through views made before and after, into the whole and back."""
    base = x * 1.0
    part, matrix = base[2:4], base.view(2, 3)
    base.unsqueeze_(0)
    part.fill_(9)
    base.add_(1)
    base.t_()
    base[0] = -1
    again = base.squeeze_(1)[1:]
    again.mul_(2)
    return base, part, matrix, again


def _histories(t: Any, x: Any) -> Any:
    """Gradients go through views that were made before a shape changed, and writes after."""
    y = x * 2
    tail, plain = y[1:], y.detach()
    first = plain[:1]
    y.unsqueeze_(0)
    plain.unsqueeze_(0)
    plain.add_(1)
    y.mul_(3)
    tail.add_(1)
    grown = tail.exp()
    tail.unsqueeze_(1)
    y.t_()
    return y, tail, grown * tail[0], plain, first


def _of_views(t: Any, x: Any) -> Any:
    matrix = (x + 1).view(2, 3)
    row = matrix[1]
    row.unsqueeze_(0).transpose_(0, 1)
    row.mul_(x[:3].unsqueeze(1))
    return matrix, row, matrix.swapaxes_(0, 1)


PROGRAMS: tuple[Callable[[Any, Any], Any], ...] = (_aliases, _histories, _of_views)


def _run(t: Any, program: Callable[[Any, Any], Any], x: Any) -> list[Any]:
    results = program(t, x)
    total = sum((y * y).sum() for y in results if y.requires_grad)
    gradients = t.autograd.grad(total, (x,)) if x.requires_grad else ()
    return [y.detach() for y in (*results, *gradients)]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("gradient", [False, True])
def test_as_pytorch(program: Callable[[Any, Any], Any], gradient: bool) -> None:
    torch = pytest.importorskip("torch")
    numbers = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    wanted = _run(torch, program, torch.tensor(numbers, requires_grad=gradient))
    for run in (_run, jitnet.compile(_run)):
        found = run(jitnet, program, jitnet.tensor(numbers, requires_grad=gradient))
        for got, other in zip(found, wanted, strict=True):
            assert got.numpy() == pytest.approx(other.numpy(), rel=1e-5)


def test_other_shapes() -> None:
    x = jitnet.arange(6)
    alias = x.view(2, 3)
    assert x.resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    x.fill_(7)
    assert alias.tolist() == [[7, 7, 7], [7, 4, 5]]
    assert x.resize_as_(jitnet.zeros(5)).tolist() == [7, 7, 7, 7, 0]
    assert x.set_(jitnet.ones(1, 2)).tolist() == [[1.0, 1.0]]
    assert x.set_().shape == (0,)
    assert jitnet.ones(1, 2, 1).squeeze_().shape == (2,)


def test_wrong_uses() -> None:
    leaf = jitnet.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable"):
        leaf.unsqueeze_(0)
    with jitnet.no_grad():
        assert leaf.unsqueeze_(0).is_leaf
    with pytest.raises(RuntimeError, match="cannot resize"):
        (leaf * 2).resize_(2)
    with pytest.raises(RuntimeError, match="not contiguous"):
        jitnet.ones(2, 3).t().resize_(2)
    outside = jitnet.ones(2)
    for change in (lambda x: x.unsqueeze_(0), lambda x: outside.t_() * x):
        with pytest.raises(jitnet.CompileError, match="from outside of the compiled function"):
            jitnet.compile(change)(jitnet.ones(2))
    assert outside.shape == (2,)
