"""Tools around training; `jitnet.utils.data` feeds it."""

from . import _foreach_utils, _pytree, checkpoint, data, dlpack, hooks

__all__ = ["checkpoint", "data", "dlpack", "hooks"]
