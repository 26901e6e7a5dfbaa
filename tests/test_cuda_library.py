"""Large products on a GPU are cuBLAS's, where it is installed: which, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import Tensor
from jitnet.compiler.codegen.cuda import library as rule
from jitnet.compiler.cuda import lower_cuda
from jitnet.nn import functional as F
from tests.gpu_fixture import REAL


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small products be the library's; programs are not kept, others have the same key."""
    monkeypatch.setenv("JITNET_CACHE", "0")
    monkeypatch.setattr(rule, "LEAST_SIDE", 2)
    monkeypatch.setattr(rule, "LEAST_MULTIPLICATIONS", 1)
    monkeypatch.setattr(rule, "LEAST_TERMS_APART", 4)
    monkeypatch.setattr(rule, "LEAST_TERMS_APART_ON_TENSOR_CORES", 8)


def launches(function: Callable[..., Any], *args: Tensor, tf32: bool = False) -> list[str]:
    """Return what a GPU with the library would launch."""
    compiled = jitnet.compile(function)
    compiled(*args)
    graph = compiled.variants[0].programs[0].executable.compiled.graph
    return [str(each) for each in lower_cuda(graph, tf32, library=True).program.launches]


# -- the rule -----------------------------------------------------------------------------------


def test_only_large_products() -> None:
    """A product of 1024 x 1024 x 1024 is one; one with fewer terms, or a side of 128, is not."""

    def asks(rows: int, terms: int, columns: int) -> bool:
        (text,) = launches(
            lambda a, b: a @ b, jitnet.ones(rows, terms), jitnet.ones(terms, columns)
        )
        return text.startswith("cublas")

    assert asks(1024, 1024, 1024)
    assert not asks(1024, 1000, 1024)
    assert not asks(8192, 1024, 128)


def test_the_call_is_shown() -> None:
    """Row by row out = a @ b is, column by column, out' = b' @ a': b comes first."""
    a, b = jitnet.ones(1024, 2048), jitnet.ones(512, 2048)
    assert launches(lambda a, b: a @ b.t(), a, b) == [
        "cublasGemmStridedBatchedEx(T, N, m=512, n=1024, k=2048, alpha=1, "
        "A=b, float32, lda=2048, strideA=0, B=a, float32, ldb=2048, strideB=0, beta=0, "
        "C=out0, float32, ldc=512, strideC=0, batchCount=1, CUBLAS_COMPUTE_32F)"
    ]


@pytest.mark.usefixtures("small")
def test_computes_as_the_dtype_says() -> None:
    a, b = jitnet.ones(4, 8), jitnet.ones(8, 4)

    def compute(dtype: jitnet.dtype, tf32: bool) -> tuple[str, int]:
        (text,) = launches(lambda a, b: a @ b, a.to(dtype), b.to(dtype), tf32=tf32)
        return text.rpartition("CUBLAS_COMPUTE_")[2], text.count(f", {str(dtype).split('.')[-1]},")

    assert compute(jitnet.float32, False) == ("32F)", 3)
    assert compute(jitnet.float32, True) == ("32F_FAST_TF32)", 3)
    assert compute(jitnet.float64, True) == ("64F)", 3)
    assert compute(jitnet.bfloat16, True) == ("32F)", 3)
    assert compute(jitnet.float16, False) == ("32F)", 3)


