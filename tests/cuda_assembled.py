"""Compiles and assembles the CUDA kernels of some steps, and prints what each takes, as JSON.

A process of its own, in which Numba is not the simulator that other tests use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import jitnet
from jitnet import nn
from jitnet.compiler.cuda import lower_cuda
from jitnet.compiler.ir.graph import Graph
from jitnet.nn import functional as F
from jitnet.runtime.cuda import assemble, compile_ptx

CAPABILITIES = ((8, 0), (9, 0))
OLDEST = (7, 5)  # without the instructions of tensor cores that kernels use
ON_THE_OLDEST = ("rows", "bfloat16", "float16")
_SM = 49  # the byte of a cubin's ELF header that says which GPU it is for: of e_flags, the second
HOT = (
    "product",
    "large",
    "turned",
)  # whose PTX is made for each; that of others is the older one's


def graphs(function: Callable[..., Any], *args: Any) -> list[Graph]:
    """Return the graphs that a function becomes for some arguments."""
    compiled = jitnet.compile(function)
    compiled(*args)
    return [
        launch.executable.compiled.graph
        for variant in compiled.variants
        for launch in variant.programs
    ]


def training_step() -> list[Graph]:
    """Convolution, batch norm, pooling, dropout, cross entropy and Adam."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.1), nn.Linear(8 * 7 * 7, 10),
    )  # fmt: skip
    optimizer = jitnet.optim.Adam(model.parameters(), 1e-3)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return graphs(step, jitnet.randn(8, 3, 16, 16), jitnet.randint(0, 10, (8,)))


def whole_numbers(a: Any, b: Any) -> Any:
    """Return what divides, shifts, orders and converts."""
    made = (a // b, a % b, a**b, a << b, a >> b, -a, jitnet.maximum(a, b), a.float().to(a.dtype))
    return *made, jitnet.fmod(a, b), a.amax(1), a.argmin(1), jitnet.where(a > b, a, 7)


def cases() -> Iterator[tuple[str, list[Graph]]]:
    """Yield every form of kernel, by name."""
    yield "step", training_step()
    x, y = jitnet.randn(512, 512), jitnet.randn(512, 512)
    yield "wide", graphs(lambda x, y, b: F.gelu(x * y + b), x, y, jitnet.randn(512))
    yield "long_sum", graphs(lambda x, y: x.T @ y, jitnet.randn(4096, 24), jitnet.randn(4096, 40))
    yield "rows", graphs(lambda x: F.layer_norm(F.softmax(x, -1), (2048,)), jitnet.randn(64, 2048))
    yield "long", graphs(lambda x: F.softmax(x, -1), jitnet.ones(520, 16000))
    yield "places", graphs(lambda x: (x.argmax(1), x.sum(0)), jitnet.randn(200, 300))
    yield (
        "product",
        graphs(lambda a, b: F.gelu(a @ b), jitnet.randn(2048, 96), jitnet.randn(96, 2048)),
    )
    for dtype in (jitnet.uint16, jitnet.uint64):
        a = jitnet.arange(1, 601, dtype=dtype).reshape(20, 30)
        yield f"unsigned{dtype.itemsize}", graphs(whole_numbers, a, a)
    for dtype in (jitnet.bfloat16, jitnet.float16):
        half = jitnet.randn(64, 64).to(dtype)
        yield str(dtype).split(".")[1], graphs(lambda a: jitnet.sigmoid(a @ a), half)
    x, w = (jitnet.randn(*shape).to(jitnet.bfloat16) for shape in ((2048, 96), (96, 2048)))
    yield "large", graphs(lambda a, b: F.relu(a @ b), x, w)
    yield "turned", graphs(lambda a, b: a @ b.t(), x, jitnet.randn(2048, 96).to(jitnet.bfloat16))
    rows = jitnet.randn(6, 5000)
    yield "sorts", graphs(lambda x: (x.argsort(1), x.topk(5).indices, x.mode(1).indices), rows)
    yield "counts", graphs(lambda x: (jitnet.histc(x, 9), x.kthvalue(40).values), rows)
    yield (
        "lookups",
        graphs(
            lambda w, i: (F.embedding(i, w) ** 2).sum(),
            jitnet.randn(50, 16),
            jitnet.randint(0, 50, (9,)),
        ),
    )


def _parameters(ptx: str) -> int:
    """Return how many pointers a kernel takes: what a launch gives is packed as these."""
    head = ptx[ptx.index(".entry") : ptx.index(")", ptx.index(".entry"))]
    assert head.count(".param") == head.count(".param .u64"), head
    return head.count(".param")


def main() -> None:
    """Print the resources of every kernel for every kind of GPU."""
    jitnet.manual_seed(0)
    found: dict[str, dict[str, int]] = {}
    for case, items in cases():
        for number, graph in enumerate(items):
            texts: dict[tuple[int, int], dict[str, str]] = {}
            for capability in (*CAPABILITIES, *([OLDEST] if case in ON_THE_OLDEST else [])):
                written = capability if case in HOT or capability == OLDEST else CAPABILITIES[0]
                if written not in texts:
                    program = lower_cuda(graph, capability=written).program
                    elements = {function.name: function.elements for function in program.functions}
                    texts[written] = compile_ptx(program.source, elements, written)
                for name, text in texts[written].items():
                    code = assemble(text, capability)
                    key = f"{case}{number} {name} sm_{capability[0]}{capability[1]}"
                    found[key] = {
                        "bytes": len(code.cubin),
                        "sm": code.cubin[_SM],
                        "unset": 1 + len(elements[name]) - _parameters(text),
                        "registers": code.registers,
                        "shared": code.shared_bytes,
                        "local": code.local_bytes,
                        "wide": text.count("ld.global.v4") + text.count("st.global.v4"),
                        "copies": text.count("cp.async.cg"),
                        "doubles": text.count(".f64"),
                    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
