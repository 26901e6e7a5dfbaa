"""Recurrent networks: PyTorch's state, results, gradients; compiled as eager."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import jitnet
from jitnet import nn

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # PyTorch's

NETS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
    ("RNN", {"bias": False, "batch_first": True}),
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"bias": False, "num_layers": 3}),
    ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
    ("LSTM", {"proj_size": 3, "bias": False}),
    ("GRU", {}),
    ("GRU", {"num_layers": 2, "bidirectional": True, "bias": False}),
    ("GRU", {"batch_first": True, "num_layers": 2}),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(NETS)]
FEATURES, HIDDEN = 3, 5


def oracle() -> Any:
    """PyTorch, if it is there."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Return normal float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def load(ours: Any, theirs: Any) -> None:
    """Give our module PyTorch's weights."""
    state = {k: jitnet.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)


def pair(name: str, **options: Any) -> tuple[Any, Any]:
    """The same network here and in PyTorch."""
    torch = oracle()
    theirs = getattr(torch.nn, name)(FEATURES, HIDDEN, **options)
    ours = getattr(nn, name)(FEATURES, HIDDEN, **options)
    load(ours, theirs)
    return ours, theirs


def leaves(value: Any) -> list[Any]:
    """Return the tensors of a result."""
    if isinstance(value, tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return [value] if value is not None and value.is_floating_point() else []


def state_of(name: str, options: dict[str, Any], batch: int | None) -> list[np.ndarray]:
    """Return initial states for a network."""
    number = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    rows = (number,) if batch is None else (number, batch)
    hidden = normal(*rows, options.get("proj_size", 0) or HIDDEN, seed=7)
    return [hidden, normal(*rows, HIDDEN, seed=8)] if name == "LSTM" else [hidden]


def outputs(library: Any, net: Any, x: Any, states: list[np.ndarray] | None) -> Any:
    """Run a network, with its states as tensors that want gradients; (results, states)."""
    if states is None:
        return leaves(net(x)), []
    made = [library.tensor(each, requires_grad=True) for each in states]
    return leaves(net(x, tuple(made) if len(made) == 2 else made[0])), made


def weighted(library: Any, results: list[Any]) -> Any:
    """Return a number whose gradient is different for every element of the results."""
    total = 0.0
    for seed, each in enumerate(results):
        total = total + (each * library.tensor(normal(*each.shape, seed=20 + seed))).sum()
    return total


def assert_same(ours: list[Any], theirs: list[Any], tolerance: float = 2e-5) -> None:
    """Assert that tensors here and in PyTorch are equal."""
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_allclose(
            mine.detach().numpy(), other.detach().numpy(), rtol=tolerance, atol=tolerance
        )


def compare(ours: Any, theirs: Any, x: np.ndarray, states: list[np.ndarray] | None) -> None:
    """Assert equal results and gradients."""
    torch = oracle()
    mine, other = jitnet.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    got, my_states = outputs(jitnet, ours, mine, states)
    want, other_states = outputs(torch, theirs, other, states)
    assert_same(got, want)
    weighted(jitnet, got).backward()
    weighted(torch, want).backward()
    values = [mine, *my_states, *ours.parameters()]
    others = [other, *other_states, *theirs.parameters()]
    assert_same([v.grad for v in values], [v.grad for v in others], 1e-4)


@pytest.mark.parametrize(("name", "options"), NETS, ids=IDS)
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "hx"])
def test_net_is_as_in_pytorch(name: str, options: dict[str, Any], given: bool) -> None:
    ours, theirs = pair(name, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    names = [[p.shape for p in own] for own in ours.all_weights]
    assert names == [[tuple(p.shape) for p in own] for own in theirs.all_weights]
    ours.flatten_parameters()
    shape = (4, 6, FEATURES) if options.get("batch_first") else (6, 4, FEATURES)
    compare(ours, theirs, normal(*shape), state_of(name, options, 4) if given else None)
    ours.zero_grad()
    theirs.zero_grad()
    compare(ours, theirs, normal(6, FEATURES), state_of(name, options, None) if given else None)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_one_step_and_double(name: str) -> None:
    ours, theirs = pair(name)
    compare(ours, theirs, normal(1, 2, FEATURES), None)
    ours.double()
    theirs.double()
    ours.zero_grad()
    theirs.zero_grad()
    compare(ours, theirs, normal(3, 2, FEATURES).astype(np.float64), None)


LENGTHS = [2, 5, 3, 5]


@pytest.mark.parametrize(("name", "options"), NETS, ids=IDS)
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "hx"])
def test_packed_sequences_are_as_in_pytorch(
    name: str, options: dict[str, Any], given: bool
) -> None:
    torch = oracle()
    ours, theirs = pair(name, **options)
    x, states = normal(5, 4, FEATURES), state_of(name, options, 4) if given else None
    results = []
    for library, net in ((jitnet, ours), (torch, theirs)):
        tools = library.nn.utils.rnn
        value = library.tensor(x, requires_grad=True)
        packed = tools.pack_padded_sequence(value, LENGTHS, enforce_sorted=False)
        got, made = outputs(library, net, packed, states)
        output, _ = net(packed)
        padded, lengths = tools.pad_packed_sequence(output, total_length=7, padding_value=-1.0)
        assert lengths.tolist() == LENGTHS
        got.append(padded)
        weighted(library, got).backward()
        results.append([*got, value.grad, *(v.grad for v in made)])
        results[-1] += [p.grad for p in net.parameters()]
    assert_same(results[0], results[1], 1e-4)


