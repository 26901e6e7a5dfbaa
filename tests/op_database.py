"""PyTorch's own op database as an oracle: its samples, run by PyTorch, by us, and compiled.

test_op_database.py runs a few samples of each op, or all. Where results of few bits differ, PyTorch
in double precision says whose is closer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import jitnet

DTYPES = {str(each).removeprefix("torch."): each for each in (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int8, torch.int16,
    torch.int32, torch.int64, torch.uint8, torch.bool, torch.complex64, torch.complex128,
)}  # fmt: skip
TOLERANCE = {  # relative, and absolute in units of the largest wanted element or 1
    "float64": 1e-7, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2,
    "complex64": 2e-5, "complex128": 1e-7,
}  # fmt: skip
_FEW_BITS = (torch.float16, torch.bfloat16, torch.float32, torch.complex64)
Forward = Callable[..., Any]


class NotComparableError(Exception):
    """A sample that speaks of what jitnet does not have: other devices, sparse tensors."""


# -- from PyTorch's values to ours ----------------------------------------------------------------


def rebuilt(value: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return nested arguments with leaf() of what is in them."""
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple | list):
        return type(value)([rebuilt(part, leaf) for part in value])
    if isinstance(value, dict):
        return {name: rebuilt(part, leaf) for name, part in value.items()}
    return leaf(value)


def ours(value: Any) -> Any:
    """Return a PyTorch value as jitnet's: a tensor keeps strides, values and requires_grad."""
    if isinstance(value, torch.Tensor):
        return _tensor(value)
    if isinstance(value, torch.dtype):
        if str(value).removeprefix("torch.") not in DTYPES:
            raise NotComparableError(str(value))
        return getattr(jitnet, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return jitnet.device(str(value))
    if isinstance(value, torch.layout) and value is not torch.strided:
        raise NotComparableError(str(value))
    if isinstance(value, torch.memory_format | torch.layout):
        return getattr(jitnet, str(value).removeprefix("torch."))
    if isinstance(value, torch.Generator | torch.nn.Module):
        raise NotComparableError(type(value).__name__)
    return value


def _tensor(value: torch.Tensor) -> Any:
    foreign = value.layout is not torch.strided or value.device.type != "cpu" or value.is_quantized
    if foreign or value.ndim > 64:
        raise NotComparableError(f"{value.layout} on {value.device}")
    if str(value.dtype).removeprefix("torch.") not in DTYPES:
        raise NotComparableError(str(value.dtype))
    value = value.detach().resolve_conj().resolve_neg().requires_grad_(value.requires_grad)
    memory = value.detach().untyped_storage().clone()
    copy = torch.empty(0, dtype=value.dtype).set_(
        memory, value.storage_offset(), value.shape, value.stride()
    )
    made = jitnet.from_dlpack(copy)
    return made.requires_grad_(True) if value.requires_grad else made


def theirs(value: Any) -> torch.Tensor:
    """Return our tensor as PyTorch's."""
    dtype = DTYPES[value.dtype.name]
    if dtype is torch.bfloat16:
        return torch.from_numpy(value.detach().float().numpy().copy()).to(dtype)
    return torch.from_numpy(np.array(value.detach().numpy()))


# -- which function of ours -----------------------------------------------------------------------


def function_of(info: Any) -> Forward | None:
    """Return our function for an entry of the database; None where we have no such name."""
    found: Any = jitnet
    public = info.name.replace("_segment_reduce", "segment_reduce")
    for part in public.split("."):
        found = getattr(found, part, None) if found is not None else None
    if found is None:
        found = getattr(jitnet.Tensor, info.name, None)
    if _is_story(info.op):
        known = found is not None or hasattr(jitnet.Tensor, f"{info.name}_")
        return _told_to_us(info.op) if known else None
    return found if callable(found) else None


def _is_story(function: Any) -> bool:
    """Return whether an op is Python of the database itself, which speaks of `torch`."""
    return isinstance(function, FunctionType) and "torch.testing" in str(function.__module__)


def _told_to_us(function: FunctionType) -> Forward:
    """Return the database's own function with our package in the place of `torch`."""
    names = {**function.__globals__, "torch": jitnet, "wrapper_set_seed": _without_seed}
    return FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )


def _without_seed(function: Forward, *args: Any, **options: Any) -> Any:
    return function(*args, **options)


