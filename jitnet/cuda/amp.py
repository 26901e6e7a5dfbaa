"""jitnet.cuda.amp: older names of jitnet.amp's; without a GPU they warn and do nothing."""

from __future__ import annotations

import sys
from typing import Any

from jitnet import amp
from jitnet.amp import custom_bwd as custom_bwd
from jitnet.amp import custom_fwd as custom_fwd
from jitnet.other_names import also
from jitnet.runtime.dtype import DType, float16

autocast_mode = grad_scaler = sys.modules[__name__]
also(__name__, autocast_mode=autocast_mode, grad_scaler=grad_scaler)


class autocast(amp.autocast):  # noqa: N801
    """jitnet.autocast("cuda", ...)."""

    def __init__(
        self, enabled: bool = True, dtype: DType = float16, cache_enabled: bool = True
    ) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """jitnet.amp.GradScaler("cuda", ...)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__("cuda", *args, **options)
