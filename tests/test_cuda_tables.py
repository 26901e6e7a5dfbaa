"""The op table and layers, eagerly on a GPU: all on a real one, a few on the simulated one."""

from __future__ import annotations

from typing import Any

import pytest

import jitnet
from jitnet import nn
from jitnet.compiler.ir.errors import CompileError
from tests.cuda_host_ops import on_the_host
from tests.gpu_fixture import REAL
from tests.test_nn_layers import LAYERS
from tests.test_ops_table import CASES, Case

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("gpu")]

FEW = slice(None) if REAL else slice(0, None, 12)  # test_cuda_inventory simulates every op


@pytest.mark.parametrize("case", CASES[FEW], ids=str)
def test_ops(case: Case) -> None:
    """An op on a GPU gives what it gives on the CPU, or says that it has no kernel."""
    args = [jitnet.from_numpy(array.copy()) for array in case.args]
    wanted = case.op(*args, **case.params)
    try:
        found = case.op(*(arg.to("cuda") for arg in args), **case.params)
    except CompileError as error:
        assert on_the_host(str(error).split()[0]), error
        return
    assert found.is_cuda
    jitnet.testing.assert_close(found.cpu(), wanted)


@pytest.mark.parametrize(
    ("name", "options", "shape"), LAYERS[FEW], ids=[name for name, *_ in LAYERS[FEW]]
)
@pytest.mark.parametrize("compiled", [False, True])
def test_layers(name: str, options: dict[str, Any], shape: tuple[int, ...], compiled: bool) -> None:
    """A layer's result and gradients on a GPU are those on the CPU."""
    found = []
    for device in ("cpu", "cuda"):
        jitnet.manual_seed(0)
        layer = getattr(nn, name)(**options).double().to(device)
        layer.eval()  # dropout draws
        x = jitnet.randn(*shape, dtype=jitnet.float64).to(device).requires_grad_()

        def step(x: jitnet.Tensor, layer: nn.Module = layer) -> list[jitnet.Tensor]:
            y = layer(x)
            (y * y).sum().backward()
            return [y, x.grad, *(p.grad for p in layer.parameters())]

        found.append((jitnet.compile(step) if compiled else step)(x))
    for on_cpu, on_gpu in zip(*found, strict=True):
        assert on_gpu.is_cuda
        jitnet.testing.assert_close(on_gpu.cpu(), on_cpu)