@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_is_as_in_pytorch(batch_first: bool) -> None:
    torch = oracle()
    shape = (3, 4, 2) if batch_first else (4, 3, 2)
    x = np.arange(24, dtype=np.float32).reshape(shape)
    for lengths in ([4, 4, 1], [3, 2, 2], [1, 3, 2]):
        options = {"batch_first": batch_first, "enforce_sorted": lengths != [1, 3, 2]}
        packed = []
        for library in (jitnet, torch):
            tools = library.nn.utils.rnn
            given = lengths if options["enforce_sorted"] else library.tensor(lengths)
            packed.append(tools.pack_padded_sequence(library.tensor(x), given, **options))
        ours, theirs = packed
        for mine, other in zip(ours, theirs, strict=True):
            assert (mine is None) == (other is None)
            assert mine is None or mine.tolist() == other.tolist()
        for total in (None, 6):
            mine, size = nn.utils.rnn.pad_packed_sequence(ours, batch_first, -2.0, total)
            other, size_ = torch.nn.utils.rnn.pad_packed_sequence(theirs, batch_first, -2.0, total)
            assert mine.tolist() == other.tolist()
            assert size.tolist() == size_.tolist() == lengths


def test_sequences_come_back() -> None:
    parts = [jitnet.arange(3.0), jitnet.arange(5.0), jitnet.arange(1.0)]
    packed = nn.utils.rnn.pack_sequence(parts, enforce_sorted=False)
    assert packed.data.tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 4]
    assert packed.batch_sizes.tolist() == [3, 2, 2, 1, 1]
    back = nn.utils.rnn.unpack_sequence(packed)
    assert [part.tolist() for part in back] == [part.tolist() for part in parts]
    padded = nn.utils.rnn.pad_sequence(parts)
    again = nn.utils.rnn.unpad_sequence(padded, jitnet.tensor([3, 5, 1]))
    assert [part.tolist() for part in again] == [part.tolist() for part in parts]
    assert packed.double().data.dtype is jitnet.float64
    assert packed.to("cpu") is packed
    same = nn.utils.rnn.PackedSequence(packed.data, packed.batch_sizes, packed.sorted_indices)
    assert same.unsorted_indices.tolist() == packed.unsorted_indices.tolist()


CELLS: list[tuple[str, dict[str, Any]]] = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu", "bias": False}),
    ("LSTMCell", {}),
    ("LSTMCell", {"bias": False}),
    ("GRUCell", {}),
    ("GRUCell", {"bias": False}),
]


@pytest.mark.parametrize(("name", "options"), CELLS)
@pytest.mark.parametrize("batch", [None, 4], ids=["one", "batch"])
def test_cell_is_as_in_pytorch(name: str, options: dict[str, Any], batch: int | None) -> None:
    ours, theirs = pair(name, **options)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    rows = () if batch is None else (batch,)
    states = [normal(*rows, HIDDEN, seed=5), normal(*rows, HIDDEN, seed=6)]
    for given in (None, states if name == "LSTMCell" else states[:1]):
        ours.zero_grad()
        theirs.zero_grad()
        compare(ours, theirs, normal(*rows, FEATURES), given)


