"""Graph inputs from arrays, and running compiled graphs: what the pipeline's tests share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import jitnet  # noqa: F401  (lays the packages' paths)
from jitnet.compiler.compiled import compile_graph
from jitnet.compiler.ir.evaluate import evaluate
from jitnet.compiler.ir.graph import Graph, Input, Node, Output
from jitnet.compiler.ir.op import Op
from jitnet.compiler.ir.types import TensorType
from jitnet.compiler.load import load
from jitnet.limits import finfo
from jitnet.runtime.cpu import host_target
from jitnet.runtime.dtype import DType, bool_, from_numpy_dtype
from jitnet.runtime.threads import set_num_threads

INPUT = Op("input", lambda: None, lambda: None)


def argument(name: str, array: np.ndarray) -> Input:
    """Return a graph input with an array's type and strides."""
    node = Node(INPUT, (), {}, TensorType(from_numpy_dtype(array.dtype), array.shape), name)
    strides = tuple(step // array.itemsize for step in array.strides)
    return Input(node, name, "argument", strides)


def memory_of(graph: Graph, arrays: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return where the outputs of a graph go, and which of these overwrite none of the arrays."""
    results = [
        arrays[output.into]
        if output.into is not None
        else np.full(output.node.shape, 7, output.node.dtype.numpy)
        for output in graph.outputs
    ]
    fresh = [
        array for array, output in zip(results, graph.outputs, strict=True) if output.into is None
    ]
    return results, fresh


def run(graph: Graph, arrays: list[np.ndarray], threads: int = 2) -> list[np.ndarray]:
    """Return the outputs of the compiled graph; outputs into inputs overwrite the arrays."""
    compiled = compile_graph(graph, host_target())
    program = load(compiled).always
    results, fresh = memory_of(graph, arrays)
    set_num_threads(threads)
    status = program.run([array.ctypes.data for array in (*arrays, *fresh)])
    assert status == 0, compiled.stages.messages[status]
    return results


def assert_close(got: np.ndarray, want: np.ndarray, slack: float = 64) -> None:
    """Assert equality, for floats up to `slack` units in the last place of the largest."""
    assert got.shape == want.shape and got.dtype == want.dtype
    if want.dtype.kind == "c":
        got, want = (np.stack((each.real, each.imag)) for each in (got, want))
    if from_numpy_dtype(want.dtype).narrow:  # one rounding more or less, after float32's errors
        slack = 1.001
    elif want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    eps = finfo(from_numpy_dtype(want.dtype)).eps
    got, want = got.astype(np.float64), want.astype(np.float64)
    big = np.abs(want[np.isfinite(want)]).max(initial=1e-30)
    np.testing.assert_allclose(got, want, rtol=slack * eps, atol=slack * eps * big)


def check(
    results: list[Node],
    inputs: list[Input],
    arrays: list[np.ndarray],
    run: Callable[[Graph, list[np.ndarray]], list[np.ndarray]] = run,
) -> None:
    """Assert that compiled code, or what else `run` is, gives what the ops' own eval gives."""
    outputs = tuple(Output(node, f"y{number}") for number, node in enumerate(results))
    graph = Graph("test", tuple(inputs), outputs)
    wanted = evaluate(graph, arrays)
    for got, want in zip(run(graph, list(arrays)), wanted, strict=True):
        assert_close(got, want)


def sample(rng: np.random.Generator, dtype: DType, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of a dtype with small and ordinary values."""
    if dtype is bool_:
        return np.asarray(rng.integers(0, 2, shape)).astype(bool)
    if dtype.kind == "float":
        return np.asarray(rng.uniform(-3, 3, shape)).astype(dtype.numpy)
    low = 0 if dtype.kind == "uint" else -9
    return np.asarray(rng.integers(low, 10, shape)).astype(dtype.numpy)
