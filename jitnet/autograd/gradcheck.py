"""gradcheck: gradients against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jitnet.runtime.dtype import complex128, float64

from ..grad_mode import no_grad
from ..tape import run_backward
from ..tensor import Tensor
from ..tensors.making import tensor


def _outputs(result: Any) -> list[Tensor]:
    values = [result] if isinstance(result, Tensor) else list(result)
    return [value for value in values if value.dtype.is_inexact]


def _line(array: np.ndarray) -> np.ndarray:
    """Return an array's numbers as one line of floats: of complex ones, both parts."""
    flat = np.array(array).reshape(-1)
    return flat.view(np.float64) if flat.dtype.kind == "c" else flat.astype(np.float64)


def _numeric(
    func: Callable[..., Any], inputs: list[Any], position: int, which: int, eps: float
) -> np.ndarray:
    """Return d output[which] / d inputs[position] by central differences: [inputs, outputs]."""
    array = inputs[position].detach().numpy()
    rows = []
    with no_grad():
        for place in np.ndindex(*array.shape):
            before = array[place].copy()
            for step in (eps, eps * 1j) if array.dtype.kind == "c" else (eps,):
                ends = []
                for end in (before + step, before - step):
                    array[place] = end
                    ends.append(_line(_outputs(func(*inputs))[which].detach().numpy()))
                array[place] = before
                rows.append((ends[0] - ends[1]) / (2 * eps))
    return np.array(rows)


def _analytic(y: Tensor, x: Tensor) -> np.ndarray:
    """Return the same by backward, one output element after another."""
    flat = y.reshape(-1)
    columns = []
    zeros = np.zeros(x.numel() * (1 + x.is_complex()))
    for place in range(flat.numel()):
        for seed in (1, 1j) if y.is_complex() else (1,):
            element = flat[place]
            first = tensor(seed, dtype=element.dtype)
            (found,) = run_backward([element], [first], True, False, [x], accumulate=False)
            columns.append(zeros if found is None else _line(found.numpy()))
    return np.array(columns).T


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    **ignored: Any,
) -> bool:
    """Return whether func's gradients agree with finite differences.

    Inputs are float64 or complex128; a complex number is checked as two real ones.
    """
    values = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [
        position
        for position, value in enumerate(values)
        if isinstance(value, Tensor) and value.requires_grad
    ]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient")
    for position in checked:
        if values[position].dtype not in (float64, complex128):
            raise ValueError(
                f"gradcheck wants float64 or complex128 inputs, got {values[position].dtype}"
            )
    for which, y in enumerate(_outputs(func(*values))):
        for position in checked:
            if not y.requires_grad:
                continue
            found = _analytic(y, values[position])
            wanted = _numeric(func, values, position, which, eps).reshape(found.shape)
            if not np.allclose(found, wanted, rtol=rtol, atol=atol):
                if not raise_exception:
                    return False
                worst = np.abs(found - wanted).max()
                raise RuntimeError(
                    f"Jacobian mismatch for output {which} with respect to input {position}: "
                    f"largest difference {worst}\nnumerical:\n{wanted}\nanalytical:\n{found}"
                )
    return True


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, *, raise_exception: bool = True, **options: Any
) -> bool:
    """Return whether the gradients of func's gradients agree with finite differences."""
    values = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    first = _outputs(func(*values))
    seeds = [(y.detach() * 0 + 0.5 + 0.25 * y.detach().cos()).requires_grad_() for y in first]

    def gradients(*given: Any) -> Any:
        inputs_, seeds_ = given[: len(values)], given[len(values) :]
        ys = _outputs(func(*inputs_))
        leaves = [x for x in inputs_ if isinstance(x, Tensor) and x.requires_grad]
        pairs = [(y, s) for y, s in zip(ys, seeds_, strict=True) if y.requires_grad]
        found = run_backward(
            [y for y, _ in pairs], [s for _, s in pairs], True, True, leaves, accumulate=False
        )
        return tuple(x.detach() * 0 if g is None else g for g, x in zip(found, leaves, strict=True))

    return _with_graph(gradients, [*values, *seeds], raise_exception, options)


def _with_graph(
    func: Callable[..., Any], inputs: list[Any], raise_exception: bool, options: Any
) -> bool:
    """Check a function that itself needs the tape, which gradcheck switches off."""
    from ..grad_mode import enable_grad

    def run(*given: Any) -> Any:
        with enable_grad():
            return func(*given)

    return gradcheck(run, inputs, raise_exception=raise_exception, **options)
