"""Writes a workload as an ONNX model: `python -m benchmarks.export WORKLOAD FILE`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.adapters import models
from benchmarks.adapters.torch_names import build, chain, gpt2, normalized
from benchmarks.catalog import workload_named
from benchmarks.work import (
    Call,
    Decoding,
    Elementwise,
    Inference,
    Matmul,
    SoftmaxLayerNorm,
    Work,
)

OPSET = 17  # the first with layer norm; older exporters end here


class _Function(torch.nn.Module):
    """A function as the module that the exporter wants."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.forward = function  # type: ignore[method-assign]


def _module(work: Work) -> torch.nn.Module:
    match work:
        case Inference(network=network):
            return build(torch, network)
        case Decoding(network=network):
            return gpt2.decoder(torch, build(torch, network), in_place=False)
        case Elementwise(backward=False):
            return _Function(lambda x: chain(torch, x))
        case SoftmaxLayerNorm(backward=False):
            return _Function(lambda x, gain, bias: normalized(torch, x, gain, bias))
        case Matmul():
            return _Function(lambda a, b: a @ b)
        case Call():
            return _Function(lambda x: x + 1.0)
        case _:
            raise NotImplementedError(f"ONNX models do not cover {work}")


def export(work: Work, file: Path) -> None:
    """Write the model of a workload, all its shapes fixed."""
    values = tuple(map(torch.from_numpy, models.arrays(work)))
    if isinstance(work, Decoding):
        token, place, *caches = values
        layers = work.network.layers
        values = (token, place, caches[:layers], caches[layers:])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs nothing else is the older one
        model = _module(work).eval()
        torch.onnx.export(model, values, str(file), dynamo=False, opset_version=OPSET)


if __name__ == "__main__":
    export(workload_named(sys.argv[1]).work, Path(sys.argv[2]))
