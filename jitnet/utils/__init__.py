"""Tools around training; `jitnet.utils.data` feeds it."""

from . import data

__all__ = ["data"]
