"""What decides a program, as a digest: the graph, the processor, the compiler itself."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from jitnet.compiler.ir.graph import Graph, Node
from jitnet.runtime import cache, cpu
from jitnet.runtime.dtype import DType
from jitnet.runtime.target import Target

_HERE = Path(__file__).resolve().parent
_SOURCES = (_HERE, _HERE.parent / "runtime")


def graph_key(graph: Graph, target: Target) -> bytes:
    """Return what two graphs share only if they become the same program.

    Names and source lines are no part of it: they are in nothing that a program needs.
    """
    return key_of("graph", canonical_text(graph), target)


def key_of(kind: str, text: str, target: Target) -> bytes:
    """Return the key of something that this compiler makes for a target from a text."""
    return cache.digest(kind, *map(str, astuple(target)), compiler_version(), text)


@lru_cache(maxsize=None)
def compiler_version() -> str:
    """Return the versions of LLVM and NumPy, and a digest of compiler's and runtime's source."""
    return f"LLVM {cpu.llvm_version()}, NumPy {np.__version__}, {sources_digest()}"


@lru_cache(maxsize=None)
def sources_digest() -> str:
    """Return a digest of compiler's and runtime's source."""
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted(_sources_in(str(folder))):
            digest.update(f"\n{path.removeprefix(str(folder.parent))}\n".encode())
            with open(path, "rb", buffering=0) as file:
                digest.update(file.readall())
    return digest.hexdigest()


def _sources_in(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        yield from (os.path.join(parent, name) for name in names if name.endswith(".py"))


def canonical_text(graph: Graph) -> str:
    """Return all of a graph that its program depends on."""
    number_of = {node: number for number, node in enumerate(graph.nodes)}
    inputs = {item.node for item in graph.inputs}
    lines = [f"{number_of[i.node]} {i.node.type} {i.strides} {i.lasting}" for i in graph.inputs]
    for node in graph.nodes:
        if node not in inputs:
            args = " ".join([str(number_of[arg]) for arg in node.args])
            lines.append(f"{node.op.name} {args} {_params(node)}")
    lines += [f"{number_of[output.node]} into {output.into}" for output in graph.outputs]
    return "\n".join(lines)


def _params(node: Node) -> str:
    return ", ".join([f"{name}={_exact(value)}" for name, value in node.params.items()])


def _exact(value: Any) -> str:
    """Return a param's text, which tells apart all that differ."""
    match value:
        case bool() | int() | str() | None:
            return repr(value)
        case np.generic():
            return f"{value.dtype.str}{value.tobytes().hex()}"
        case float():
            return struct.pack("<d", value).hex()  # zeros and NaNs have signs
        case complex():
            return struct.pack("<2d", value.real, value.imag).hex()
        case DType():
            return value.name
        case tuple():
            return f"({' '.join(map(_exact, value))})"
        case np.ndarray():
            digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
            return f"{value.dtype.str}{value.shape}{digest}"
        case _:
            raise AssertionError(f"a param of a type that has no exact text: {value!r}")
