"""A few singular values and eigenvalues, eagerly and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet

RNG = np.random.default_rng(0)
LOW = (RNG.normal(size=(2, 9, 3)) @ RNG.normal(size=(2, 3, 7))).astype(np.float32)
Run = Callable[..., Any]
BOTH = pytest.mark.parametrize("way", [lambda f: f, jitnet.compile], ids=["eager", "compiled"])


@BOTH
def test_a_matrix_of_low_rank_is_found_again(way: Callable[[Run], Run]) -> None:
    u, s, v = way(lambda x: jitnet.svd_lowrank(x, q=3))(jitnet.tensor(LOW))
    np.testing.assert_allclose((u * s.unsqueeze(-2) @ v.mT).numpy(), LOW, atol=1e-4)
    np.testing.assert_allclose(s.numpy(), np.linalg.svd(LOW)[1][:, :3], rtol=1e-4)


@BOTH
def test_principal_directions(way: Callable[[Run], Run]) -> None:
    shifted = LOW + 5
    _, s, v = way(lambda x: jitnet.pca_lowrank(x, q=3))(jitnet.tensor(shifted))
    away = shifted - shifted.mean(1, keepdims=True)
    np.testing.assert_allclose(s.numpy(), np.linalg.svd(away)[1][:, :3], rtol=1e-3)
    np.testing.assert_allclose((v.mT @ v).numpy(), np.eye(3)[None].repeat(2, 0), atol=1e-5)


@BOTH
@pytest.mark.parametrize("largest", [True, False])
def test_a_few_eigenpairs(way: Callable[[Run], Run], largest: bool) -> None:
    torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")
    a = RNG.normal(size=(9, 9))
    a, b = a @ a.T + np.eye(9), np.diag(np.arange(1.0, 10))
    run = way(lambda a, b: jitnet.lobpcg(a, 2, b, largest=largest))
    values, vectors = run(jitnet.tensor(a), jitnet.tensor(b))
    wanted = torch.lobpcg(torch.tensor(a), 2, torch.tensor(b), largest=largest, niter=200)[0]
    np.testing.assert_allclose(values.numpy(), wanted.numpy(), rtol=1e-5)
    x = vectors.numpy()
    np.testing.assert_allclose(a @ x, b @ x * values.numpy(), atol=1e-8)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="not greater than"):
        jitnet.svd_lowrank(jitnet.ones(3, 4), q=4)
    with pytest.raises(jitnet.ShapeError, match="3 x"):
        jitnet.lobpcg(jitnet.eye(4), 2)
