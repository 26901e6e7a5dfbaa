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
    session = onnxruntime.InferenceSession(models.path(), _options)
    arrays = models.arrays(work)
    if "bound" in options:
        return _bound(session, arrays)
    feed = {each.name: array for each, array in zip(session.get_inputs(), arrays, strict=True)}
    return Case(lambda: session.run(None, feed), lambda results: magnitude(results[0]))


def _bound(session: onnxruntime.InferenceSession, arrays: list[np.ndarray]) -> Case:
    binding = session.io_binding()
    for each, array in zip(session.get_inputs(), arrays, strict=True):
        binding.bind_ortvalue_input(each.name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
    results = [np.empty(each.shape, DTYPES[each.type]) for each in session.get_outputs()]
    for each, array in zip(session.get_outputs(), results, strict=True):
        binding.bind_ortvalue_output(each.name, onnxruntime.OrtValue.ortvalue_from_numpy(array))

    def value(_: None) -> float:
        return magnitude(binding.get_outputs()[0].numpy())

    return Case(lambda: session.run_with_iobinding(binding), value)
