"""What every test gets: golden texts, the oracle where asked for, a repeatable Hypothesis."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from jitnet.runtime import threads
from tests.gpu_fixture import gpu as gpu
from tests.gpu_fixture import machine as machine
from tests.routine_harness import carry_out as carry_out

GOLDEN = Path(__file__).parent / "golden"

settings.register_profile(
    "jitnet",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("jitnet")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden."""
    help = "write what the tests print to tests/golden/ instead of comparing with it"
    parser.addoption("--update-golden", action="store_true", help=help)


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled code with pytest's cache; refuse to skip comparisons that were asked for."""
    if "JITNET_CACHE_DIR" not in os.environ:
        os.environ["JITNET_CACHE_DIR"] = str(config.rootpath / ".pytest_cache" / "jitnet")
    os.environ.setdefault("JITNET_DEBUG", "1")  # check what every pass makes
    asked = os.environ.get("ORACLE", "") not in ("", "0")
    if asked and importlib.util.find_spec("torch") is None:
        message = "ORACLE=1 wants PyTorch, which is not installed; use: make test ORACLE=1"
        raise pytest.UsageError(message)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """Leave the number of threads as it was, whatever a test sets."""
    before = threads.get_num_threads()
    yield
    threads.set_num_threads(before)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/NAME: `golden("simplify.txt", str(graph))`."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        got = text.rstrip("\n") + "\n"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(got)
        assert path.exists(), f"no {path}: run pytest --update-golden, then read what it wrote"
        assert got == path.read_text(), f"{path.name} differs; if it should: pytest --update-golden"

    return check
