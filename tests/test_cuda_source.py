"""CUDA source as people read it, and what NVIDIA's tools make of it where no GPU is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import jitnet
from jitnet.__main__ import main
from jitnet.compiler.codegen.cuda.prelude import FUNCTIONS, needed
from jitnet.compiler.codegen.cuda.scalars import CUDA_SCALARS, write_scalar
from jitnet.compiler.codegen.math import SCALARS
from jitnet.compiler.cuda import lower_cuda
from jitnet.nn import functional as F
from jitnet.runtime.dtype import DTYPES

ROOT = Path(__file__).parents[1]
HOT_REGISTERS = 128  # with more, an SM's 65,536 keep fewer than two blocks of 256 threads busy


def test_both_tables_know_the_same_functions() -> None:
    """What LLVM IR is written for, CUDA is written for: the same functions of the same kinds."""
    assert CUDA_SCALARS.keys() == SCALARS.keys()
    for name, scalar in SCALARS.items():
        assert set(CUDA_SCALARS[name].templates) == set(scalar.emit), name


def test_templates_call_functions_that_are_there() -> None:
    """Every function of the prelude that a template or another function names has a source."""
    for name, scalar in CUDA_SCALARS.items():
        for dtype in DTYPES:
            if dtype.kind in scalar.templates:
                written = write_scalar(name, ("a", "b", "c")[: SCALARS[name].arity], dtype)
                assert set(needed(written.prelude)) <= set(FUNCTIONS)


def test_the_source_of_a_row_kernel() -> None:
    """A softmax is one kernel: a team of threads for each row, which meets twice."""

    @jitnet.compile
    def attend(x: jitnet.Tensor) -> jitnet.Tensor:
        return F.softmax(x * 0.5, -1)

    attend(jitnet.ones(6, 300))
    text = attend.dump("cuda")
    assert text.count("@cuda.jit\n") == 1
    assert "test_cuda_source.py" in text  # the user's line
    assert "turn = cuda.blockIdx.x" in text
    assert text.count("= warp_max_float32_32(") == 1
    assert text.count("= warp_add_float32_32(") == 1
    assert "[(6,), (128, 1)](status, x, out0)" in text  # a block a row, four warps each


def test_rows_longer_than_shared_memory() -> None:
    """What a row finds no room for is computed again where it is read."""
    for columns, kept in ((4000, True), (11000, False)):
        attend = jitnet.compile(lambda x: F.softmax(x, -1))
        attend(jitnet.ones(520, columns))
        text = attend.dump("cuda")
        assert text.count("@cuda.jit\n") == 1
        assert (f"cuda.shared.array({columns}, float32)" in text) is kept
        assert text.count("expf(") == (1 if kept else 2)


def test_few_long_rows_are_reduced_in_steps() -> None:
    """A reduction to few results, a softmax and a norm of long rows keep all processors busy."""
    for function in (
        lambda x: x.amax(1),
        lambda x: F.softmax(x, -1),
        lambda x: F.layer_norm(x, (65536,)),
    ):
        rows = jitnet.compile(function)
        rows(jitnet.ones(2, 65536))
        blocks = [int(found) for found in re.findall(r"\[\((\d+),\)", rows.dump("cuda"))]
        assert blocks[0] >= 128


def test_the_source_of_a_product() -> None:
    """A linear layer and its activation are one tiled product."""

    @jitnet.compile
    def layer(x: jitnet.Tensor, w: jitnet.Tensor) -> jitnet.Tensor:
        return F.relu(x @ w)

    layer(jitnet.ones(40, 20), jitnet.ones(20, 50))
    text = layer.dump("cuda")
    assert text.count("@cuda.jit\n") == 1
    assert "tiles = cuda.shared.array(" in text
    assert "c0_0 += a0 * b0" in text


def test_more_batches_than_a_grid_is_high() -> None:
    """Grids have one direction: the others end at 65,535."""
    product = jitnet.compile(lambda x: x @ x)
    product(jitnet.ones(70000, 4, 4))
    assert "[(70000,), (256,)](status, x, out0)" in product.dump("cuda")


def test_vectors_have_no_tiles() -> None:
    """A matrix times a vector: a team of threads for each row."""
    product = jitnet.compile(lambda x, y: x @ y)
    product(jitnet.ones(300, 400), jitnet.ones(400))
    text = product.dump("cuda")
    assert "tiles = " not in text and "warp_add_float32_32(" in text


def test_the_source_of_a_product_on_tensor_cores() -> None:
    """A product of 16-bit floats reads them as they are, 16 bytes at a time."""
    product = jitnet.compile(lambda x, w: F.relu(x @ w))
    product(*(jitnet.ones(64, 64).to(jitnet.bfloat16) for _ in range(2)))
    text = product.dump("cuda")
    assert text.count("@cuda.jit\n") == 1
    assert "from jitnet.runtime.cuda.instructions import (" in text
    assert "= mma_bfloat16(" in text
    assert "copy8(tiles, " in text and "wait_copies()" in text, "of x, along the sum"
    assert "= load8(w, " in text


def test_products_of_float32_are_exact_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PyTorch calls precision decides whether tensor cores round float32."""
    product = jitnet.compile(lambda x: x @ x)
    product(jitnet.ones(64, 64))
    assert "mma_tf32(" not in product.dump("cuda")
    monkeypatch.setattr("jitnet.switches._precision", "highest")  # which is put back afterwards
    jitnet.backends.cuda.matmul.allow_tf32 = True
    assert jitnet.get_float32_matmul_precision() == "high"
    assert "mma_tf32(" in product.dump("cuda")


