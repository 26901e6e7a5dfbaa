"""x[...] read and written, against PyTorch, with indices that Hypothesis makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jitnet


def oracle() -> Any:
    """Return PyTorch, or skip the test."""
    return pytest.importorskip("torch", reason="the oracle; make test ORACLE=1 installs it")


SHAPE = (3, 4, 2, 5)


def part(draw: Any, axis: int) -> Any:
    """Return an index for one dim: an int, a slice, or places as a list or an array."""
    size = SHAPE[axis]
    kind = draw(st.sampled_from(["int", "slice", "all", "list", "array", "mask"]))
    if kind == "int":
        return draw(st.integers(-size, size - 1))
    if kind == "all":
        return slice(None)
    if kind == "slice":
        ends = st.one_of(st.none(), st.integers(-size - 1, size + 1))
        return slice(draw(ends), draw(ends), draw(st.one_of(st.none(), st.integers(1, 3))))
    if kind == "list":
        return draw(st.lists(st.integers(-size, size - 1), min_size=2, max_size=2))
    if kind == "mask":
        chosen = draw(st.permutations(range(size)))[:2]
        return np.isin(np.arange(size), chosen)
    shape = draw(st.sampled_from([(), (1,), (2,), (3, 1), (3, 2)]))
    places = st.integers(-size, size - 1)
    flat = draw(st.lists(places, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(flat, np.int64).reshape(shape)


@st.composite
def keys(draw: Any) -> tuple[Any, ...]:
    """Return an index of up to four dims with None and `...` somewhere."""
    count = draw(st.integers(0, 4))
    ellipsis_at = draw(st.one_of(st.none(), st.integers(0, count)))
    skipped = len(SHAPE) - count
    items = []
    for position in range(count):
        behind = ellipsis_at is not None and position >= ellipsis_at
        items.append(part(draw, position + (skipped if behind else 0)))
    if ellipsis_at is not None:
        items.insert(ellipsis_at, Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        items.insert(draw(st.integers(0, len(items))), None)
    return tuple(items)


def for_library(key: tuple[Any, ...], library: Any) -> tuple[Any, ...]:
    """Return the key with arrays as the library's tensors."""
    return tuple(library.tensor(item) if isinstance(item, np.ndarray) else item for item in key)


def outcome(function: Any) -> Any:
    """Return the result, or that an index did not fit."""
    try:
        return function()
    except (IndexError, RuntimeError, ValueError) as error:
        return type(error)


def numbers() -> np.ndarray:
    """Return different float32 numbers in SHAPE."""
    return np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)


@settings(max_examples=250)
@given(keys())
def test_read(key: tuple[Any, ...]) -> None:
    """Values, gradients, and whether the result is a view."""
    torch = oracle()
    mine = jitnet.tensor(numbers(), requires_grad=True)
    theirs = torch.tensor(numbers(), requires_grad=True)
    want = outcome(lambda: theirs[for_library(key, torch)])
    got = outcome(lambda: mine[for_library(key, jitnet)])
    if isinstance(want, type):
        assert isinstance(got, type), (key, got)
        return
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    shares = np.shares_memory(got.detach().numpy(), mine.detach().numpy())
    theirs_share = np.shares_memory(want.detach().numpy(), theirs.detach().numpy())
    assert shares == theirs_share
    (got * got).sum().backward()
    (want * want).sum().backward()
    np.testing.assert_array_equal(mine.grad.numpy(), theirs.grad.numpy())


