"""Linear algebra against PyTorch: eager, compiled, with gradients; failures; second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.autograd import gradcheck, gradgradcheck
from tests.three_ways import check

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

pytestmark = pytest.mark.filterwarnings("ignore:torch:UserWarning")  # of names that it deprecates
rng = np.random.default_rng(5)


def real(*shape: int) -> np.ndarray:
    """Return float64 numbers."""
    return rng.standard_normal(shape)


SQUARE = real(2, 4, 4) + 3 * np.eye(4)
DEEP, WIDE = real(2, 5, 3), real(2, 3, 5)
RIGHT, VECTOR = real(2, 4, 3), real(2, 4)
EMPTY = real(2, 0, 0)

Function = Callable[..., Any]


def symmetric(x: Any) -> Any:
    """Return a positive definite matrix that depends on all of x."""
    return x @ x.mH


def without_signs(library: Any, u: Any, s: Any, vh: Any) -> tuple[Any, ...]:
    """Return what of a decomposition does not depend on signs."""
    return u.square(), s, vh.square(), (u * s.unsqueeze(-2)) @ vh


FUNCTIONS: dict[str, tuple[Function, tuple[np.ndarray, ...]]] = {
    "inv": (lambda lib, f, a: (lib.linalg.inv(a), a.inverse(), lib.inverse(a[0])), (SQUARE,)),
    "inv_ex": (lambda lib, f, a: (*lib.linalg.inv_ex(a),), (SQUARE,)),
    "solve": (
        lambda lib, f, a, b, v: (
            lib.linalg.solve(a, b), lib.linalg.solve(a, v), lib.linalg.solve(a, v[0]),
            lib.linalg.solve(a, b.mT, left=False), *lib.linalg.solve_ex(a[0], b),
        ),
        (SQUARE, RIGHT, VECTOR),
    ),
    "triangular": (
        lambda lib, f, a, b: (
            lib.linalg.solve_triangular(a, b, upper=True),
            lib.linalg.solve_triangular(a[0], b, upper=False, unitriangular=True),
            lib.linalg.solve_triangular(a, b.mT, upper=False, left=False),
            *lib.triangular_solve(b, a, transpose=True),
        ),
        (SQUARE, RIGHT),
    ),
    "cholesky": (
        lambda lib, f, a, b: (
            lib.linalg.cholesky(symmetric(a)), lib.cholesky(symmetric(a), upper=True),
            lib.cholesky_solve(b, symmetric(a).cholesky()),
            lib.cholesky_inverse(symmetric(a).cholesky(True), upper=True),
            *lib.linalg.cholesky_ex(symmetric(a)),
        ),
        (SQUARE, RIGHT),
    ),
    "qr": (lambda lib, f, a: (*lib.linalg.qr(a), *a.qr()), (DEEP,)),
    "qr wide": (lambda lib, f, a: (*lib.linalg.qr(a), *lib.linalg.qr(a, "complete")), (WIDE,)),
    "qr modes": (
        lambda lib, f, a: (
            *lib.linalg.qr(a.detach(), "complete"), *lib.linalg.qr(a.detach(), mode="r"),
            *lib.geqrf(a.detach()),
        ),
        (DEEP,),
    ),
    "reflectors": (
        lambda lib, f, a, t, c: (
            lib.linalg.householder_product(a, t), lib.ormqr(a, t, c),
            lib.ormqr(a, t, c.mT, False, True),
        ),
        (DEEP, real(2, 3), real(2, 5, 4)),
    ),
    "lu": (
        lambda lib, f, a, d, w: (*lib.linalg.lu(a), *lib.linalg.lu(d), *lib.linalg.lu(w)),
        (SQUARE, DEEP, WIDE),
    ),
    "lu_solve": (
        lambda lib, f, a, b: (
            lib.linalg.lu_solve(*lib.linalg.lu_factor(a), b), lib.lu_solve(b, *lib.lu(a)),
            lib.linalg.lu_solve(*lib.linalg.lu_factor(a), b, adjoint=True),
            lib.linalg.lu_solve(*lib.linalg.lu_factor(a), b.mT, left=False),
            *lib.lu_unpack(*lib.linalg.lu_factor_ex(a)[:2]), *lib.lu(a, get_infos=True)[1:],
        ),
        (SQUARE, RIGHT),
    ),
    "svd": (
        lambda lib, f, a: (
            *without_signs(lib, *lib.linalg.svd(a, False)), lib.linalg.svdvals(a), a.svd()[1],
            *lib.svd(a.detach(), compute_uv=False), lib.linalg.svd(a.detach())[1],
        ),
        (DEEP,),
    ),
    "svd wide": (lambda lib, f, a: without_signs(lib, *lib.linalg.svd(a, False)), (WIDE,)),
    "svd square": (lambda lib, f, a: without_signs(lib, *lib.linalg.svd(a)), (SQUARE,)),
    "eigh": (
        lambda lib, f, a: (
            lib.linalg.eigh(symmetric(a))[0], lib.linalg.eigh(symmetric(a), "U")[1].square(),
            lib.linalg.eigvalsh(symmetric(a)), lib.linalg.eigvalsh(a, UPLO="U"),
        ),
        (SQUARE,),
    ),
    "det": (
        lambda lib, f, a: (
            a.det(), lib.linalg.det(a), *lib.linalg.slogdet(a), *a.slogdet(), lib.logdet(a),
            lib.logdet(-a[:, :3, :3]), lib.det(a * 0),
        ),
        (SQUARE,),
    ),
    "pinv": (
        lambda lib, f, d, w, a: (
            lib.linalg.pinv(d), lib.linalg.pinv(w, rtol=0.3), lib.pinverse(w),
            lib.linalg.pinv(w, atol=w.detach()[:, 0, 0].abs() * 0 + 1.0),
            lib.linalg.pinv(symmetric(a), hermitian=True),
        ),
        (DEEP, WIDE, SQUARE),
    ),
    "lstsq": (
        lambda lib, f, a, b, w: (
            lib.linalg.lstsq(a, b).solution, lib.linalg.lstsq(w, b[:, :3]).solution,
            *lib.linalg.lstsq(a.detach(), b.detach(), driver="gelsd"),
            *lib.linalg.lstsq(a.detach(), b.detach(), driver="gels")[:2],
        ),
        (DEEP, real(2, 5, 2), WIDE),
    ),
    "rank": (
        lambda lib, f, a: (
            lib.linalg.matrix_rank(a.detach()), lib.linalg.matrix_rank(symmetric(a.detach()), 1.0),
            lib.linalg.matrix_rank(symmetric(a.detach()), hermitian=True, rtol=1e-6),
        ),
        (DEEP,),
    ),
    "powers": (
        lambda lib, f, a, v: (
            lib.linalg.matrix_power(a, 3), a.matrix_power(-2), lib.matrix_power(a, 1),
            lib.linalg.matrix_exp(a * 2), lib.matrix_exp(a[0]), lib.linalg.vander(v.detach(), N=3),
            lib.vander(v[0].detach()), lib.vander(v[0].detach(), 3, increasing=True),
        ),
        (SQUARE, VECTOR),
    ),
    "norms": (
        lambda lib, f, a: (
            *[lib.linalg.matrix_norm(a, p) for p in ("fro", "nuc", 1, -1, 2, -2)],
            lib.linalg.matrix_norm(a, float("inf"), (0, 1), True), lib.linalg.norm(a[0], "nuc"),
            lib.linalg.norm(a, 2, (0, 2)), lib.linalg.norm(a), lib.linalg.vector_norm(a, 3, 1),
        ),
        (DEEP,),
    ),
    "cond": (
        lambda lib, f, a: [
            *[lib.linalg.cond(a, p) for p in (None, 2, -2)],
            *[lib.linalg.cond(a.detach(), p) for p in (1, "fro", "nuc")],
        ],
        (SQUARE,),
    ),
    "cond of singular": (
        lambda lib, f, a: (lib.linalg.cond(a.detach() * 0, 1), lib.linalg.cond(a.detach() * 0)),
        (SQUARE,),
    ),
    "chains": (
        lambda lib, f, a, b, c, v: (
            lib.linalg.multi_dot([a[0], b[0], c[0]]), lib.linalg.multi_dot([v, a[0].mT, a[0], v]),
            lib.chain_matmul(a[0], b[0]), lib.linalg.vecdot(a, a), lib.linalg.cross(a, a.flip(0)),
        ),
        (real(2, 5, 3), real(2, 3, 4), real(2, 4, 2), real(3)),
    ),
    "tensors": (
        lambda lib, f, a, b: (
            lib.linalg.tensorinv(a), lib.linalg.tensorinv(a.reshape(4, 2, 2), 1),
            lib.linalg.tensorsolve(a, b), lib.linalg.tensorsolve(a, b, dims=(0, 2)),
        ),
        (real(2, 2, 2, 2) + 2 * np.eye(4).reshape(2, 2, 2, 2), real(2, 2)),
    ),
    "empty": (
        lambda lib, f, a, e: (
            lib.linalg.inv(a), lib.linalg.det(a), lib.linalg.solve(a, e), lib.linalg.cholesky(a),
            *lib.linalg.qr(e), *lib.linalg.svd(e, False), *lib.linalg.eigh(a),
            *lib.linalg.slogdet(a), lib.linalg.matrix_exp(a), lib.linalg.pinv(e.mT),
            *lib.linalg.lu_factor(e), lib.linalg.matrix_rank(e.detach()),
        ),
        (EMPTY, real(2, 0, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_like_pytorch(name: str) -> None:
    """Values, types and gradients are PyTorch's, eager and compiled."""
    function, arrays = FUNCTIONS[name]
    check(function, *arrays, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", ["inv", "solve", "qr", "lu", "det", "powers", "norms"])
def test_float32(name: str) -> None:
    """The same in single precision."""
    function, arrays = FUNCTIONS[name]
    check(function, *[array.astype(np.float32) for array in arrays], rtol=2e-3, atol=2e-3)


# -- gradients ------------------------------------------------------------------------------------

GRADIENTS: dict[str, Function] = {
    "cholesky": lambda a: jitnet.linalg.cholesky(symmetric(a)),
    "eigh": lambda a: jitnet.linalg.eigh(symmetric(a)).eigenvectors.square(),
    "eigvalsh": lambda a: jitnet.linalg.eigvalsh(symmetric(a)),
    "svd": lambda a: without_signs(jitnet, *jitnet.linalg.svd(a[:, :3], False)),
    "svd full": lambda a: jitnet.linalg.svd(a[:, :, :3]).S,
    "qr": lambda a: jitnet.linalg.qr(a[:, :, :3]),
    "pinv": lambda a: jitnet.linalg.pinv(a[:, :3]),
    "det of singular": lambda a: jitnet.det(a - a),
    "lstsq": lambda a: jitnet.linalg.lstsq(a[:, :, :3], a).solution,
    "matrix_exp": lambda a: jitnet.matrix_exp(a * 0.3),
    "householder": lambda a: jitnet.linalg.householder_product(a, a[:, 0, :3]),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name: str) -> None:
    """First and second derivatives agree with finite differences."""
    a = jitnet.tensor(SQUARE[:1], requires_grad=True)
    assert gradcheck(GRADIENTS[name], [a])
    if name not in ("det of singular", "svd full"):
        assert gradgradcheck(GRADIENTS[name], [a], atol=1e-4)


def test_repeated_singular_values_have_gradients_of_their_own() -> None:
    """What is asked of the values alone does not divide by their differences."""
    a = jitnet.eye(3, dtype=jitnet.float64).requires_grad_()
    jitnet.linalg.svd(a).S.sum().backward()
    assert a.grad is not None and np.allclose(a.grad.numpy(), np.eye(3))
    (again,) = jitnet.autograd.grad(jitnet.linalg.eigh(a).eigenvalues.sum(), [a])
    assert np.allclose(again.numpy(), np.eye(3))


def test_second_order_compiled() -> None:
    """A gradient's gradient within a compiled function is what it is eagerly."""

    def function(a: jitnet.Tensor, b: jitnet.Tensor) -> Any:
        y = jitnet.linalg.solve(symmetric(a), b).square().sum() + jitnet.logdet(symmetric(a)).sum()
        (first,) = jitnet.autograd.grad(y, [a], create_graph=True)
        return jitnet.autograd.grad(first.square().sum(), [a, b])

    leaves = [jitnet.tensor(each, requires_grad=True) for each in (SQUARE, RIGHT)]
    for mine, wanted in zip(jitnet.compile(function)(*leaves), function(*leaves), strict=True):
        np.testing.assert_allclose(mine.numpy(), wanted.numpy(), 1e-7)


# -- failures -------------------------------------------------------------------------------------

SINGULAR = np.stack([np.eye(3), np.diag([1.0, 0.0, 2.0])])

FAILURES: dict[str, tuple[Function, str]] = {
    "inv": (lambda lib, a: lib.linalg.inv(a), "Batch element 1.*diagonal element 2 is zero"),
    "solve": (lambda lib, a: lib.linalg.solve(a, a), "Batch element 1.*matrix is singular"),
    "cholesky": (lambda lib, a: lib.linalg.cholesky(a), "Batch element 1.*minor of order 2"),
    "svd": (lambda lib, a: lib.linalg.svd(a / 0), "linalg.svd: .*The algorithm failed"),
    "inverse": (lambda lib, a: a[1].inverse(), "linalg.inv: The diagonal element 2 is zero"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures(name: str) -> None:
    """LinAlgError, a RuntimeError, in PyTorch's words; compiled, with the user's line."""
    function, message = FAILURES[name]
    with pytest.raises(torch.linalg.LinAlgError, match=message):
        function(torch, torch.tensor(SINGULAR))
    x = jitnet.tensor(SINGULAR)
    with pytest.raises(jitnet.linalg.LinAlgError, match=message):
        function(jitnet, x)
    compiled = jitnet.compile(lambda a: function(jitnet, a))
    for _ in range(2):
        with pytest.raises(RuntimeError, match=message + r".*; test_linalg\.py:\d+"):
            compiled(x)
    fine = jitnet.tensor(np.stack([np.eye(3) * 2] * 2))
    if name != "svd":
        assert np.allclose(compiled(fine).numpy(), function(jitnet, fine).numpy())


def test_failure_leaves_parameters_alone() -> None:
    """A training step in which a node fails has written nothing."""
    weight = jitnet.nn.Parameter(jitnet.ones(3, 3, dtype=jitnet.float64))
    optimizer = jitnet.optim.SGD([weight], lr=0.1)

    @jitnet.compile
    def step(x: jitnet.Tensor) -> jitnet.Tensor:
        optimizer.zero_grad()
        weight.data.mul_(2)
        loss = (weight * jitnet.linalg.inv(x)).sum()
        loss.backward()
        optimizer.step()
        return loss

    with pytest.raises(jitnet.linalg.LinAlgError):
        step(jitnet.zeros(3, 3, dtype=jitnet.float64))
    assert (weight == 1).all()
    step(jitnet.eye(3, dtype=jitnet.float64))
    assert weight[0, 0].item() == pytest.approx(1.9)


@pytest.mark.parametrize(
    "function, error, message",
    [
        (lambda a: jitnet.linalg.inv(a[0]), RuntimeError, "square matrices"),
        (lambda a: jitnet.linalg.inv(a[0, 0]), RuntimeError, "at least 2 dimensions"),
        (lambda a: jitnet.linalg.det(a.half()), RuntimeError, "Low precision dtypes"),
        (lambda a: jitnet.linalg.qr(a.int()), RuntimeError, "floating point"),
        (lambda a: jitnet.linalg.qr(a, "all"), RuntimeError, "unrecognized mode 'all'"),
        (lambda a: jitnet.linalg.solve(a.mT @ a, a), RuntimeError, "Incompatible shapes"),
        (lambda a: jitnet.linalg.solve(a.mT @ a, a.float()), RuntimeError, "the same dtype"),
        (lambda a: jitnet.linalg.eigh(a.mT @ a, "X"), RuntimeError, "'L' or 'U'"),
        (lambda a: jitnet.linalg.svd(a, driver="gesvd"), RuntimeError, "only supported on CUDA"),
        (lambda a: jitnet.linalg.lstsq(a, a, driver="x"), RuntimeError, "should be one of"),
        (lambda a: jitnet.linalg.matrix_norm(a, 3), RuntimeError, "Order 3 not supported"),
        (lambda a: jitnet.linalg.eig(a), RuntimeError, "square matrices"),
        (lambda a: jitnet.linalg.norm(a, 2), RuntimeError, "must be 1D or 2D"),
        (lambda a: jitnet.linalg.tensorinv(a), RuntimeError, "prod"),
        (lambda a: jitnet.linalg.multi_dot([a[0]]), RuntimeError, "at least 2"),
        (lambda a: jitnet.linalg.qr(a, "r").R.sum().backward(), RuntimeError, "mode='r'"),
    ],
)  # fmt: skip
def test_refusals(function: Function, error: type[Exception], message: str) -> None:
    """Wrong arguments are named."""
    with pytest.raises(error, match=message):
        function(jitnet.tensor(DEEP, requires_grad=True))


def test_out() -> None:
    """Results go into tensors that exist."""
    a = jitnet.tensor(SQUARE)
    into = jitnet.empty_like(a)
    assert jitnet.linalg.inv(a, out=into) is into
    assert np.allclose((into @ a).numpy(), np.eye(4))
    q, r = jitnet.empty_like(a), jitnet.empty_like(a)
    jitnet.linalg.qr(a, out=(q, r))
    assert np.allclose((q @ r).numpy(), SQUARE)


def test_large_factors() -> None:
    """Elimination in panels is elimination."""
    a = jitnet.tensor(real(3, 150, 90))
    p, lower, upper = jitnet.linalg.lu(a)
    assert np.allclose((p @ lower @ upper).numpy(), a.numpy())
    x = jitnet.tensor(real(80, 80) + 20 * np.eye(80))
    b = jitnet.tensor(real(80, 5))
    found = jitnet.linalg.solve_triangular(x, b, upper=False)
    assert np.allclose((x.tril() @ found).numpy(), b.numpy())
