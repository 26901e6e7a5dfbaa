"""jitnet.version: what programs ask about the build."""

from __future__ import annotations

debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version: str | None = None
