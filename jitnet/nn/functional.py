"""The functions of `jitnet.functional` under the name that PyTorch users import."""

from jitnet.functional import *  # noqa: F403
from jitnet.missing import missing

__getattr__ = missing(__name__, globals())
