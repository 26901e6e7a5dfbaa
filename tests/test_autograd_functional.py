"""autograd.functional: Jacobians, Hessians and products with them, as in PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

import jitnet
from jitnet.autograd import functional

X, Y = [[0.3, 0.7], [1.1, -0.4]], [0.5, -1.5]


def _products(t: Any, x: Any, y: Any) -> Any:
    f = t.autograd.functional

    def one(x: Any) -> Any:
        return (x.exp() @ x).sum(0)

    def two(x: Any, y: Any) -> Any:
        return (x @ y).sin(), (x * y).sum(), y * 2

    def number(x: Any, y: Any) -> Any:
        return (x.sin() @ y.exp()).prod()

    weights = (t.ones(2), t.tensor(2.0), y)
    return (
        f.vjp(one, x, y), f.vjp(two, (x, y), weights), f.vjp(lambda y: (y**3).sum(), y),
        f.jvp(one, x, x * 2), f.jvp(two, (x, y), (x, y)),
        f.jacobian(one, x), f.jacobian(two, (x, y)), f.jacobian(one, x, vectorize=True),
        f.hessian(lambda y: (y**3).sum(), y), f.hessian(number, (x, y)),
        f.hvp(number, (x, y), (x, y)), f.vhp(number, (x, y), (x, y)),
        f.hvp(lambda y: (y * 3).sum(), y, y),
    )  # fmt: skip


def _again(t: Any, x: Any, y: Any) -> Any:
    """Results that are differentiated once more."""
    f, y = t.autograd.functional, y.requires_grad_()
    total = f.jvp(lambda y: y**3, y, y.detach(), create_graph=True)[1].sum()
    total = total + f.vjp(lambda y: (y**3).sum(), y, create_graph=True)[1].sum()
    total = total + f.hessian(lambda y: (y**4).sum(), y, create_graph=True).sum()
    return t.autograd.grad(total, y)


def _flat(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in _flat(part)] if isinstance(value, tuple) else [value]


@pytest.mark.parametrize("program", [_products, _again])
def test_as_pytorch(program: Any) -> None:
    torch = pytest.importorskip("torch")
    wanted = _flat(program(torch, torch.tensor(X), torch.tensor(Y)))
    found = _flat(program(jitnet, jitnet.tensor(X), jitnet.tensor(Y)))
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted, strict=True):
        assert tuple(mine.shape) == tuple(theirs.shape) and not mine.requires_grad
        assert mine.numpy() == pytest.approx(theirs.numpy(), rel=1e-4, abs=1e-5)


def test_what_is_refused() -> None:
    x, y = jitnet.tensor(X), jitnet.tensor(Y)
    with pytest.raises(RuntimeError, match="does not depend on all inputs"):
        functional.vjp(lambda x, y: x.sum(), (x, y), strict=True)
    with pytest.raises(RuntimeError, match="does not depend on any input"):
        functional.jacobian(lambda y: jitnet.ones(2), y, strict=True)
    with pytest.raises(RuntimeError, match="only where the result is a single number"):
        functional.vjp(lambda y: y, y)
    with pytest.raises(RuntimeError, match=r"the shapes of the input, \[\[2\]\], got \[\[2, 2\]\]"):
        functional.jvp(lambda y: y, y, x)
    with pytest.raises(RuntimeError, match="hessian wants a function of one number"):
        functional.hessian(lambda y: y, y)
    assert functional.jacobian(lambda y: jitnet.ones(2), y).tolist() == [[0, 0], [0, 0]]
