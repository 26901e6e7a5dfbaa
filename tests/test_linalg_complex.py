"""Linear algebra of complex numbers against PyTorch: eager, compiled, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.autograd import gradcheck

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

rng = np.random.default_rng(5)
Function = Callable[..., Any]


def real(*shape: int) -> np.ndarray:
    """Return float64 numbers."""
    return rng.standard_normal(shape)


SQUARE, DEEP, WIDE = real(2, 4, 4) + 3 * np.eye(4), real(2, 5, 3), real(2, 3, 5)
COMPLEX = SQUARE + 1j * real(2, 4, 4)
COMPLEX_DEEP, COMPLEX_WIDE = DEEP + 1j * real(2, 5, 3), WIDE + 1j * real(2, 3, 5)


def positive(x: Any) -> Any:
    """Return a positive definite matrix that depends on all of x."""
    return x @ x.mH


def about_vectors(found: Any) -> list[Any]:
    """Return of a decomposition what does not depend on the vectors' phases."""
    return [part.abs() for part in found]


OF_COMPLEX: dict[str, tuple[Function, np.ndarray]] = {
    "inv": (lambda la, a: la.inv(a), COMPLEX),
    "solve": (lambda la, a: la.solve(a, a @ a), COMPLEX),
    "solve left": (lambda la, a: la.solve(a, a @ a, left=False), COMPLEX),
    "triangular": (lambda la, a: la.solve_triangular(a, a @ a, upper=True), COMPLEX),
    "det": (lambda la, a: la.det(a), COMPLEX),
    "slogdet": (lambda la, a: la.slogdet(a), COMPLEX),
    "exp": (lambda la, a: la.matrix_exp(a * 0.3), COMPLEX),
    "pinv": (lambda la, a: la.pinv(a), COMPLEX_DEEP),
    "pinv wide": (lambda la, a: la.pinv(a), COMPLEX_WIDE),
    "pinv hermitian": (lambda la, a: la.pinv(positive(a), hermitian=True), COMPLEX),
    "cholesky": (lambda la, a: la.cholesky(positive(a)), COMPLEX),
    "cholesky upper": (lambda la, a: la.cholesky(positive(a), upper=True), COMPLEX),
    "qr": (lambda la, a: la.qr(a), COMPLEX_DEEP),
    "qr wide": (lambda la, a: la.qr(a), COMPLEX_WIDE),
    "lu": (lambda la, a: la.lu(a)[1:], COMPLEX),
    "lu deep": (lambda la, a: la.lu(a)[1:], COMPLEX_DEEP),
    "lu wide": (lambda la, a: la.lu(a)[1:], COMPLEX_WIDE),
    "lu_solve": (lambda la, a: la.lu_solve(*la.lu_factor(a), a @ a, adjoint=True), COMPLEX),
    "lu_solve left": (lambda la, a: la.lu_solve(*la.lu_factor(a), a @ a, left=False), COMPLEX),
    "svd": (lambda la, a: about_vectors(la.svd(a, False)), COMPLEX_DEEP),
    "svd wide": (lambda la, a: about_vectors(la.svd(a, False)), COMPLEX_WIDE),
    "svd square": (lambda la, a: la.svd(a)[0] @ la.svd(a)[2], COMPLEX),
    "svdvals": (lambda la, a: la.svdvals(a), COMPLEX_WIDE),
    "eigh": (lambda la, a: about_vectors(la.eigh(positive(a))), COMPLEX),
    "eigvalsh": (lambda la, a: la.eigvalsh(positive(a)), COMPLEX),
    "eig": (lambda la, a: (la.eig(a)[0], la.eig(a)[1].abs()), COMPLEX),
    "eig of real": (lambda la, a: (la.eig(a)[0], la.eig(a)[1].abs()), SQUARE),
    "eigvals": (lambda la, a: la.eigvals(a), SQUARE),
    "norms": (lambda la, a: [la.matrix_norm(a, p) for p in ("fro", "nuc", 2, -1)], COMPLEX),
    "householder": (lambda la, a: la.householder_product(a, a[:, 0, :3]), COMPLEX_DEEP),
    "lstsq": (lambda la, a: la.lstsq(a, a[:, :, :2])[0], COMPLEX_DEEP),
}


@pytest.mark.parametrize("name", OF_COMPLEX)
def test_complex(name: str) -> None:
    """Values are PyTorch's, eager and compiled; gradients agree with finite differences."""
    function, array = OF_COMPLEX[name]
    wanted = flat(function(torch.linalg, torch.tensor(array)))
    x = jitnet.tensor(array, requires_grad=True)

    def ours(a: jitnet.Tensor) -> Any:
        return function(jitnet.linalg, a)

    for run in (ours, jitnet.compile(ours)):
        for mine, expected in zip(flat(run(x)), wanted, strict=True):
            assert str(mine.dtype).split(".")[-1] == str(expected.dtype).split(".")[-1]
            np.testing.assert_allclose(
                mine.detach().numpy(), expected.resolve_conj().numpy(), 1e-8, 1e-9
            )
    assert gradcheck(ours, [jitnet.tensor(array[:1], requires_grad=True)])


def flat(value: Any) -> list[Any]:
    """Return the tensors of a nested result."""
    return (
        [item for part in value for item in flat(part)]
        if isinstance(value, tuple | list)
        else [value]
    )
