"""Compare one function three ways: PyTorch's result, ours, and ours compiled with its gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import jitnet
import jitnet.nn.functional as F


def _flat(value: Any) -> list[Any]:
    if isinstance(value, tuple | list):
        return [item for part in value for item in _flat(part)]
    return [value]


def _cotangent(shape: tuple[int, ...]) -> np.ndarray:
    return np.cos(np.arange(int(np.prod(shape)), dtype=np.float32)).reshape(shape)


def _run(library: Any, functional: Any, function: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Return a function of tensors that gives their results, and the gradients of all of them."""

    def run(*tensors: Any) -> list[Any]:
        results = _flat(function(library, functional, *tensors))
        total = 0.0
        for result in results:
            if result.requires_grad:
                seed = library.tensor(_cotangent(tuple(result.shape))).to(result.dtype)
                total = total + (result * seed).sum()
        if not isinstance(total, float):
            total.backward()
        found = [result.detach() for result in results]
        for tensor in tensors:
            if tensor.grad is not None:
                found.append(tensor.grad)
            elif tensor.requires_grad:
                found.append(library.zeros_like(tensor).detach())
        return found

    return run


def _leaves(library: Any, arrays: tuple[np.ndarray, ...]) -> list[Any]:
    return [library.tensor(array.copy(), requires_grad=array.dtype.kind == "f") for array in arrays]


def check(
    function: Callable[..., Any],
    *arrays: np.ndarray,
    rtol: float = 2e-5,
    atol: float = 2e-6,
    compiled: bool = True,
) -> None:
    """Assert that function(library, functional, *tensors) is PyTorch's, eager and compiled.

    Results and the gradients of every float argument are compared, with their types.
    """
    import torch

    run = _run(jitnet, F, function)
    wanted = _run(torch, torch.nn.functional, function)(*_leaves(torch, arrays))
    ways = {"eager": run(*_leaves(jitnet, arrays))}
    if compiled:
        ways["compiled"] = jitnet.compile(run)(*_leaves(jitnet, arrays))
    for way, found in ways.items():
        assert len(found) == len(wanted), way
        for number, (mine, expected) in enumerate(zip(found, wanted, strict=True)):
            assert str(mine.dtype).split(".")[-1] == str(expected.dtype).split(".")[-1], way
            assert tuple(mine.shape) == tuple(expected.shape), (way, number)
            np.testing.assert_allclose(
                mine.numpy(), expected.numpy(), rtol, atol, err_msg=f"{way}, result {number}"
            )
