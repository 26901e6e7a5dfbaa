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
    engine = _Engine(work)
    return Case(engine.step, magnitude, load=engine.load)


class _Engine:
    """A request that shares its inputs and outputs with NumPy."""

    def __init__(self, work: Work) -> None:
        self.feed = dict(enumerate(models.arrays(work)))

    def load(self) -> None:
        """Read and compile the model."""
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(models.path()), "CPU", _properties)
        self.request = compiled.create_infer_request()

    def step(self) -> np.ndarray:
        """Return the first output."""
        self.request.infer(self.feed, share_inputs=True, share_outputs=True)
        return self.request.get_output_tensor(0).data
