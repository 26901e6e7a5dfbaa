"""jitnet.cpu.amp: older names of jitnet.amp's."""

from __future__ import annotations

from typing import Any

from jitnet import amp
from jitnet.runtime.dtype import DType, bfloat16


class autocast(amp.autocast):  # noqa: N801
    """jitnet.autocast("cpu", ...)."""

    def __init__(
        self, enabled: bool = True, dtype: DType = bfloat16, cache_enabled: bool = True
    ) -> None:
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """jitnet.amp.GradScaler("cpu", ...)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__("cpu", *args, **options)
