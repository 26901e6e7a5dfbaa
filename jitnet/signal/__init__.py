"""jitnet.signal: windows for signals, under the names of torch.signal."""

from . import windows as windows
