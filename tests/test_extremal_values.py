"""Infinities, NaN, zeros of both signs, huge and tiny numbers in functions of one argument."""

from __future__ import annotations

from typing import Any

import pytest

import jitnet

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

from torch.testing._internal.opinfo.core import UnaryUfuncInfo  # noqa: E402

from tests import op_database as database  # noqa: E402

INF, NAN = float("inf"), float("nan")
VALUES = [-INF, INF, NAN, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, -2.5, 1e30, -1e30, 1e-30, 1e300]
KNOWN = {  # PyTorch's are not exact here: sines of multiples of pi, overflow on the way
    "polygamma", "special.polygamma", "special.i0e", "special.i1e",
}  # fmt: skip


def _functions() -> list[Any]:
    return [
        info
        for info in database.covered()
        if isinstance(info, UnaryUfuncInfo) and info.supports_dtype(torch.float64, "cpu")
        if info.name not in KNOWN and not info.name.startswith(("special.", "nn.", "empty", "to"))
    ]


GROUPS = [_functions()[start::6] for start in range(6)]


def _complaints(infos: list[Any], found: list[Any], values: Any) -> list[str]:
    wanted = [info.op(values) for info in infos]
    said = [database.difference(a, b) for a, b in zip(found, wanted, strict=True)]
    return [f"{info.name}: {text}" for info, text in zip(infos, said, strict=True) if text]


@pytest.mark.parametrize("group", range(6))
def test_as_pytorch(group: int) -> None:
    infos = [info for info in GROUPS[group] if not info.sample_kwargs("cpu", torch.float64, 0)[0]]
    functions = [database.function_of(info) for info in infos]

    def run(x: Any) -> list[Any]:
        return [function(x) for function in functions]

    x = jitnet.tensor(VALUES, dtype=jitnet.float64)
    values = torch.tensor(VALUES, dtype=torch.float64)
    for form in (run, jitnet.compile(run)):
        said = _complaints(infos, form(x), values)
        assert not said, "\n".join(said)


def test_gradients_of_what_is_selected() -> None:
    """Rules for special values put no NaN into the gradients of the others."""
    x = jitnet.tensor([INF, 3.0, -0.5, 1e9], dtype=jitnet.float64, requires_grad=True)
    for function in (jitnet.lgamma, jitnet.digamma, jitnet.angle):
        (gradient,) = jitnet.autograd.grad(function(x).sum(), x)
        assert gradient[1:].isfinite().all(), function


def test_numbers_far_apart_print_without_a_warning() -> None:
    x = torch.tensor([1e300, 1e-30], dtype=torch.float64)
    mine = repr(jitnet.tensor([1e300, 1e-30], dtype=jitnet.float64))
    assert mine == repr(x).replace("torch.", "jitnet.")
