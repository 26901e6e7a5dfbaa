"""jitnet.utils.hooks: what registering a hook returns."""

from jitnet.missing import missing
from jitnet.nn.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
__getattr__ = missing(__name__, globals())
