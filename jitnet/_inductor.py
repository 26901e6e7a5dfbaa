"""jitnet._inductor: switches of PyTorch's compiler, which may be set and change nothing."""

from types import SimpleNamespace

config = SimpleNamespace(cpp=SimpleNamespace(), triton=SimpleNamespace())
