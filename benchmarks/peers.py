"""Who takes part, and in which settings: the best setting of a peer is the one that counts."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass, field

from benchmarks.workloads import Call, Matmul, Workload

# glibc's malloc keeps what is freed: no page faults for large temporaries.
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "1000000000000",
    "MALLOC_TOP_PAD_": "67108864",
}


@dataclass(frozen=True)
class Setting:
    """One way to run a peer: options for its adapter, variables for its process."""

    name: str = "default"
    options: frozenset[str] = frozenset()
    environment: dict[str, str] = field(default_factory=dict)
    only: str = ""  # "training", "other" or "" for both

    def fits(self, workload: Workload) -> bool:
        """Whether the setting makes sense for a workload."""
        return not self.only or (self.only == "training") == workload.trains


@dataclass(frozen=True)
class Peer:
    """A library that can do the workloads."""

    name: str  # what --peers takes
    title: str
    package: str  # what must be installed
    adapter: str  # a module of benchmarks.adapters
    settings: tuple[Setting, ...] = (Setting(),)
    environment: dict[str, str] = field(default_factory=dict)  # of all its settings
    only: tuple[type, ...] = ()  # the kinds of work that it has; () for all
    command: str = ""  # a program that it needs beside the package

    def does(self, workload: Workload) -> bool:
        """Whether the peer has what a workload needs."""
        return not self.only or isinstance(workload.work, self.only)

    @property
    def lacks(self) -> str:
        """What the peer would need and this machine does not have; "" where all is there."""
        if importlib.util.find_spec(self.package) is None:
            return self.package
        return self.command if self.command and shutil.which(self.command) is None else ""


def _kept(name: str, *options: str, only: str = "") -> Setting:
    label = f"{name}, memory kept" if name else "memory kept"
    return Setting(label, frozenset(options), KEEP_MEMORY, only)


JITNET = Peer("jitnet", "jitnet", "jitnet", "jitnet")
JITNET_EAGER = Peer(
    "eager", "jitnet eager", "jitnet", "jitnet", (Setting(options=frozenset({"eager"})),)
)
TORCH = Peer(
    "torch",
    "PyTorch eager",
    "torch",
    "pytorch",
    (
        Setting(),
        Setting("fused optimizer", frozenset({"fused"}), only="training"),
        _kept("fused optimizer", "fused", only="training"),
        _kept("", only="other"),
    ),
)
TORCH_COMPILE = Peer(
    "compile",
    "torch.compile",
    "torch",
    "pytorch",
    (
        Setting("default", frozenset({"compile"}), only="other"),
        _kept("compiled optimizer", "compile", only="training"),
        _kept("fused optimizer", "compile", "fused", only="training"),
        _kept("", "compile", only="other"),
        _kept("max-autotune", "compile", "max-autotune", only="training"),
    ),
)
JAX = Peer(
    "jax", "JAX jit", "jax", "xla", (Setting(), _kept("")), environment={"JAX_PLATFORMS": "cpu"}
)
TINYGRAD = Peer(
    "tinygrad",
    "tinygrad",
    "tinygrad",
    "tiny",
    (
        Setting("clang", environment={"DEV": "CPU"}),
        Setting("LLVM", environment={"DEV": "CPU:LLVM"}),
    ),
    command="clang",
)
NUMPY = Peer("numpy", "NumPy", "numpy", "array", only=(Call, Matmul))

PEERS = (TORCH, TORCH_COMPILE, JAX, TINYGRAD, NUMPY)
ALL = (JITNET, JITNET_EAGER, *PEERS)


def peer_named(name: str) -> Peer:
    """Return jitnet or a peer by the name that --peers takes."""
    return next(peer for peer in ALL if peer.name == name)