@settings(max_examples=250)
@given(keys(), st.sampled_from(["number", "full", "row", "scalar"]))
def test_write(key: tuple[Any, ...], kind: str) -> None:
    """Writing numbers and tensors, where no place is named twice; gradients of the values."""
    torch = oracle()
    theirs = torch.tensor(numbers()) * torch.ones((), requires_grad=True)
    mine = jitnet.tensor(numbers()) * jitnet.ones((), requires_grad=True)
    found = outcome(lambda: theirs.detach()[for_library(key, torch)])
    if isinstance(found, type):
        assert isinstance(outcome(lambda: mine.detach()[for_library(key, jitnet)]), type)
        return
    if len(np.unique(found.numpy())) != found.numel():
        return
    shape = tuple(found.shape)
    sizes = {"full": shape, "row": shape[-1:], "scalar": ()}
    value: Any = 7.5
    other: Any = 7.5
    if kind != "number":
        array = -np.arange(np.prod(sizes[kind]), dtype=np.float32).reshape(sizes[kind]) - 1
        value = jitnet.tensor(array, requires_grad=True)
        other = torch.tensor(array, requires_grad=True)
    mine[for_library(key, jitnet)] = value
    theirs[for_library(key, torch)] = other
    np.testing.assert_array_equal(mine.detach().numpy(), theirs.detach().numpy())
    if kind != "number" and found.numel():
        (mine * mine).sum().backward()
        (theirs * theirs).sum().backward()
        np.testing.assert_array_equal(value.grad.numpy(), other.grad.numpy())


@pytest.mark.parametrize("value", [1.5, [1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]], [4.0, 5.0, 6.0, 7.0]])
def test_masks(value: Any) -> None:
    """x[mask] = value for masks of the first dims, the last dims, and all."""
    torch = oracle()
    array = numbers()[:, :, 0, :3]
    for mask in (array[..., 0] > 10, array > 15, array[0, :, 0] > -1):
        mine, theirs = jitnet.tensor(array), torch.tensor(array)
        key = np.broadcast_to(mask, array.shape[: mask.ndim]) if mask.ndim > 1 else None
        for library, x in ((jitnet, mine), (torch, theirs)):
            chosen = library.tensor(np.ascontiguousarray(mask if key is None else key))
            filled = value if isinstance(value, float) else library.tensor(value)
            index = (slice(None), chosen) if key is None else chosen
            try:
                x[index] = filled
            except (RuntimeError, IndexError):
                x[:] = 0
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (3, IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
    ((0, -5), IndexError, "index -5 is out of bounds for dimension 1 with size 4"),
    ((0, 0, 0, 0, 0), IndexError, "too many indices for tensor of dimension 4"),
    ([0, 3], IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
    (1.5, IndexError, "valid indices"),
    ("a", IndexError, "valid indices"),
    (slice(None, None, 0), ValueError, "slice step cannot be zero"),
    ((..., ...), IndexError, "single ellipsis"),
    (np.ones(4, bool), IndexError, "mask"),
    (np.ones(3), IndexError, "whole numbers or bools"),
]


@pytest.mark.parametrize("key, error, words", ERRORS, ids=lambda v: str(v)[:20])
def test_errors(key: Any, error: type[Exception], words: str) -> None:
    """Wrong indices are refused, reading and writing, and nothing is written."""
    x = jitnet.tensor(numbers())
    with pytest.raises(error, match=words):
        x[key]
    with pytest.raises(error, match=words):
        x[key] = 1.0
    np.testing.assert_array_equal(x.numpy(), numbers())


def test_values_that_do_not_fit() -> None:
    """A value's shape is checked before anything is written."""
    x = jitnet.tensor(numbers())
    for key in (0, slice(0, 2), [0, 1]):
        with pytest.raises(RuntimeError, match="cannot be broadcast"):
            x[key] = jitnet.ones(3, 3)
    np.testing.assert_array_equal(x.numpy(), numbers())


def test_scalars_and_empty() -> None:
    """Zero-dimensional and empty tensors."""
    one = jitnet.tensor(2.5)
    assert one[...].item() == 2.5 and one[None].shape == (1,) and one[()].item() == 2.5
    assert one[jitnet.tensor(True)].tolist() == [2.5] and one[False].tolist() == []
    with pytest.raises(IndexError, match="0-dim tensor"):
        one[0]
    one[...] = 3
    assert one.item() == 3
    none = jitnet.zeros(0, 3)
    assert none[:, 1].shape == (0,) and none[jitnet.zeros(0, dtype=jitnet.int64)].shape == (0, 3)
    assert none[none > 0].shape == (0,)
    none[none > 0] = 1
    x = jitnet.arange(4)
    x[[]] = 9
    assert x.tolist() == [0, 1, 2, 3] and x[[]].shape == (0,)


def test_gradients_of_an_assignment_to_an_indexed_tensor() -> None:
    """`y[2] *= 3` writes the same place twice, the second time with what stands there."""
    x = jitnet.ones(3, 2, requires_grad=True)
    y = x.clone()
    y[2] *= 3
    y.reshape(2, 3)[0, 1] += x[0, 0]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2, 1], [1, 1], [3, 3]]


