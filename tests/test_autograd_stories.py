"""The stories of autograd end as recorded, and as PyTorch ends them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet.autograd.functional import hessian, jacobian, vjp
from tests import autograd_write_stories  # noqa: F401  (adds its own to STORIES)
from tests.autograd_stories import STORIES, Story
from tests.conftest import GOLDEN

RECORD = GOLDEN / "autograd_stories.json"


def plain(value: Any) -> Any:
    """Return a story's end as JSON can hold it: tensors as dtype and nested lists."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if hasattr(value, "detach"):
        return {"dtype": str(value.dtype).split(".")[1], "values": value.detach().tolist()}
    return value


def assert_alike(got: Any, want: Any) -> None:
    """Assert that two ends are equal, numbers nearly so."""
    if isinstance(want, dict):
        assert got["dtype"] == want["dtype"]
        np.testing.assert_allclose(got["values"], want["values"], rtol=1e-5)
    elif isinstance(want, list):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert_alike(a, b)
    else:
        assert got == want


@pytest.mark.parametrize("tell", STORIES, ids=lambda function: function.__name__)
def test_story_ends_as_recorded(tell: Story, request: pytest.FixtureRequest) -> None:
    """What comes out is what came out before; --update-golden records it."""
    got = plain(tell(jitnet))
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if request.config.getoption("--update-golden"):
        record[tell.__name__] = got
        RECORD.write_text(json.dumps(dict(sorted(record.items())), indent=1) + "\n")
    assert_alike(got, record[tell.__name__])


@pytest.mark.parametrize("tell", STORIES, ids=lambda function: function.__name__)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_story_ends_as_pytorchs(tell: Story) -> None:
    """Both libraries end a story alike."""
    torch = pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")
    assert_alike(plain(tell(jitnet)), plain(tell(torch)))


def test_jacobian_and_hessian() -> None:
    """Whole matrices of derivatives."""
    x = jitnet.tensor([1.0, 2.0, 3.0])
    assert jacobian(lambda v: v * v, x).tolist() == [[2, 0, 0], [0, 4, 0], [0, 0, 6]]
    assert hessian(lambda v: (v**3).sum(), x).tolist() == [[6, 0, 0], [0, 12, 0], [0, 0, 18]]
    y, product = vjp(lambda v: v * 2, x, jitnet.tensor([1.0, 0.0, 2.0]))
    assert y.tolist() == [2, 4, 6] and product.tolist() == [2, 0, 4]
    first, second = jacobian(lambda a, b: (a * b).sum().reshape(1), (x, x + 1))
    assert first.tolist() == [[2, 3, 4]] and second.tolist() == [[1, 2, 3]]


def test_gradcheck_finds_wrong_gradients() -> None:
    """A gradient that does not fit is reported."""

    class Wrong(jitnet.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 3

    x = jitnet.rand(3, dtype=jitnet.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="Jacobian mismatch for output 0"):
        jitnet.autograd.gradcheck(Wrong.apply, x)
    assert not jitnet.autograd.gradcheck(Wrong.apply, x, raise_exception=False)
    with pytest.raises(ValueError, match="float64"):
        jitnet.autograd.gradcheck(Wrong.apply, jitnet.rand(2, requires_grad=True))


@pytest.mark.parametrize("tell", STORIES, ids=lambda function: function.__name__)
def test_story_ends_alike_in_a_program(tell: Story) -> None:
    """The same story, traced and compiled."""
    assert_alike(plain(jitnet.compile(lambda: tell(jitnet))()), plain(tell(jitnet)))
