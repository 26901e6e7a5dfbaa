"""PyTorch's module database: every module, on its samples, against PyTorch, in four ways."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import jitnet
from tests.module_table import NO_ERRORS, NO_GRADIENTS, fresh, ours, results_and_gradients

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
pytest.importorskip("expecttest", reason="PyTorch's database wants it")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what PyTorch's own tests import is deprecated in places
    from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

INFOS = {info.name.removeprefix("nn."): info for info in module_db}
CLOSE = {"rtol": 1e-7, "atol": 1e-9}

# How a module is called, and on how many of its samples.
WAYS = {"train": 10, "eval": 5, "forward compiled": 1, "step compiled": 2}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def samples(make: Any, info: Any, most: int) -> list[Any]:
    """Return samples of a module, evenly spread over all that there are."""
    torch.manual_seed(0)
    found = list(make(info, device="cpu", dtype=torch.float64, requires_grad=True, training=True))
    if len(found) <= most:
        return found
    return [found[place] for place in np.linspace(0, len(found) - 1, most).astype(int)]


def built(name: str, given: Any) -> tuple[Any, Any]:
    """Return PyTorch's module and ours, in float64."""
    theirs = INFOS[name].module_cls(*given.args, **given.kwargs)
    mine = getattr(jitnet.nn, name)(*ours(given.args), **ours(given.kwargs))
    return theirs.double(), mine.double()


def runs(name: str, way: str, theirs: Any, mine: Any, call: Any) -> tuple[list[Any], list[Any]]:
    """Return results and gradients of ours and of PyTorch's."""
    gradients = name not in NO_GRADIENTS
    args, kwargs = fresh(call.args), fresh(call.kwargs)
    mine_args, mine_kwargs = ours(args), ours(kwargs)
    wanted = results_and_gradients(torch, theirs, theirs.parameters(), args, kwargs, gradients)
    forward = jitnet.compile(mine) if way == "forward compiled" else mine

    def run(args: Any, kwargs: Any) -> list[Any]:
        return results_and_gradients(jitnet, forward, mine.parameters(), args, kwargs, gradients)

    if way == "step compiled":
        run = jitnet.compile(run)
    return run(mine_args, mine_kwargs), wanted


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", INFOS)
def test_a_module_is_pytorchs(name: str, way: str) -> None:
    for sample in samples(INFOS[name].module_inputs_func, INFOS[name], WAYS[way]):
        theirs, mine = built(name, sample.constructor_input)
        assert repr(mine) == repr(theirs)
        call = sample.forward_input
        if INFOS[name].is_lazy:  # the first call gives it its shapes
            theirs(*call.args, **call.kwargs)
            mine(*ours(call.args), **ours(call.kwargs))
        state = {key: ours(value) for key, value in theirs.state_dict().items()}
        assert list(mine.state_dict()) == list(state)
        mine.load_state_dict(state)
        theirs.train(way != "eval")
        mine.train(way != "eval")
        if call is None:
            continue
        found, wanted = runs(name, way, theirs, mine, call)
        found.extend(mine.state_dict().values())
        wanted.extend(theirs.state_dict().values())
        assert len(found) == len(wanted)
        for number, (got, want) in enumerate(zip(found, wanted, strict=True)):
            assert got.dtype is ours(want.dtype), number
            message = f"{sample.desc} {sample.constructor_input.kwargs}, result {number}"
            np.testing.assert_allclose(got.numpy(), want.numpy(), **CLOSE, err_msg=message)


WITH_ERRORS = [name for name in INFOS if INFOS[name].module_error_inputs_func]


@pytest.mark.parametrize("name", WITH_ERRORS)
def test_errors_are_pytorchs(name: str) -> None:
    for case in samples(INFOS[name].module_error_inputs_func, INFOS[name], 100):
        sample = case.module_error_input
        given, call = sample.constructor_input, sample.forward_input
        if name in NO_ERRORS:
            assert len(given.kwargs["weight"]) == 0
            getattr(jitnet.nn, name)(**ours(given.kwargs))(*ours(call.args))
        elif case.error_on is ModuleErrorEnum.CONSTRUCTION_ERROR:
            with pytest.raises(case.error_type):
                getattr(jitnet.nn, name)(*ours(given.args), **ours(given.kwargs))
        else:
            _, mine = built(name, given)
            with pytest.raises(case.error_type):
                mine(*ours(call.args), **ours(call.kwargs))