# -- one sample -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """A call: the same arguments for PyTorch and for us."""

    function: Forward
    wanted: Forward
    args: tuple[Any, ...]
    options: dict[str, Any]
    post: Callable[[Any], Any] = lambda result: result

    def run_theirs(self) -> Any:
        """Return PyTorch's result; NotComparableError for samples that are not for this use."""
        try:
            return self.post(self.wanted(*self.args, **self.options))
        except Exception as error:
            raise NotComparableError(str(error)) from error

    def in_doubles(self) -> Sample:
        """Return the call with double precision in the place of fewer bits, for PyTorch only."""
        return replace(
            self, args=rebuilt(self.args, _doubled), options=rebuilt(self.options, _doubled)
        )

    def arguments(self) -> tuple[list[Any], Forward]:
        """Return our tensors, and the call as a function of them; one that comes twice is one."""
        tensors: list[Any] = []
        places: dict[int, _Place] = {}

        def leaf(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return ours(value)
            if id(value) not in places:
                places[id(value)] = _Place(len(tensors))
                tensors.append(ours(value))
            return places[id(value)]

        args, options = rebuilt(list(self.args), leaf), rebuilt(self.options, leaf)
        function, post = self.function, self.post

        def call(*given: Any) -> Any:
            def put(value: Any) -> Any:
                return given[value.number] if isinstance(value, _Place) else value

            return post(function(*rebuilt(args, put), **rebuilt(options, put)))

        return tensors, call


def _doubled(value: Any) -> Any:
    if not isinstance(value, torch.Tensor) or value.dtype not in _FEW_BITS:
        return value
    wide = torch.complex128 if value.dtype.is_complex else torch.float64
    return value.detach().to(wide).requires_grad_(value.requires_grad)


@dataclass(frozen=True)
class _Place:
    number: int


def samples(info: Any, dtype: str, gradient: bool = False) -> Iterator[Sample]:
    """Yield the samples of an entry that speak of nothing that we do not have."""
    function = function_of(info)
    assert function is not None
    for each in info.sample_inputs("cpu", DTYPES[dtype], requires_grad=gradient):
        yield Sample(
            function,
            info.op,
            rebuilt((each.input, *each.args), _as_leaf),
            rebuilt(each.kwargs, _as_leaf),
            each.output_process_fn_grad if gradient else lambda result: result,
        )


def _as_leaf(value: Any) -> Any:
    """Return a part of a tensor that has gradients as a tensor of its own."""
    if isinstance(value, torch.Tensor) and not value.is_leaf:
        return value.detach().requires_grad_(True)
    return value


def wrong_samples(info: Any) -> Iterator[tuple[Sample, str]]:
    """Yield the calls of an entry that must raise, and what PyTorch says."""
    function = function_of(info)
    if info.error_inputs_func is None or function is None:
        return
    for each in info.error_inputs("cpu"):
        sample = each.sample_input
        yield (
            Sample(function, info.op, (sample.input, *sample.args), sample.kwargs),
            each.error_regex,
        )


def flat(value: Any) -> list[Any]:
    """Return the tensors and numbers of a result."""
    if isinstance(value, tuple | list):
        return [item for part in value for item in flat(part)]
    return [value]


def difference(found: Any, wanted: Any, random: bool = False) -> str | None:
    """Return how our result differs from PyTorch's; None if it does not."""
    mine, expected = flat(found), flat(wanted)
    if len(mine) != len(expected):
        return f"{len(mine)} results, wanted {len(expected)}"
    for a, b in zip(mine, expected, strict=True):
        said = _one_difference(a, b, random)
        if said:
            return said
    return None


def _one_difference(found: Any, wanted: Any, random: bool) -> str | None:
    if not isinstance(wanted, torch.Tensor):
        return None if random or found == wanted else f"got {found!r}, wanted {wanted!r}"
    if not isinstance(found, jitnet.Tensor):
        return f"got a {type(found).__name__}, wanted a tensor"
    name = str(wanted.dtype).removeprefix("torch.")
    if found.dtype.name != name:
        return f"got {found.dtype.name}, wanted {name}"
    if tuple(found.shape) != tuple(wanted.shape):
        return f"got shape {list(found.shape)}, wanted {list(wanted.shape)}"
    if random:
        return None
    close = TOLERANCE.get(name, 0.0)
    finite = (wanted.detach().abs() if wanted.dtype.is_complex else wanted.detach()).double().abs()
    finite = finite[finite.isfinite()]
    size = max(1.0, float(finite.max())) if finite.numel() else 1.0
    try:
        torch.testing.assert_close(
            theirs(found), wanted.detach(), rtol=close, atol=close * size, equal_nan=True
        )
    except AssertionError as error:
        return "values: " + " ".join(str(error).split())
    return None


# -- gradients ------------------------------------------------------------------------------------


def seed_of(library: Any, result: Any) -> Any:
    """Return numbers of the result's shape, to weigh its elements with."""
    wave = np.cos(np.arange(math.prod(result.shape), dtype=np.float64)).reshape(result.shape)
    return library.tensor(wave, dtype=result.dtype)


def gradients(library: Any, leaves: list[Any], results: list[Any]) -> list[Any] | None:
    """Return the gradients of all leaves, zeros where there is none; None without a history."""
    total: Any = None
    for result in results:
        if hasattr(result, "requires_grad") and result.requires_grad:
            part = (result * seed_of(library, result)).sum()
            part = part.real - part.imag if part.dtype.is_complex else part
            total = part if total is None else total + part.to(total.dtype)
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    if total is None or not wanted:
        return None
    found = library.autograd.grad(total, wanted, allow_unused=True)
    return [
        library.zeros_like(leaf) if each is None else each
        for each, leaf in zip(found, wanted, strict=True)
    ]


def with_gradients(call: Forward) -> Forward:
    """Return the function that gives the gradients of a call's result."""

    def run(*tensors: Any) -> Any:
        return gradients(jitnet, list(tensors), flat(call(*tensors)))

    return run


def their_gradients(sample: Sample) -> list[Any] | None:
    """Return PyTorch's gradients of a sample."""
    leaves: list[Any] = []

    def leaf(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            leaves.append(value)
        return value

    rebuilt([list(sample.args), sample.options], leaf)
    results = flat(sample.run_theirs())
    return gradients(torch, leaves, results)


# -- the ways to run a sample ---------------------------------------------------------------------


def check_forward(sample: Sample, random: bool, compiled: bool) -> str | None:
    """Return how our result of a sample differs."""
    wanted = sample.run_theirs()
    tensors, call = sample.arguments()
    found = (jitnet.compile(call) if compiled else call)(*tensors)
    said = difference(found, wanted, random)
    return _still(said, found, wanted, sample, lambda wide: flat(wide.run_theirs()))


def _still(
    said: str | None, found: Any, wanted: Any, sample: Sample, again: Callable[[Sample], Any]
) -> str | None:
    """Return what was said of values, unless PyTorch with more bits says that ours are closer."""
    if said is None or not said.startswith("values"):
        return said
    for mine, value, narrow in zip(
        flat(found), again(sample.in_doubles()), flat(wanted), strict=True
    ):
        if not isinstance(value, torch.Tensor):
            continue
        exact = value.detach().to(narrow.dtype)
        wide = torch.complex128 if exact.dtype.is_complex else torch.float64
        their_error = (narrow.detach().to(wide) - exact.to(wide)).abs().nan_to_num(0.0, 0.0)
        our_error = (theirs(mine).to(wide) - exact.to(wide)).abs().nan_to_num(0.0, 0.0)
        same = difference(mine, exact) is None
        if not same and (not our_error.numel() or our_error.max() >= their_error.max()):
            return said
    return None


def check_out(sample: Sample, random: bool) -> str | None:
    """Return a complaint if a result is not written into `out`, or is another one then."""
    if "out" in sample.options:
        return None
    wanted = sample.run_theirs()
    tensors, call = sample.arguments()
    result = call(*tensors)
    outs = [jitnet.empty_like(each) for each in flat(result)]
    several = isinstance(result, tuple | list)
    options = rebuilt(sample.options, ours)
    sample.function(
        *rebuilt(list(sample.args), ours), **options, out=tuple(outs) if several else outs[0]
    )
    return difference(outs, flat(wanted), random)


def check_gradients(sample: Sample, random: bool, compiled: bool) -> str | None:
    """Return how our gradients of a sample differ."""
    wanted = their_gradients(sample)
    if wanted is None:
        return None
    tensors, call = sample.arguments()
    run = with_gradients(call)
    found = (jitnet.compile(run) if compiled else run)(*tensors)
    if found is None:
        found = [jitnet.zeros_like(leaf) for leaf in tensors if leaf.requires_grad]
    said = difference(found, wanted, random)
    return _still(said, found, wanted, sample, their_gradients)


def _overlap(sample: Sample) -> bool:
    """Return whether different tensors of a sample share memory: ours would not."""
    owners: dict[int, set[int]] = {}

    def leaf(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.layout is torch.strided and value.numel():
            owners.setdefault(value.untyped_storage().data_ptr(), set()).add(id(value))
        return value

    rebuilt([list(sample.args), sample.options], leaf)
    return any(len(tensors) > 1 for tensors in owners.values())


def check_error(sample: Sample, compiled: bool) -> str | None:
    """Return a complaint if a call that must raise does not; not all do in PyTorch itself."""
    with suppress(NotComparableError):
        sample.run_theirs()
        return None
    if _overlap(sample):
        raise NotComparableError("views of one memory")
    tensors, call = sample.arguments()
    try:
        (jitnet.compile(call) if compiled else call)(*tensors)
    except (ValueError, TypeError, RuntimeError, IndexError):
        return None
    return "did not raise"


def covered() -> list[Any]:
    """Return the entries of the database whose names we have."""
    return [info for info in op_db if function_of(info) is not None]
