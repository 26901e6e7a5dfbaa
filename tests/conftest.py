"""What every test gets: the oracle's presence checked, and Hypothesis kept short and repeatable."""

from __future__ import annotations

import importlib.util
import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "jitnet",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("jitnet")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to skip the comparisons with PyTorch where they were asked for."""
    asked = os.environ.get("ORACLE", "") not in ("", "0")
    if asked and importlib.util.find_spec("torch") is None:
        raise pytest.UsageError("ORACLE=1 asks for PyTorch, which is not installed: make test ORACLE=1")
