"""Tools around training; `jitnet.utils.data` feeds it."""

from . import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
