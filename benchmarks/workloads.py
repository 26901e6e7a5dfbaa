"""The workloads: what is computed, and what the hardware at least must do for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Training:
    """One step of training a classifier: forward, loss, backward, update by SGD."""

    network: str  # "mlp" or "lenet"
    batch: int
    learning_rate: float
    momentum: float


@dataclass(frozen=True)
class Elementwise:
    """gelu(1.5 x + 0.5) sigmoid(x) + tanh(x) of a vector; or the gradient of its sum."""

    size: int
    backward: bool


@dataclass(frozen=True)
class SoftmaxLayerNorm:
    """layer_norm(softmax(x)) of each row; or the gradients of its weighted sum."""

    rows: int
    columns: int
    backward: bool


@dataclass(frozen=True)
class Matmul:
    """A product of two matrices, [m, k] @ [k, n]."""

    m: int
    k: int
    n: int


@dataclass(frozen=True)
class Call:
    """x + 1 on a few elements: what a call costs."""

    size: int


Work = Training | Elementwise | SoftmaxLayerNorm | Matmul | Call


@dataclass(frozen=True)
class Workload:
    """A named piece of work and its lower bounds for one step."""

    name: str
    title: str
    work: Work
    flops: float = 0.0  # multiply-adds count as two
    bytes: float = 0.0  # traffic to memory that no program can avoid; 0 where all stays in cache

    @property
    def trains(self) -> bool:
        """Whether a step includes an optimizer's update."""
        return isinstance(self.work, Training)


def _elementwise(size: int, label: str, backward: bool) -> Workload:
    name = f"elementwise_{'fwdbwd' if backward else 'fwd'}_{label}"
    title = f"elementwise chain{', forward and backward' if backward else ''}, {label} elements"
    flops = (100 if backward else 60) * size  # erf, exp and tanh are polynomials
    beyond_cache = size * 4 > 1 << 24
    return Workload(name, title, Elementwise(size, backward), flops, 8 * size * beyond_cache)


def _softmax(backward: bool) -> Workload:
    rows, columns = 4096, 1024
    name = f"softmax_layernorm_{'fwdbwd' if backward else 'fwd'}"
    title = f"softmax + layer norm{', forward and backward' if backward else ''}, 4096 x 1024"
    elements = rows * columns
    flops, arrays = (50, 3) if backward else (25, 2)  # read x (and u), write the result
    work = SoftmaxLayerNorm(rows, columns, backward)
    return Workload(name, title, work, flops * elements, arrays * 4 * elements)


def _matmul(m: int, k: int, n: int) -> Workload:
    return Workload(
        f"matmul_{m}x{k}x{n}", f"matmul {m} x {k} x {n}", Matmul(m, k, n), 2 * m * k * n
    )


_MATMULS = [(size, size, size) for size in (64, 128, 256, 512, 1024, 2048)]
_SIZES = [(10**3, "1e3"), (10**5, "1e5"), (10**7, "1e7")]

WORKLOADS = (
    Workload("mlp_train", "MLP 784-128-10, batch 64", Training("mlp", 64, 0.01, 0.0), 26.2e6),
    Workload("lenet_train_b4", "LeNet, batch 4", Training("lenet", 4, 0.01, 0.9), 12.8e6),
    Workload("lenet_train_b128", "LeNet, batch 128", Training("lenet", 128, 0.01, 0.9), 410e6),
    *(_elementwise(size, label, False) for size, label in _SIZES),
    *(_elementwise(size, label, True) for size, label in _SIZES),
    _softmax(backward=False),
    _softmax(backward=True),
    Workload("call_overhead", "x + 1 on 4 elements", Call(4)),
    *(_matmul(*shape) for shape in [*_MATMULS, (1, 768, 3072), (64, 784, 128)]),
)


def workload_named(name: str) -> Workload:
    """Return a workload by its name."""
    return next(each for each in WORKLOADS if each.name == name)


def workloads_like(patterns: list[str]) -> tuple[Workload, ...]:
    """Return the workloads whose names are, or begin with, one of the patterns; all for none."""
    for pattern in patterns:
        if not any(each.name.startswith(pattern) for each in WORKLOADS):
            names = ", ".join(each.name for each in WORKLOADS)
            raise ValueError(f"no workload begins with {pattern!r}; there are {names}")
    if not patterns:
        return WORKLOADS
    return tuple(each for each in WORKLOADS if each.name.startswith(tuple(patterns)))
