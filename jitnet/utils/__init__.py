"""Tools around training; `jitnet.utils.data` feeds it."""

from . import checkpoint, data

__all__ = ["checkpoint", "data"]
