"""What programs on a GPU show of themselves: their stages for `dump`, their lines for `explain`."""

from __future__ import annotations

from jitnet.compiler.codegen.cuda.program import CudaProgram
from jitnet.compiler.cuda import CudaStages
from jitnet.compiler.cuda_compiled import CudaCompiled
from jitnet.runtime.cuda import building

from .acting import Executable
from .costs import size
from .cuda_native import OnGpu
from .dump import Table, kernel_text
from .explain import costs


def ptx_text(
    program: CudaProgram, capability: tuple[int, int] = building.COMPUTE_CAPABILITY
) -> str:
    """Return what numba-cuda makes of each function, under the function's source."""
    functions = {function.name: function.elements for function in program.functions}
    texts = building.compile_ptx(program.source, functions, capability)
    parts = [
        "\n".join([*(f"// {line}".rstrip() for line in function.text.splitlines()), texts[name]])
        for name, function in zip(texts, program.functions, strict=True)
    ]
    return "\n\n".join(parts)


def _kernels(stages: CudaStages) -> str:
    """Return every kernel with its cost and its share of the arena."""
    return "\n\n".join(kernel_text(kernel, stages.memory) for kernel in stages.kernels)


def _ptx(compiled: CudaCompiled) -> str:
    return ptx_text(compiled.stages.program, compiled.capability)


STAGES_ON_GPU: Table = {
    "trace": lambda compiled, routine: str(compiled.graph),
    "graph": lambda compiled, routine: str(compiled.stages.optimized),
    "kernels": lambda compiled, routine: _kernels(compiled.stages),
    "call": lambda compiled, routine: str(routine),
    "cuda": lambda compiled, routine: str(compiled.stages.program),
    "ptx": lambda compiled, routine: _ptx(compiled),
}


def explained(executable: Executable) -> list[str]:
    """Return the lines about a program on a GPU, after the one about the time it took to make."""
    assert isinstance(executable, OnGpu)
    compiled = executable.compiled
    image, stages = compiled.image, compiled.stages
    constants = sum(array.nbytes for array in image.constants)
    code = sum(len(each.image) for each in image.codes)
    graph = "one CUDA graph where calls repeat" if executable.is_replayed else "one by one"
    return [
        f"  memory on {executable.device}: arena {size(image.arena_bytes)}, "
        f"{size(stages.memory.live_bytes)} needed at once, constants {size(constants)}, "
        f"code {size(code)}",
        f"  {len(stages.kernels)} kernels, {len(image.steps)} launches, {graph}:",
        *costs(stages.kernels),
    ]
