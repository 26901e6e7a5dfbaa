"""Every op of the table and every statement of kernels has a CUDA rendering, or a reason not to."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="pip install 'jitnet[cuda]'")

from jitnet.compiler import ops
from jitnet.compiler.codegen.cuda import sorts
from jitnet.compiler.codegen.cuda.program import NATIVE
from jitnet.compiler.cuda import lower_cuda
from jitnet.compiler.ir.errors import CompileError
from jitnet.compiler.ir.graph import Graph, Node, Output
from jitnet.compiler.ir.loops import Fetch, Stmt, walk
from jitnet.compiler.ir.lowering import Host
from jitnet.runtime.dtype import REALS, DType
from tests.cuda_host_ops import on_the_host
from tests.cuda_machines import Machine
from tests.graph_harness import argument, check, sample
from tests.test_ops_table import CASES, Case


def test_ops_of_the_host_have_kernels_or_reasons() -> None:
    """What NumPy computes for the CPU is a kernel on a GPU, or is listed here."""
    for op in ops.OPS:
        if isinstance(op.lower, Host):
            assert (op.name in NATIVE) != on_the_host(op.name), op
    assert set(NATIVE) <= {op.name for op in ops.OPS}


def graph_of(case: Case) -> tuple[Graph, list[Any]]:
    """Return a case as a graph, and its inputs."""
    items = [argument(f"x{number}", array) for number, array in enumerate(case.args)]
    node = case.op(*(item.node for item in items), **case.params)
    return Graph("case", tuple(items), (Output(node, "y"),)), items


@pytest.mark.ptx_each(20)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_op(machine: Machine, case: Case) -> None:
    """A machine gives what the op's own eval gives; what runs on the host is refused."""
    graph, items = graph_of(case)
    try:
        check([output.node for output in graph.outputs], items, list(case.args), machine.run)
    except CompileError as error:
        assert on_the_host(str(error).split()[0]), error


def test_every_statement_is_rendered() -> None:
    """The ops' cases go through every kind of statement there is."""
    found: set[type] = set()
    for case in CASES:
        if not on_the_host(case.op.name) and case.args[0].dtype.kind != "c":
            kernels = lower_cuda(graph_of(case)[0]).kernels
            found.update(type(stmt) for kernel in kernels for stmt in walk(kernel.code.body))
    assert found >= set(get_args(Stmt)) - {Fetch}  # which is for a processor's cache


# -- sorts ------------------------------------------------------------------------------------


def orders(x: Node) -> list[Node]:
    """Return every op that sorts, over both dims."""
    found = []
    for axis in (0, 1):
        size = x.shape[axis]
        for flag in (False, True):
            found.append(ops.argsort(x, axis=axis, descending=flag))
            found.append(ops.topk(x, count=size // 2, axis=axis, largest=flag))
        found += [ops.kth(x, place=size // 3, axis=axis), ops.mode(x, axis=axis)]
    return found


@pytest.mark.ptx_each(6)
@pytest.mark.parametrize("dtype", REALS, ids=lambda dtype: dtype.short)
def test_short_lines(machine: Machine, dtype: DType) -> None:
    """Places that are counted, of every dtype, with equal elements."""
    x = sample(np.random.default_rng(0), dtype, (3, 9))
    item = argument("x", x)
    check(orders(item.node), [item], [x], machine.run)


@pytest.mark.ptx_each(2)
@pytest.mark.parametrize("tile", [64, 8])
def test_long_lines(machine: Machine, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One tile, and tiles that are merged in one pass or several; NaN, infinities, both zeros."""
    monkeypatch.setattr(sorts, "COUNTED", 4)
    monkeypatch.setattr(sorts, "TILE", tile)
    monkeypatch.setattr(sorts, "FINDERS", tile)
    rng = np.random.default_rng(1)
    x = np.round(rng.uniform(-4, 4, (37, 2)), 0).astype(np.float32)
    x[3], x[5], x[7, :1], x[9] = np.nan, -np.inf, np.inf, -0.0
    for array in (x, np.asfortranarray(x.astype(np.float64))):
        item = argument("x", array)
        check(orders(item.node), [item], [array], machine.run)