def test_dropout_is_between_layers_and_in_training_only() -> None:
    jitnet.manual_seed(0)
    net = nn.GRU(FEATURES, 50, num_layers=2, dropout=0.5)
    seen: list[Any] = []
    x = jitnet.tensor(normal(4, 2, FEATURES))
    for _ in range(2):
        seen.append(net(x)[0].detach().numpy())
    assert not np.array_equal(seen[0], seen[1])
    net.eval()
    assert np.array_equal(net(x)[0].detach().numpy(), net(x)[0].detach().numpy())
    first = nn.GRU(FEATURES, 50)
    first.load_state_dict({k: v for k, v in net.state_dict().items() if "_l0" in k})
    net.train()
    _, hidden = net(x)
    assert_same([first(x)[1][0]], [hidden[0]], 1e-6)  # the first layer's output is whole inside


def test_loading_and_replacing_parameters() -> None:
    net, other = nn.LSTM(FEATURES, HIDDEN), nn.LSTM(FEATURES, HIDDEN)
    x = jitnet.tensor(normal(4, 2, FEATURES))
    other.load_state_dict(net.state_dict())
    assert np.array_equal(net(x)[0].detach().numpy(), other(x)[0].detach().numpy())
    run = jitnet.compile(lambda x: net(x)[0])
    before = run(x).detach().numpy().copy()
    net.weight_hh_l0 = nn.Parameter(jitnet.zeros(4 * HIDDEN, HIDDEN))
    after = run(x).detach().numpy()
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, net(x)[0].detach().numpy(), rtol=1e-5, atol=1e-6)


# -- compiled -----------------------------------------------------------------------------------


def gradients(net: Any, values: list[Any], loss: Any) -> list[np.ndarray]:
    """Return the loss and the gradients of parameters and values."""
    net.zero_grad()
    for value in values:
        value.grad = None
    total = loss()
    total.backward()
    found = [total.detach().numpy().copy()]
    return found + [v.grad.numpy().copy() for v in (*net.parameters(), *values)]


