"""What was compiled and why, as text: `fn.explain()`."""

from __future__ import annotations

from collections.abc import Sequence

from jitnet.compiler.compiled import Compiled
from jitnet.compiler.ir.kernel import Kernel
from jitnet.compiler.ir.lowering import Host
from jitnet.compiler.pipeline import Stages

from .acting import Executable
from .costs import cost_of, size
from .native import Native
from .variant import Variant

_MOST_GUARDS = 8


def explain(name: str, variants: Sequence[Variant]) -> str:
    """Return the story of a compiled function, a paragraph for each variant."""
    if not variants:
        return f"{name}: not called yet, nothing compiled"
    many = f"{len(variants)} variants" if len(variants) > 1 else "1 variant"
    lines = [f"{name}: {many}"]
    for number, variant in enumerate(variants, 1):
        lines += ["", f"{number}. compiled because: {variant.reason}"]
        lines += [f"   {line}" for line in describe(variant)]
    return "\n".join(lines)


def describe(variant: Variant) -> list[str]:
    """Return the lines about one variant."""
    lines = [*_interface(variant), *_guards(variant)]
    lines.append(f"traced in {_milliseconds(variant.seconds)}")
    for launch, what in zip(variant.programs, ("program", "backward"), strict=False):
        lines += _program(launch.executable, what)
    if variant.traced.backward is not None and len(variant.programs) == 1:
        lines.append("backward: compiled when backward() first needs it")
    return lines


def _interface(variant: Variant) -> list[str]:
    graph = variant.traced.graph
    arguments = [
        f"{item.name} {item.node.type}" for item in graph.inputs if item.kind == "argument"
    ]
    scalars = [item.name for item in graph.inputs if item.kind == "scalar"]
    state = sum(item.kind == "state" for item in graph.inputs)
    written = sum(output.into is not None for output in graph.outputs)
    fresh = len(graph.outputs) - written
    lines = [f"takes {', '.join(arguments) or 'no tensors'}"]
    if scalars:
        lines.append(f"numbers read at each call: {', '.join(scalars)}")
    lines.append(f"uses {state} tensors of its own, overwrites {written}, makes {fresh}")
    return lines


def _guards(variant: Variant) -> list[str]:
    settings = variant.guards.describe()
    shown = settings[:_MOST_GUARDS]
    rest = f", and {len(settings) - len(shown)} more" if len(settings) > len(shown) else ""
    text = f"{len(variant.guards)} guards"
    return [text + (f": {', '.join(shown)}{rest}" if shown else "")]


def _program(executable: Executable, what: str) -> list[str]:
    phases = ", ".join(f"{name} {_milliseconds(s)}" for name, s in executable.phases.items())
    head = f"{what}: {phases}"
    if isinstance(executable, Native):
        return [head, *_on_cpu(executable.compiled)]
    from .dump_on_gpu import explained

    return [head, *explained(executable)]


def _on_cpu(compiled: Compiled) -> list[str]:
    binary, stages = compiled.binary, compiled.stages
    constants = sum(array.nbytes for array in binary.constants)
    live = stages.memory.live_bytes
    lines = [
        f"  memory: arena {size(binary.arena_bytes)}, {size(live)} needed at once, scratch "
        f"{size(binary.scratch_bytes)} a thread, constants {size(constants)}, "
        f"code {size(len(binary.object_code))}",
        *_kernels(stages, ""),
        *_host_nodes(stages),
    ]
    if binary.once is not None and stages.once is not None:
        kept = size(sum(binary.once.kept))
        why = f", once and after a write into what they read; {kept} kept"
        lines += [*_kernels(stages.once, why), *_host_nodes(stages.once)]
    return lines


def _kernels(stages: Stages, when: str) -> list[str]:
    barriers = sum(1 for sizes in stages.barriers if sizes)
    head = f"  {len(stages.kernels)} kernels, {barriers} barriers between them{when}:"
    return [head, *costs(stages.kernels)]


def costs(kernels: Sequence[Kernel]) -> list[str]:
    """Return a line for each kernel: what it costs, and the user's lines."""
    width = max((len(kernel.name) for kernel in kernels), default=0)
    lines = []
    for kernel in kernels:
        place = f"  # {', '.join(kernel.lines[:3])}" if kernel.lines else ""
        lines.append(f"    {kernel.name:<{width}}  {cost_of(kernel)}{place}")
    return lines


def _host_nodes(stages: Stages) -> list[str]:
    """Return a line about what the program asks NumPy to compute, if it does."""
    found = [node for node in stages.optimized if isinstance(node.op.lower, Host)]
    if not found:
        return []
    listed = ", ".join(f"{node.op.name} ({node.line or 'no line'})" for node in found)
    many = f"{len(found)} host nodes" if len(found) > 1 else "1 host node"
    return [f"  {many}, computed by NumPy in the middle of the program: {listed}"]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
