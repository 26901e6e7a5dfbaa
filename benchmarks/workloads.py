"""The workloads: named pieces of work, and how far ahead of the best peer jitnet wants to be."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.networks import Gpt2, LeNet, Lstm, Mlp, ResNet18, Transformer
from benchmarks.work import (
    Adam,
    Call,
    Decoding,
    Elementwise,
    Inference,
    Matmul,
    Sgd,
    SoftmaxLayerNorm,
    Training,
    Work,
    flops,
    traffic,
)


@dataclass(frozen=True)
class Workload:
    """A named piece of work."""

    name: str
    title: str
    work: Work
    goal: float = 0.0  # the best peer's time over jitnet's that is wanted; 0: none

    @property
    def flops(self) -> float:
        """Floating-point operations of one step."""
        return flops(self.work)

    @property
    def bytes(self) -> float:
        """Bytes that one step must move to and from memory."""
        return traffic(self.work)


MOMENTUM = Sgd(0.01, 0.9)
TRAINING = (
    Workload(
        "mlp_train",
        "MLP 784-128-10, batch 64, SGD",
        Training(Mlp((784, 128, 10)), 64, Sgd(0.01)),
        goal=3.0,
    ),
    Workload(
        "mlp_big_train",
        "MLP 1024-4096-4096-1024 with GELU, batch 256, Adam",
        Training(Mlp((1024, 4096, 4096, 1024), "gelu"), 256, Adam(1e-3), "mse_loss"),
        goal=1.3,
    ),
    Workload("lenet_train_b4", "LeNet, batch 4", Training(LeNet(), 4, MOMENTUM), goal=6.0),
    Workload("lenet_train_b128", "LeNet, batch 128", Training(LeNet(), 128, MOMENTUM), goal=3.0),
    Workload(
        "resnet18_cifar_train",
        "ResNet-18 on 32 x 32 images, batch 32",
        Training(ResNet18(small=True), 32, MOMENTUM),
        goal=1.3,
    ),
    Workload(
        "transformer_train",
        "transformer, 2 layers of 256, batch 8 of 128 tokens, Adam",
        Training(Transformer(), 8, Adam(1e-3)),
        goal=1.3,
    ),
    Workload(
        "lstm_train",
        "LSTM 128-256, batch 32 of 64 steps, Adam",
        Training(Lstm(), 32, Adam(1e-3), "mse_loss"),
        goal=1.4,
    ),
)
INFERENCE = (
    Workload(
        "resnet18_infer", "ResNet-18, one 224 x 224 image", Inference(ResNet18(False)), goal=1.1
    ),
    Workload("gpt2_prefill", "GPT-2 124M, 128 tokens at once", Inference(Gpt2()), goal=1.1),
    Workload(
        "gpt2_decode", "GPT-2 124M, one token, cache of 128", Decoding(Gpt2(), 128), goal=1.15
    ),
)


def _elementwise(size: int, label: str, backward: bool, goal: float) -> Workload:
    name = f"elementwise_{'fwdbwd' if backward else 'fwd'}_{label}"
    title = f"elementwise chain{', forward and backward' if backward else ''}, {label} elements"
    return Workload(name, title, Elementwise(size, backward), goal)


def _softmax(backward: bool, goal: float) -> Workload:
    name = f"softmax_layernorm_{'fwdbwd' if backward else 'fwd'}"
    title = f"softmax + layer norm{', forward and backward' if backward else ''}, 4096 x 1024"
    return Workload(name, title, SoftmaxLayerNorm(4096, 1024, backward), goal)


def _matmul(m: int, k: int, n: int) -> Workload:
    return Workload(f"matmul_{m}x{k}x{n}", f"matmul {m} x {k} x {n}", Matmul(m, k, n), goal=1.0)


OPERATIONS = (
    _elementwise(10**3, "1e3", backward=False, goal=2.0),
    _elementwise(10**5, "1e5", backward=False, goal=2.5),
    _elementwise(10**7, "1e7", backward=False, goal=2.5),
    _elementwise(10**3, "1e3", backward=True, goal=2.0),
    _elementwise(10**5, "1e5", backward=True, goal=2.5),
    _elementwise(10**7, "1e7", backward=True, goal=2.0),
    _softmax(backward=False, goal=1.8),
    _softmax(backward=True, goal=4.0),
    Workload("call_overhead", "x + 1 on 4 elements", Call(4)),
    *(_matmul(size, size, size) for size in (64, 128, 256, 512, 1024, 2048)),
    _matmul(64, 784, 128),
    _matmul(1, 768, 3072),
)
WORKLOADS = (*TRAINING, *INFERENCE, *OPERATIONS)