@pytest.mark.parametrize(("name", "options"), NETS, ids=IDS)
def test_compiled_is_as_eager(name: str, options: dict[str, Any]) -> None:
    jitnet.manual_seed(1)
    net = getattr(nn, name)(FEATURES, HIDDEN, **options)
    x = jitnet.tensor(normal(3, 4, FEATURES), requires_grad=True)

    def loss() -> Any:
        return weighted(jitnet, leaves(net(x)))

    eager = gradients(net, [x], loss)
    for got, want in zip(gradients(net, [x], jitnet.compile(loss)), eager, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_training_step_compiled(name: str) -> None:
    """Three whole steps, update inside, leave the parameters as eager steps do."""
    after = []
    for compiled in (False, True):
        jitnet.manual_seed(2)
        net = getattr(nn, name)(FEATURES, HIDDEN, num_layers=2, batch_first=True)
        optimizer = jitnet.optim.Adam(net.parameters(), lr=0.01)

        def step(x: Any, y: Any, net: Any = net, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x)[0], y)
            loss.backward()
            optimizer.step()
            return loss

        run = jitnet.compile(step) if compiled else step
        x, y = jitnet.tensor(normal(4, 7, FEATURES)), jitnet.tensor(normal(4, 7, HIDDEN, seed=3))
        losses = [run(x, y).item() for _ in range(3)]
        after.append([np.array(losses), *(p.detach().numpy() for p in net.parameters())])
    for got, want in zip(*after, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("indexed", [False, True], ids=["unbind", "index"])
def test_loops_by_hand(name: str, indexed: bool) -> None:
    """A cell in a Python loop over time, the input taken apart in two ways."""
    jitnet.manual_seed(3)
    net = nn.Sequential(getattr(nn, name)(HIDDEN, HIDDEN), nn.Linear(FEATURES, HIDDEN))
    x = jitnet.tensor(normal(2, 5, FEATURES), requires_grad=True)

    def loss() -> Any:
        inputs = net[1](x)
        steps = [inputs[:, t] for t in range(5)] if indexed else inputs.unbind(1)
        state, seen = None, []
        for each in steps:
            state = net[0](each, state)
            seen.append(state[0] if name == "LSTMCell" else state)
        return weighted(jitnet, [jitnet.stack(seen, 1)])

    eager = gradients(net, [x], loss)
    for got, want in zip(gradients(net, [x], jitnet.compile(loss)), eager, strict=True):
        np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_packed_inside_of_a_compiled_function(name: str) -> None:
    jitnet.manual_seed(4)
    net = getattr(nn, name)(FEATURES, HIDDEN, bidirectional=True)
    x = jitnet.tensor(normal(5, 4, FEATURES), requires_grad=True)
    tools = nn.utils.rnn

    def run(lengths: list[int]) -> Any:
        packed = tools.pack_padded_sequence(x, lengths, enforce_sorted=False)
        output, hidden = net(packed)
        padded, sizes = tools.pad_packed_sequence(output)
        parts = tools.unpack_sequence(output)
        assert [len(part) for part in parts] == lengths
        return weighted(jitnet, [padded, *leaves(hidden)]) + parts[1].sum(), sizes, output

    compiled = jitnet.compile(run)
    eager = gradients(net, [x], lambda: run(LENGTHS)[0])
    got = gradients(net, [x], lambda: compiled(LENGTHS)[0])
    for mine, want in zip(got, eager, strict=True):
        np.testing.assert_allclose(mine, want, rtol=2e-4, atol=2e-5)
    _, sizes, output = compiled(LENGTHS)
    assert sizes.tolist() == LENGTHS
    assert type(output) is tools.PackedSequence
    assert output.batch_sizes.tolist() == run(LENGTHS)[2].batch_sizes.tolist()


def test_packed_from_outside_is_refused_when_compiled() -> None:
    net = nn.GRU(FEATURES, HIDDEN)
    packed = nn.utils.rnn.pack_sequence([jitnet.ones(3, FEATURES), jitnet.ones(2, FEATURES)])
    with pytest.raises(jitnet.CompileError, match="pack inside of the compiled function"):
        jitnet.compile(lambda each: net(each)[1])(packed)


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.LSTM(3, 0), ValueError, "hidden_size must be greater than zero"),
        (lambda: nn.LSTM(3, 4, proj_size=4), ValueError, "proj_size must be"),
        (lambda: nn.GRU(3, 4, 2, dropout=1.5), ValueError, r"range \[0, 1\]"),
        (lambda: nn.RNN(3, 4, nonlinearity="sine"), ValueError, "'tanh' or 'relu'"),
        (lambda: nn.RNN(3, 4, bias=1), TypeError, "bias should be of type bool"),
        (lambda: nn.LSTM(3.0, 4), TypeError, "input_size should be of type int"),
        (lambda: nn.RNN(3, 4)(jitnet.ones(2, 1, 5)), RuntimeError, "Expected 3, got 5"),
        (lambda: nn.RNN(3, 4)(jitnet.ones(3)), ValueError, "2D or 3D"),
        (lambda: nn.RNN(3, 4)(jitnet.ones(0, 1, 3)), RuntimeError, "larger than 0"),
        (lambda: nn.RNN(3, 4)(jitnet.ones(2, 1, 3).double()), ValueError, "weight dtype"),
        (
            lambda: nn.GRU(3, 4)(jitnet.ones(2, 1, 3), jitnet.ones(1, 2, 4)),
            RuntimeError,
            "Expected hidden size",
        ),
        (
            lambda: nn.GRU(3, 4)(jitnet.ones(2, 1, 3), jitnet.ones(1, 4)),
            RuntimeError,
            "should also be 3-D",
        ),
        (lambda: nn.LSTM(3, 4)(jitnet.ones(2, 1, 3), jitnet.ones(1, 1, 4)), TypeError, "pair"),
        (lambda: nn.GRUCell(3, 4)(jitnet.ones(2, 5)), RuntimeError, "got 5 expected 3"),
        (
            lambda: nn.GRUCell(3, 4)(jitnet.ones(2, 3), jitnet.ones(1, 4)),
            RuntimeError,
            "2 rows of 4",
        ),
        (
            lambda: nn.utils.rnn.pack_padded_sequence(jitnet.ones(3, 2, 1), [2, 3]),
            RuntimeError,
            "decreasing order",
        ),
        (
            lambda: nn.utils.rnn.pack_padded_sequence(jitnet.ones(3, 2, 1), [3, 0]),
            RuntimeError,
            r"in 1 \.\. 3",
        ),
        (
            lambda: nn.utils.rnn.pack_padded_sequence(jitnet.ones(3, 2, 1), [3]),
            RuntimeError,
            "batch_size=2",
        ),
    ],
)
def test_wrong_use_is_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_dropout_of_one_layer_warns() -> None:
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        nn.LSTM(3, 4, dropout=0.5)
