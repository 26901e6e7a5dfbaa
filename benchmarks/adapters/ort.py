"""ONNX Runtime: inputs and outputs bound once, all graph optimizations."""

from __future__ import annotations

import numpy as np
import onnxruntime

from benchmarks.adapters import models
from benchmarks.case import Case, magnitude
from benchmarks.work import Work

VERSION = onnxruntime.__version__
DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64}

_options = onnxruntime.SessionOptions()


def use_threads(count: int) -> None:
    """Compute on `count` threads."""
    _options.intra_op_num_threads = count


def case(work: Work, options: frozenset[str]) -> Case:
    """Return the workload; the option "bound" gives inputs and outputs their memory once."""
    engine = _Bound(work) if "bound" in options else _Fed(work)
    return Case(engine.step, engine.value, load=engine.load)


class _Fed:
    """A session that is given all inputs in each call, and makes new outputs."""

    def __init__(self, work: Work) -> None:
        self.arrays = models.arrays(work)

    def load(self) -> None:
        """Read and optimize the model."""
        self.session = onnxruntime.InferenceSession(models.path(), _options)
        names = [each.name for each in self.session.get_inputs()]
        self.feed = dict(zip(names, self.arrays, strict=True))

    def step(self) -> list[np.ndarray]:
        """Return all outputs."""
        return self.session.run(None, self.feed)

    def value(self, results: list[np.ndarray]) -> float:
        """Return the first output's magnitude."""
        return magnitude(results[0])


class _Bound:
    """A session that reads and writes memory that it was given once."""

    def __init__(self, work: Work) -> None:
        self.arrays = models.arrays(work)

    def load(self) -> None:
        """Read and optimize the model, and bind its memory."""
        self.session = onnxruntime.InferenceSession(models.path(), _options)
        self.binding = self.session.io_binding()
        wrap = onnxruntime.OrtValue.ortvalue_from_numpy
        for each, array in zip(self.session.get_inputs(), self.arrays, strict=True):
            self.binding.bind_ortvalue_input(each.name, wrap(array))
        for each in self.session.get_outputs():
            result = wrap(np.empty(each.shape, DTYPES[each.type]))
            self.binding.bind_ortvalue_output(each.name, result)

    def step(self) -> None:
        """Compute all outputs."""
        self.session.run_with_iobinding(self.binding)

    def value(self, _: None) -> float:
        """Return the first output's magnitude."""
        return magnitude(self.binding.get_outputs()[0].numpy())
