"""jitnet.func against torch.func: eager, compiled, one inside the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import func, nn

A = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
B = np.random.default_rng(1).normal(size=(4,)).astype(np.float32)


def loss(w: Any, x: Any) -> Any:
    return ((w @ x).tanh() ** 2).sum()


CASES: dict[str, Callable[..., Any]] = {
    "grad": lambda f, w, x: f.grad(loss)(w, x),
    "grad of two": lambda f, w, x: f.grad(loss, argnums=(0, 1))(w, x),
    "grad and value": lambda f, w, x: f.grad_and_value(loss)(w, x),
    "grad of grad": lambda f, w, x: f.grad(lambda x: (f.grad(loss)(w, x) ** 2).sum())(x),
    "aux": lambda f, w, x: f.grad(lambda w: (loss(w, x), w * 2), has_aux=True)(w),
    "vjp": lambda f, w, x: f.vjp(lambda w, x: w @ x, w, x)[1]((w @ x) ** 2),
    "jvp": lambda f, w, x: f.jvp(lambda x: (w @ x).sin(), (x,), (x * 2,)),
    "jacrev": lambda f, w, x: f.jacrev(lambda x: (w @ x) ** 2)(x),
    "jacfwd": lambda f, w, x: f.jacfwd(lambda x: (w @ x) ** 2)(x),
    "hessian": lambda f, w, x: f.hessian(lambda x: loss(w, x))(x),
    "vmap": lambda f, w, x: f.vmap(lambda row: (row * x).sum() + row)(w),
    "vmap dims": lambda f, w, x: f.vmap(lambda a, b: a * b, in_dims=(1, 0), out_dims=1)(w, x),
    "vmap whole": lambda f, w, x: f.vmap(lambda a, b: a @ b, in_dims=(0, None))(w, x),
    "gradient of each": lambda f, w, x: f.vmap(
        f.grad(lambda x, row: (row @ x).tanh()), in_dims=(None, 0)
    )(x, w),
    "nested": lambda f, w, x: f.grad(lambda p: (p["w"] @ p["x"]).sum())({"w": w, "x": x})["w"],
}


def _arrays(value: Any) -> list[np.ndarray]:
    if isinstance(value, tuple | list):
        return [array for part in value for array in _arrays(part)]
    return [value.numpy()]


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize("name", CASES)
def test_functions_of_functions(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    case = CASES[name]
    wanted = _arrays(case(torch.func, torch.tensor(A), torch.tensor(B)))
    for run in (case, lambda f, w, x: jitnet.compile(lambda w, x: case(f, w, x))(w, x)):
        found = _arrays(run(func, jitnet.tensor(A), jitnet.tensor(B)))
        assert len(found) == len(wanted)
        for mine, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(mine, other, rtol=2e-4, atol=1e-5)


def test_gradients_reach_what_wants_them_outside() -> None:
    x = jitnet.tensor(B, requires_grad=True)
    func.grad(lambda x: (x**3).sum())(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * B, rtol=1e-5)


def test_functional_call_leaves_the_module_as_it_was() -> None:
    layer = nn.Sequential(nn.Linear(4, 2))
    before = layer[0].weight
    other = {"0.weight": jitnet.ones(2, 4), "0.bias": jitnet.zeros(2)}
    y = func.functional_call(layer, other, (jitnet.ones(1, 4),))
    assert y.tolist() == [[4.0, 4.0]]
    assert layer[0].weight is before
    gradients = func.grad(lambda p: func.functional_call(layer, p, jitnet.ones(1, 4)).sum())(other)
    assert gradients["0.weight"].tolist() == [[1.0] * 4] * 2
    with pytest.raises(KeyError, match=r"'0\.wait'"):
        func.functional_call(layer, {"0.wait": jitnet.ones(1)}, jitnet.ones(1, 4))
    params, buffers = func.stack_module_state([layer, nn.Sequential(nn.Linear(4, 2))])
    assert params["0.weight"].shape == (2, 2, 4) and buffers == {}


def test_wrong_uses_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"without dims, got f32\[4\]"):
        func.grad(lambda x: x * 2)(jitnet.tensor(B))
    with pytest.raises(ValueError, match=r"one size .* got \[3, 4\]"):
        func.vmap(lambda a, b: a.sum() + b)(jitnet.tensor(A), jitnet.tensor(B))
    with pytest.raises(ValueError, match="an in_dim for each of 1"):
        func.vmap(lambda a: a, in_dims=(0, 0))(jitnet.tensor(A))


def test_gradients_have_gradients_of_what_lies_outside() -> None:
    """By grad's own arguments, items of vmap's among them, and by tensors that func closes over."""
    jitnet.manual_seed(0)
    x = jitnet.randn(3, 4, requires_grad=True)
    w = jitnet.randn(4, requires_grad=True)
    slope = jitnet.func.grad(lambda t: (t.sin() ** 2 * w).sum())
    assert slope(x[0].detach()).requires_grad
    jitnet.vmap(slope)(x).sum().backward()
    jitnet.testing.assert_close(x.grad, (2 * w * (2 * x).cos()).detach())
    jitnet.testing.assert_close(w.grad, (2 * x).sin().sum(0).detach())
    assert not jitnet.func.grad(lambda t: (t * t).sum())(w.detach()).requires_grad
