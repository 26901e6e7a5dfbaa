"""Tools around training; `jitnet.utils.data` feeds it."""

from . import _foreach_utils, _pytree, checkpoint, data, dlpack, hooks
from .swapping import swap_tensors

__all__ = ["checkpoint", "data", "dlpack", "hooks", "swap_tensors"]
