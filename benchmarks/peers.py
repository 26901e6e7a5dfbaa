"""Who takes part, and in which settings: the best setting of a peer is the one that counts."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from benchmarks.kinds import (
    anything,
    infers,
    infers_images,
    is_elementwise,
    is_forward,
    is_matmul,
    trains,
    trains_images,
)
from benchmarks.work import Work

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
    fits: Callable[[Work], bool] = anything

    def keeping_memory(self) -> Setting:
        """Return the setting with a malloc that keeps what is freed."""
        label = "memory kept" if self.name == "default" else f"{self.name}, memory kept"
        return replace(self, name=label, environment={**self.environment, **KEEP_MEMORY})


@dataclass(frozen=True)
class Peer:
    """A library that can do the workloads."""

    name: str  # what --peers takes
    title: str
    package: str  # what must be installed
    adapter: str  # a module of benchmarks.adapters
    settings: tuple[Setting, ...] = (Setting(),)
    environment: dict[str, str] = field(default_factory=dict)  # of all its settings
    does: Callable[[Work], bool] = anything
    command: str = ""  # a program that it needs beside the package
    plain_only: bool = False  # never run with a malloc that keeps memory
    reads_model: bool = False  # wants the workload as an ONNX file

    @property
    def lacks(self) -> str:
        """What the peer would need and this machine does not have; "" where all is there."""
        if importlib.util.find_spec(self.package) is None:
            return self.package
        return self.command if self.command and shutil.which(self.command) is None else ""


def _setting(name: str, *options: str, fits: Callable[[Work], bool] = anything) -> Setting:
    return Setting(name, frozenset(options), fits=fits)


JITNET = Peer("jitnet", "jitnet", "jitnet", "jitnet", plain_only=True)
JITNET_EAGER = Peer("eager", "jitnet eager", "jitnet", "jitnet", (_setting("default", "eager"),))
TORCH = Peer(
    "torch",
    "PyTorch eager",
    "torch",
    "pytorch",
    (
        Setting(),
        _setting("fused optimizer", "fused", fits=trains),
        _setting("channels-last", "channels-last", fits=infers_images),
        _setting("channels-last, fused optimizer", "channels-last", "fused", fits=trains_images),
    ),
)
TORCH_COMPILE = Peer(
    "compile",
    "torch.compile",
    "torch",
    "pytorch",
    (
        _setting("default", "compile", fits=lambda work: not trains(work)),
        _setting("compiled optimizer", "compile", fits=trains),
        _setting("fused optimizer", "compile", "fused", fits=trains),
        _setting("max-autotune", "compile", "max-autotune"),
        _setting("frozen", "compile", "freeze", fits=infers),
        _setting("frozen, max-autotune", "compile", "freeze", "max-autotune", fits=infers),
        _setting(
            "channels-last, fused optimizer",
            *("compile", "channels-last", "fused"),
            fits=trains_images,
        ),
        _setting("channels-last, frozen", "compile", "channels-last", "freeze", fits=infers_images),
    ),
)
JAX = Peer(
    "jax",
    "JAX jit",
    "jax",
    "xla",
    environment={
        "JAX_PLATFORMS": "cpu",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # what it compiled fast is kept too
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    },
)
TINYGRAD = Peer(
    "tinygrad",
    "tinygrad",
    "tinygrad",
    "tiny",
    (
        Setting("clang", environment={"DEV": "CPU"}),
        Setting("LLVM", environment={"DEV": "CPU:LLVM"}),
        Setting("clang, beam search", environment={"DEV": "CPU", "BEAM": "2"}, fits=is_matmul),
    ),
    command="clang",
)
ONNX_RUNTIME = Peer(
    "onnxruntime",
    "ONNX Runtime",
    "onnxruntime",
    "ort",
    (Setting(), _setting("bound memory", "bound")),
    does=is_forward,
    reads_model=True,
)
OPENVINO = Peer("openvino", "OpenVINO", "openvino", "vino", does=is_forward, reads_model=True)
NUMPY = Peer(
    "numpy",
    "NumPy",
    "numpy",
    "array",
    does=lambda work: is_matmul(work) or is_elementwise(work),
)
NUMBA = Peer(
    "numba",
    "Numba",
    "numba",
    "loops",
    (Setting(), _setting("parallel", "parallel")),
    does=is_elementwise,
)

PEERS = (TORCH, TORCH_COMPILE, JAX, TINYGRAD, ONNX_RUNTIME, OPENVINO, NUMPY, NUMBA)
ALL = (JITNET, JITNET_EAGER, *PEERS)


def peer_named(name: str) -> Peer:
    """Return jitnet or a peer by the name that --peers takes."""
    return next(peer for peer in ALL if peer.name == name)