@pytest.mark.usefixtures("small")
def test_what_follows_is_a_kernel_of_its_own_where_sums_are_long() -> None:
    def layer(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return F.relu(F.linear(x, w, b))

    x, w, b = jitnet.ones(4, 8), jitnet.ones(6, 8), jitnet.ones(6)
    first, second = launches(layer, x, w, b)
    assert first.startswith("cublas") and "C=matmul0_product, float32" in first
    assert not second.startswith("cublas") and "matmul0_product" in second
    (one,) = launches(layer, x[:, :3].clone(), w[:, :3].clone(), b)
    assert not one.startswith("cublas"), "few terms: to write the sums would cost more"


@pytest.mark.usefixtures("small")
def test_not_what_it_does_not_do() -> None:
    x = jitnet.ones(2, 3, 4, 8)
    assert not any("cublas" in each for each in launches(lambda a: a[..., :4].int() @ a.int(), x))
    heads = launches(lambda a: a.permute(2, 1, 0, 3) @ a.permute(2, 1, 3, 0), x)
    assert not any("cublas" in each for each in heads), "steps of two batch dims are not one"
    image, w = jitnet.ones(2, 4, 8, 8), jitnet.ones(4, 4, 3, 3)
    convolution = launches(lambda x, w: F.conv2d(x, w, padding=1), image, w)
    assert not any("cublas" in each for each in convolution)


@pytest.mark.usefixtures("small")
def test_a_failed_check_lets_it_write_no_tensor() -> None:
    """Kernels look whether a check has failed; the library does not."""

    def picked(a: Tensor, b: Tensor, i: Tensor) -> tuple[Tensor, Tensor]:
        return a[i], a @ b

    a, i = jitnet.ones(4, 4), jitnet.tensor([1, 2])
    found = launches(picked, a, a, i)
    (product,) = (each for each in found if each.startswith("cublas"))
    assert "C=matmul0_product" in product and "(status, matmul0_product, out1)" in found[-1]


# -- programs -----------------------------------------------------------------------------------


def sample(*shape: int, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return jitnet.from_numpy(rng.standard_normal(shape).astype(np.float32))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "plain": lambda a, b, c: a @ b,
    "b_turned": lambda a, b, c: a @ c.t(),
    "a_turned": lambda a, b, c: a.t() @ c,
    "both_turned": lambda a, b, c: b.t() @ a.t(),
    "parts": lambda a, b, c: a[:, 1:] @ b[1:, 2:5],
    "batches": lambda a, b, c: jitnet.stack([a, c]) @ jitnet.stack([b, b + 1]),
    "one_for_all": lambda a, b, c: jitnet.stack([a, c]).matmul(b),
    "all_for_one": lambda a, b, c: a.matmul(jitnet.stack([b, b + 1])),
    "fused": lambda a, b, c: F.gelu(a @ b + 1),
    "bfloat16": lambda a, b, c: a.bfloat16() @ b.bfloat16(),
    "float16_sums": lambda a, b, c: (a.half() @ b.half()) * 2,
    "float64": lambda a, b, c: a.double() @ b.double(),
    "arena": lambda a, b, c: ((a @ b) @ c).softmax(-1),
}


@pytest.fixture
def library(gpu: Any, small: None) -> list[str]:
    """Give the log of a simulated GPU that has the library."""
    if REAL:
        pytest.skip("products are counted by the simulated GPU")
    gpu.drivers[0].library_there = True
    log: list[str] = gpu.drivers[0].log
    return log


@pytest.mark.cuda
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results(library: list[str], name: str) -> None:
    a, b, c = sample(6, 8), sample(8, 6, seed=1), sample(6, 8, seed=2)
    found = jitnet.compile(FUNCTIONS[name])(a.cuda(), b.cuda(), c.cuda())
    assert "multiply" in library
    jitnet.testing.assert_close(found.cpu(), FUNCTIONS[name](a, b, c))


@pytest.mark.cuda
def test_an_op_asks_too(library: list[str]) -> None:
    a, b = sample(6, 8), sample(8, 6, seed=1)
    jitnet.testing.assert_close((a.cuda() @ b.cuda()).cpu(), a @ b)
    assert library.count("multiply") == 1 and "launch" not in library


@pytest.mark.cuda
def test_it_can_be_switched_off(library: list[str]) -> None:
    a, b = sample(6, 8), sample(8, 6, seed=1)
    before = jitnet.backends.cuda.preferred_blas_library()
    assert jitnet.backends.cuda.preferred_blas_library("jitnet") == "jitnet"
    try:
        multiplied = jitnet.compile(lambda a, b: a @ b)
        jitnet.testing.assert_close((a.cuda() @ b.cuda()).cpu(), a @ b)
        jitnet.testing.assert_close(multiplied(a.cuda(), b.cuda()).cpu(), a @ b)
        assert "multiply" not in library and "library" not in library
    finally:
        jitnet.backends.cuda.preferred_blas_library(before)
    with pytest.raises(RuntimeError, match=r"is one of .*'cublas'.*, got 'cublaslt'"):
        jitnet.backends.cuda.preferred_blas_library("cublaslt")


def trained(device: str) -> tuple[list[Tensor], Any]:
    """Return the losses of a few steps on a device, and the step."""
    jitnet.manual_seed(3)
    layers = [jitnet.nn.Linear(8, 6), jitnet.nn.Tanh(), jitnet.nn.Linear(6, 4)]
    model = jitnet.nn.Sequential(*layers).to(device)
    optimizer = jitnet.optim.SGD(model.parameters(), 0.1, momentum=0.9)

    @jitnet.compile
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = sample(6, 8).to(device), jitnet.tensor([0, 1, 2, 3, 0, 1], device=device)
    return [step(x + number, y).cpu() for number in range(4)], step


@pytest.mark.cuda
def test_steps_are_graphs_with_products_inside(library: list[str]) -> None:
    """The simulated GPU refuses to allocate while launches are captured."""
    here, _ = trained("cpu")
    there, step = trained("cuda")
    for a, b in zip(there, here, strict=True):
        jitnet.testing.assert_close(a, b)
    assert "launch_graph" in library and library.count("multiply") >= 4
    assert library.count("library") == 1
    assert "cublasGemmStridedBatchedEx(" in step.dump("cuda")


@pytest.mark.cuda
def test_a_graph_for_each_stream(library: list[str]) -> None:
    """The memory that the library works in is that of the stream on which a graph was made."""
    w = jitnet.nn.Parameter(sample(8, 8))
    deep = jitnet.compile(lambda x: (((((x @ w) @ w) @ w) @ w) @ w) @ w)
    with jitnet.no_grad():
        w.data = w.data.cuda() / 4
        x = sample(8, 8, seed=1).cuda()
        streams = [jitnet.cuda.current_stream(), jitnet.cuda.Stream()]
        for stream in streams:
            with jitnet.cuda.stream(stream):
                for _ in range(3):
                    found = deep(x)
    assert library.count("capture") == 2
    jitnet.cuda.synchronize()
    host = w.detach().cpu()
    jitnet.testing.assert_close(found.cpu(), x.cpu() @ jitnet.linalg.matrix_power(host, 6))
