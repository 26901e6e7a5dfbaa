"""`--device cuda`: the workloads of a GPU, who takes part there, and what its memory can do."""

from __future__ import annotations

import math
from dataclasses import replace

from benchmarks.floor import Machine
from benchmarks.networks import LeNet, Mlp, ResNet18, Transformer
from benchmarks.peers import JAX, JITNET, TORCH, TORCH_COMPILE, Peer, Setting
from benchmarks.work import Adam, Call, Elementwise, Matmul, Sgd, SoftmaxLayerNorm, Training
from benchmarks.workloads import MOMENTUM, Workload
from jitnet.runtime.cuda import gpu as gpus

OPTION = "cuda"  # what an adapter is told
HOW = "a copy of half a gigabyte within the GPU, the best of several"
COPIED = 1 << 29  # bytes
TRIES = 20


def _matmul(size: int, dtype: str) -> Workload:
    name = f"gpu_matmul_{size}_{dtype}"
    return Workload(name, f"matmul {size} x {size} x {size}, {dtype}", _product(size, dtype))


def _product(size: int, dtype: str) -> Matmul:
    return Matmul(size, size, size, dtype)


WORKLOADS = (
    Workload(
        "gpu_mlp_train",
        "MLP 784-128-10, batch 64, SGD",
        Training(Mlp((784, 128, 10)), 64, Sgd(0.01)),
    ),
    *(
        Workload(f"gpu_lenet_train_b{batch}", f"LeNet, batch {batch}", _work)
        for batch in (4, 128, 1024)
        for _work in (Training(LeNet(), batch, MOMENTUM),)
    ),
    Workload(
        "gpu_resnet18_train",
        "ResNet-18 on 32 x 32 images, batch 256",
        Training(ResNet18(small=True), 256, MOMENTUM),
    ),
    Workload(
        "gpu_transformer_train",
        "transformer, 12 layers of 1024, batch 16 of 512 tokens, Adam",
        Training(
            Transformer(width=1024, heads=16, hidden=4096, layers=12, length=512), 16, Adam(1e-3)
        ),
    ),
    Workload("gpu_elementwise_fwd", "elementwise chain, 1e8 elements", Elementwise(10**8, False)),
    Workload(
        "gpu_elementwise_fwdbwd",
        "elementwise chain, forward and backward, 1e8 elements",
        Elementwise(10**8, True),
    ),
    Workload(
        "gpu_rows_fwd", "softmax + layer norm, 65536 x 1024", SoftmaxLayerNorm(65536, 1024, False)
    ),
    Workload(
        "gpu_rows_fwdbwd",
        "softmax + layer norm, forward and backward, 65536 x 1024",
        SoftmaxLayerNorm(65536, 1024, True),
    ),
    Workload("gpu_call_overhead", "x + 1 on 4 elements", Call(4)),
    *(_matmul(size, dtype) for dtype in ("float32", "bfloat16") for size in (1024, 4096, 8192)),
)


def _there(setting: Setting) -> Setting:
    return replace(setting, options=setting.options | {OPTION})


def _on_gpu(peer: Peer, *more: Setting, **environment: str) -> Peer:
    """Return a peer whose settings compute on the GPU; one malloc is enough there."""
    settings = tuple(_there(each) for each in (*peer.settings, *more))
    return replace(
        peer,
        settings=settings,
        plain_only=True,
        environment={**peer.environment, **environment},
    )


GRAPHS = Setting("CUDA graphs", frozenset({"compile", "graphs"}))
PEERS = (
    _on_gpu(JITNET),
    _on_gpu(TORCH),
    _on_gpu(TORCH_COMPILE, GRAPHS),
    # float32 products of JAX would round their operands to tf32, which nobody else does unasked.
    _on_gpu(JAX, JAX_PLATFORMS="cuda", JAX_DEFAULT_MATMUL_PRECISION="highest"),
)


def why_not() -> str | None:
    """Return why no GPU can be used; None where one can."""
    return gpus.platform().why_not()


def measure(size: int = COPIED) -> Machine:
    """Return what the GPU's memory moves, timed by its own events; products are not bounded."""
    gpu = gpus.gpu(0)
    driver, stream = gpu.driver, gpu.stream
    source, target = gpu.zeros_of(size, "a probe"), gpu.memory(size, "a probe")
    start, end = driver.new_event(True), driver.new_event(True)
    best = math.inf
    for _ in range(TRIES):
        driver.record(start, stream)
        driver.copy(target.address, source.address, size, stream)
        driver.record(end, stream)
        driver.synchronize_event(end)
        best = min(best, driver.elapsed(start, end) / 1e3)
    for event in (start, end):
        driver.close_event(event)
    return Machine(
        processor=driver.properties.name,
        threads=1,
        flops=math.inf,
        bandwidth=2 * size / best,
        how=HOW,
    )
