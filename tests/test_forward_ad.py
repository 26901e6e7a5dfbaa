"""Dual tensors: values and tangents as PyTorch's forward mode has them."""

from __future__ import annotations

from typing import Any

import pytest

import jitnet

fw = jitnet.autograd.forward_ad


def test_a_product_changes_by_the_product_rule() -> None:
    x, dx = jitnet.tensor([2.0, 3.0]), jitnet.tensor([1.0, 10.0])
    with fw.dual_level():
        y = fw.make_dual(x, dx) * x + 1
        primal, tangent = fw.unpack_dual(y)
    assert primal.tolist() == [5.0, 10.0]
    assert tangent.tolist() == [2.0, 30.0]
    assert not primal.requires_grad
    assert not tangent.requires_grad
    assert not x.requires_grad


def test_what_depends_on_nothing_dual_has_no_tangent() -> None:
    x = jitnet.ones(2)
    w = jitnet.ones(2, requires_grad=True)
    with fw.dual_level():
        fw.make_dual(x, x)
        for value in (x + 1, w * 2):
            assert fw.unpack_dual(value).tangent is None
        assert fw.unpack_dual(w * 2).primal.requires_grad
    assert fw.unpack_dual(x).tangent is None


def test_a_dual_tensor_can_be_written_in_place() -> None:
    with fw.dual_level():
        dual = fw.make_dual(jitnet.tensor([3.0]), jitnet.tensor([1.0]))
        dual.mul_(3).sin_()
        tangent = fw.unpack_dual(dual).tangent
    jitnet.testing.assert_close(tangent, 3 * jitnet.tensor([9.0]).cos())


def test_tangents_of_what_requires_gradients_have_gradients() -> None:
    w = jitnet.tensor([3.0], requires_grad=True)
    with fw.dual_level():
        y = fw.make_dual(w, jitnet.tensor([1.0])) ** 3
        fw.unpack_dual(y).tangent.sum().backward()
    assert w.grad.tolist() == [18.0]  # the second derivative of w ** 3


def test_parameters_of_a_module_are_made_dual() -> None:
    model = jitnet.nn.Linear(5, 3)
    x = jitnet.randn(4, 5)
    weights = {name: value.detach() for name, value in model.named_parameters()}
    tangents = {name: jitnet.randn_like(value) for name, value in weights.items()}
    with fw.dual_level():
        for name, value in weights.items():
            delattr(model, name)
            setattr(model, name, fw.make_dual(value, tangents[name]))
        tangent = fw.unpack_dual(model(x)).tangent
    expected = x @ tangents["weight"].T + tangents["bias"]
    jitnet.testing.assert_close(tangent, expected)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: fw.make_dual(x, x[:1]), RuntimeError, "shape"),
        (lambda x: fw.make_dual(x, x.long()), ValueError, "tangent to be floating point"),
        (lambda x: fw.make_dual(x.long(), x), ValueError, "primal to be floating point"),
        (lambda x: fw.enter_dual_level(), RuntimeError, "Nested"),
        (lambda x: jitnet.no_grad()(fw.make_dual)(x, x), RuntimeError, "outside no_grad"),
    ],
)
def test_wrong_duals_are_refused(call: Any, error: type[Exception], words: str) -> None:
    with fw.dual_level(), pytest.raises(error, match=words):
        call(jitnet.ones(2))


def test_no_level_no_dual() -> None:
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(jitnet.ones(2), jitnet.ones(2))
    with pytest.raises(RuntimeError, match="exit_dual_level"):
        fw.exit_dual_level()


def network(lib: Any, x: Any, w: Any) -> Any:
    """Return what both libraries compute: products, norms, a reduction."""
    y = lib.tanh(x @ w)
    return lib.softmax(y, 1) * y.abs().sqrt() + lib.logsumexp(x, 1, keepdim=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's, of its own parts
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_tangents_are_pytorchs(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    jitnet.manual_seed(0)
    values = [jitnet.randn(*size, dtype=getattr(jitnet, dtype)) for size in [(4, 5), (5, 3)] * 2]
    theirs = [torch.from_numpy(value.numpy()) for value in values]

    def along(lib: Any, x: Any, w: Any, dx: Any, dw: Any) -> tuple[Any, Any]:
        forward = lib.autograd.forward_ad
        with forward.dual_level():
            x, w = forward.make_dual(x, dx), forward.make_dual(w, dw)
            y = lib.sin(x @ w) * w.sum() if dtype == "complex128" else network(lib, x, w)
            primal, tangent = forward.unpack_dual(y)
        return primal.numpy(), tangent.numpy()

    for ours, expected in zip(along(jitnet, *values), along(torch, *theirs), strict=True):
        jitnet.testing.assert_close(jitnet.tensor(ours), jitnet.tensor(expected))


def test_a_compiled_function_unpacks_duals() -> None:
    @jitnet.compile
    def change(x: Any, dx: Any) -> Any:
        with fw.dual_level():
            return fw.unpack_dual(fw.make_dual(x, dx).exp().sum()).tangent

    x, dx = jitnet.randn(7), jitnet.randn(7)
    jitnet.testing.assert_close(change(x, dx), (x.exp() * dx).sum())