def test_what_only_the_host_can_do_is_refused() -> None:
    """A host node has no CUDA kernel, and the error says so."""

    @jitnet.compile
    def invert(a: jitnet.Tensor) -> jitnet.Tensor:
        return jitnet.linalg.inv(a)

    invert(jitnet.eye(3))
    with pytest.raises(RuntimeError, match="no CUDA kernel"):
        invert.dump("cuda")


def test_ptx_asks_for_numba_cuda_where_it_is_absent(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without the extra, the error says what to install."""
    if find_spec("numba_cuda"):
        pytest.skip("numba-cuda is installed")
    double = jitnet.compile(lambda x: x * 2)
    double(jitnet.ones(3))
    with pytest.raises(RuntimeError, match=r"pip install 'jitnet\[cuda\]'"):
        double.dump("ptx")
    with pytest.raises(SystemExit):
        main(["dump", "--stage", "ptx", __file__])
    assert "pip install 'jitnet[cuda]'" in capsys.readouterr().err


def test_kernels_are_assembled_without_spills() -> None:
    """Every form compiles for sm_80 and sm_90, keeps its values in registers, and few enough."""
    pytest.importorskip("numba_cuda", reason="pip install 'jitnet[cuda]'")
    pytest.importorskip("cuda.bindings.nvjitlink", reason="pip install 'jitnet[cuda]'")
    clean = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "cuda_assembled.py"],
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {key.split()[0] for key in found} >= {
        *("step0", "rows0", "places0", "product0", "sorts0", "counts0"),
        *("bfloat160", "float160", "large0", "unsigned80", "wide0", "long_sum0"),
    }
    assert sum(key.endswith("sm_75") for key in found) >= 3
    assert all(taken["wide"] == 4 for key, taken in found.items() if key.startswith("wide0"))
    assert all(taken["wide"] == 4 for key, taken in found.items() if key.startswith("large0"))
    copies = {key.split()[0]: taken["copies"] for key, taken in found.items()}
    assert (copies["turned0"], copies["large0"]) == (8, 4), "along the sum: both, the first"
    for key, taken in found.items():
        assert taken["local"] == 0, (key, taken)
        assert taken["registers"] <= HOT_REGISTERS, (key, taken)
        assert taken["bytes"] > 0 and taken["sm"] == int(key.rpartition("_")[2]), (key, taken)
        assert taken["unset"] == 0, "a launch gives as many pointers as the kernel takes"
        assert taken["doubles"] == 0 or not key.startswith("unsigned"), (key, taken)


@pytest.mark.parametrize("dtype", [jitnet.bfloat16, jitnet.float16, jitnet.float32])
def test_gpus_without_the_tensor_cores_that_kernels_know(dtype: jitnet.dtype) -> None:
    """On a T4, sm_75, whose tensor cores take other instructions: one by one, in float32."""
    product = jitnet.compile(lambda x: x @ x)
    product(jitnet.ones(64, 64, dtype=dtype))
    (launched,) = product.variants[0].programs
    graph = launched.executable.compiled.graph
    sources = [lower_cuda(graph, True, False, each).program.source for each in ((7, 5), (8, 0))]
    assert ["mma_" in source for source in sources] == [False, True]
    assert "copy8(" not in sources[0]
