"""A workload's ONNX model for the engines that read one: where it lies, and what it takes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks import inputs
from benchmarks.work import (
    Call,
    Decoding,
    Elementwise,
    Inference,
    Matmul,
    SoftmaxLayerNorm,
    Work,
)

VARIABLE = "BENCHMARKS_MODEL"  # holds the path of the file that benchmarks.export wrote


def path() -> Path:
    """Return the file of this process's workload."""
    return Path(os.environ[VARIABLE])


def arrays(work: Work) -> list[np.ndarray]:
    """Return the model's inputs in order."""
    match work:
        case Inference(network=network, batch=batch):
            return [inputs.samples(network, batch)]
        case Decoding(network=network, cache=cache):
            token, keys, values = inputs.token_and_cache(network, cache)
            return [token, np.array([cache - 1]), *keys, *values]
        case Elementwise(backward=False) | Call():
            return [inputs.normal(1, work.size)]
        case SoftmaxLayerNorm(backward=False):
            return list(inputs.rows(work.rows, work.columns)[:3])
        case Matmul(m=m, k=k, n=n):
            return [inputs.normal(1, m, k), inputs.normal(2, k, n)]
        case _:
            raise NotImplementedError(f"ONNX models do not cover {work}")
