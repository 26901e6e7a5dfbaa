"""Our functions against PyTorch's own op database: samples, gradients, compiled code, errors.

Each entry of the database whose name we have is one test, with its first few samples. The full
sweep, with all samples of all dtypes in all ways, takes hours of compiling, so name a few (-k):

    JITNET_OP_DATABASE=full python -m pytest tests/test_op_database.py -k pool
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import pytest

from tests.op_database_exceptions import EXCEPTIONS, exceptions, is_random

torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")

from tests import op_database as database  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

FULL = os.environ.get("JITNET_OP_DATABASE") == "full"
DTYPES = tuple(database.DTYPES) if FULL else ("float32", "int64", "bool", "bfloat16", "complex64")
GRADIENTS = (
    dict.fromkeys(database.DTYPES, 0) if FULL else {"float64": 2, "complex64": 2, "complex128": 1}
)  # how many samples of each; the last one is compiled
ENTRIES = database.covered()


def few(samples: Iterable[Any], count: int) -> list[Any]:
    """Return the first samples, or all of them in the full sweep."""
    return list(samples if FULL else islice(samples, count))


def title(info: Any) -> str:
    """Return an entry's name in the output of pytest."""
    return ".".join(filter(None, (info.name, info.variant_test_name)))


def complaints(
    check: Callable[..., str | None], samples: list[Any], label: str, *options: Any
) -> list[str]:
    """Return what a check says of samples that PyTorch itself can run."""
    found = []
    for number, sample in enumerate(samples):
        try:
            said = check(sample, *options)
        except database.NotComparableError:
            continue
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        if said:
            found.append(f"{label}, sample {number}: {said}")
    return found


@pytest.mark.parametrize("info", ENTRIES, ids=title)
def test_agrees_with_pytorch(info: Any) -> None:
    torch.manual_seed(0)
    out, random = exceptions(info.name, info.variant_test_name), is_random(info.name)
    found: list[str] = []
    # What has gradients is compiled with them.
    alone = None if info.supports_autograd else DTYPES[0]
    if not info.supports_dtype(torch.float32, "cpu"):
        alone = "int64"
    for dtype in DTYPES:
        if out & {dtype, "eager"} or not info.supports_dtype(database.DTYPES[dtype], "cpu"):
            continue
        samples = few(database.samples(info, dtype), 2 if dtype == "float32" else 1)
        found += complaints(database.check_forward, samples, dtype, random, False)
        if "compiled" not in out and (FULL or dtype == alone):
            last = samples if FULL else samples[-1:]
            found += complaints(database.check_forward, last, f"compiled {dtype}", random, True)
        if info.supports_out and "out" not in out and (FULL or dtype == "float32"):
            written = samples if FULL else samples[:1]
            found += complaints(database.check_out, written, f"out {dtype}", random)
    checked = GRADIENTS if info.supports_autograd and "gradient" not in out else {}
    for dtype, count in checked.items():
        known = database.DTYPES[dtype] in info.supported_backward_dtypes("cpu")
        if not known or out & {dtype, f"gradient/{dtype}"}:
            continue
        samples = few(database.samples(info, dtype, gradient=True), count)
        found += complaints(database.check_gradients, samples, f"gradient {dtype}", random, False)
        if "compiled" not in out:
            last = samples if FULL else samples[-1:]
            found += complaints(
                database.check_gradients, last, f"compiled gradient {dtype}", random, True
            )
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "info", [info for info in ENTRIES if info.error_inputs_func is not None], ids=title
)
def test_refuses_what_pytorch_refuses(info: Any) -> None:
    if "error" in exceptions(info.name, info.variant_test_name):
        return
    found = []
    for number, (sample, message) in enumerate(few(database.wrong_samples(info), 8)):
        for compiled in (False, True) if number < 2 or FULL else (False,):
            said = complaints(database.check_error, [sample], message, compiled)
            found += said
    assert not found, "\n".join(found)


def test_every_exception_names_an_entry() -> None:
    """A name that is gone from the database, or that we lack, needs no exception."""
    known = {name for info in ENTRIES for name in (info.name, title(info))}
    for rule in EXCEPTIONS:
        assert not set(rule.names.split()) - known, rule