def test_in_place_on_indexed() -> None:
    """x[i] += y goes through a read, an in-place op and a write."""
    x = jitnet.arange(6).reshape(2, 3)
    x[0] += 10
    x[:, 1] *= 2
    x[x > 10] -= 1
    x[[0, 1], [0, 2]] += 100
    assert x.tolist() == [[110, 21, 11], [3, 8, 105]]


ALONG: dict[str, tuple[Any, Any]] = {
    "select": (lambda lib, x, i, v: x.index_select(1, i[:2]), None),
    "select_one": (lambda lib, x, i, v: x.index_select(-1, i[0]), None),
    "select_scalar": (lambda lib, x, i, v: x[0, 0].index_select(0, i[:1] * 0), None),
    "select_negative": (lambda lib, x, i, v: x.index_select(1, -i), (IndexError, RuntimeError)),
    "select_outside": (lambda lib, x, i, v: x.index_select(0, i), IndexError),
    "select_matrix": (lambda lib, x, i, v: x.index_select(0, i[None]), IndexError),
    "copy": (lambda lib, x, i, v: x.index_copy(1, i, v), None),
    "copy_to_line": (lambda lib, x, i, v: x[0].index_copy(0, i, v[1]), None),
    "copy_scalar": (lambda lib, x, i, v: x[0].index_copy(0, i[0], v[0, 0]), None),
    "copy_negative": (lambda lib, x, i, v: x.index_copy(1, -i, v), IndexError),
    "copy_fewer": (lambda lib, x, i, v: x.index_copy(1, i, v[:, :1]), (IndexError, RuntimeError)),
    "copy_row": (lambda lib, x, i, v: x.index_copy(1, i, v[:1]), RuntimeError),
    "copy_whole": (lambda lib, x, i, v: x.index_copy(1, i, v.long()), RuntimeError),
    "add": (lambda lib, x, i, v: x.index_add(1, i, v, alpha=3), None),
    "add_negative": (lambda lib, x, i, v: x.index_add(1, -i, v), (IndexError, RuntimeError)),
    "add_row": (lambda lib, x, i, v: x.index_add(1, i, v[0]), RuntimeError),
    "fill": (lambda lib, x, i, v: x.index_fill(1, -i, 7.0), None),
    "fill_outside": (lambda lib, x, i, v: x.index_fill(1, i * 2, 7.0), IndexError),
    "fill_line": (lambda lib, x, i, v: x.index_fill(1, i, v[0]), RuntimeError),
}  # fmt: skip


@pytest.mark.parametrize("name", ALONG)
def test_along_a_dim(name: str) -> None:
    """index_select, index_copy, index_add and index_fill: results and refusals are PyTorch's."""
    torch = oracle()
    function, error = ALONG[name]
    arrays = np.arange(8.0).reshape(2, 4), np.array([3, 1, 3]), -np.ones((2, 3))
    mine, theirs = ([lib.tensor(array) for array in arrays] for lib in (jitnet, torch))
    compiled = jitnet.compile(lambda *tensors: function(jitnet, *tensors))
    if error is None:
        wanted = function(torch, *theirs).tolist()
        assert function(jitnet, *mine).tolist() == wanted == compiled(*mine).tolist()
        return
    for run in (lambda: function(torch, *theirs), lambda: function(jitnet, *mine)):
        with pytest.raises(error):
            run()
    with pytest.raises(error):
        compiled(*mine)
