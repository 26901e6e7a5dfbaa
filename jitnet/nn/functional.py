"""The functions of `jitnet.functional` under the name that PyTorch users import."""

from jitnet.functional import *  # noqa: F403
