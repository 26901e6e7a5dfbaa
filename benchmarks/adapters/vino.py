"""OpenVINO: compiled for latency, in float32, memory shared with NumPy."""

from __future__ import annotations

import numpy as np
import openvino

from benchmarks.adapters import models
from benchmarks.case import Case, magnitude
from benchmarks.work import Work

VERSION = openvino.__version__

_properties = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


def use_threads(count: int) -> None:
    """Compute on `count` threads."""
    _properties["INFERENCE_NUM_THREADS"] = str(count)


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; there are no options."""
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(models.path()), "CPU", _properties)
    request = compiled.create_infer_request()
    feed = dict(enumerate(models.arrays(work)))

    def step() -> np.ndarray:
        request.infer(feed, share_inputs=True, share_outputs=True)
        return request.get_output_tensor(0).data

    return Case(step, magnitude)
