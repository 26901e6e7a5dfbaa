"""Recurrent networks: one step of each kind, and the loop over time, layers and directions.

What does not depend on the state, the product of all time steps' input with the weights, is done
at once before the loop. Weights and gates are laid out as PyTorch's: the gates of an LSTM are i,
f, g, o; those of a GRU are r, z, n.
https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..tensor import Tensor
from .activation import relu
from .dropout import dropout
from .joining import cat, chunk, narrow, split, stack, unbind
from .linear_algebra import linear, product
from .precision import autocast_lowers
from .unary import sigmoid, tanh

State = tuple[Tensor, ...]  # the hidden state [B, H] and, for an LSTM, the cell's [B, H]


class Weights(NamedTuple):
    """The parameters of one layer in one direction; G is H times the number of gates."""

    ih: Tensor  # [G, input size]
    hh: Tensor  # [G, H], or [G, P] if the output is projected
    bias_ih: Tensor | None = None  # [G]
    bias_hh: Tensor | None = None  # [G]
    hr: Tensor | None = None  # [P, H]


@dataclass(frozen=True)
class Kind:
    """A kind of recurrent network.

    gates: how many rows of the weights there are for a hidden unit.
    project: the part of the gates that the input decides, [N, G] from [N, input size].
    step: the next state from that part, the state and the weights, turned.
    """

    gates: int
    project: Callable[[Tensor, Weights], Tensor]
    step: Callable[[Tensor, State, Weights], State]


def _turned(weights: Weights) -> Weights:
    """Transpose what multiplies the state, once for all steps."""
    hr = None if weights.hr is None else weights.hr.t()
    return weights._replace(hh=weights.hh.t(), hr=hr)


def _with_both_biases(x: Tensor, weights: Weights) -> Tensor:
    if weights.bias_ih is None or weights.bias_hh is None:
        return linear(x, weights.ih)
    return linear(x, weights.ih, weights.bias_ih + weights.bias_hh)


def _with_own_bias(x: Tensor, weights: Weights) -> Tensor:
    return linear(x, weights.ih, weights.bias_ih)


def _simple(activation: Callable[[Tensor], Tensor]) -> Kind:
    """h' = activation(gates + h W^T)"""

    def step(gates: Tensor, state: State, weights: Weights) -> State:
        return (activation(gates + product(state[0], weights.hh)),)

    return Kind(1, _with_both_biases, step)


def _lstm_step(gates: Tensor, state: State, weights: Weights) -> State:
    """c' = f c + i g; h' = o tanh(c')"""
    hidden, cell = state
    i, f, g, o = chunk(gates + product(hidden, weights.hh), 4, 1)
    cell = sigmoid(f) * cell + sigmoid(i) * tanh(g)
    hidden = sigmoid(o) * tanh(cell)
    if weights.hr is not None:
        hidden = product(hidden, weights.hr)
    return hidden, cell


def _gru_step(gates: Tensor, state: State, weights: Weights) -> State:
    """h' = (1 - z) n + z h, where r lets the state into n"""
    (hidden,) = state
    own = product(hidden, weights.hh)
    if weights.bias_hh is not None:
        own = own + weights.bias_hh
    from_r, from_z, from_n = chunk(own, 3, 1)
    r, z, n = chunk(gates, 3, 1)
    new = tanh(n + sigmoid(r + from_r) * from_n)
    return ((hidden - new) * sigmoid(z + from_z) + new,)


KINDS = {
    "RNN_TANH": _simple(tanh),
    "RNN_RELU": _simple(relu),
    "LSTM": Kind(4, _with_both_biases, _lstm_step),
    "GRU": Kind(3, _with_own_bias, _gru_step),
}


def advance(kind: Kind, x: Tensor, state: State, weights: Weights) -> State:
    """Return the state [B, H] after one input [B, input size]."""
    return kind.step(kind.project(x, weights), state, _turned(weights))


def run(
    kind: Kind,
    data: Tensor,
    sizes: Sequence[int],
    state: State,
    weights: Sequence[Sequence[Weights]],
    drop: float = 0.0,
) -> tuple[Tensor, State]:
    """Return the last layer's outputs [N, D * H], and all layers' final states [L * D, B, H].

    data: [N, input size], the rows of all time steps, one step after another; sizes: how many
    rows each step has, never more than the one before. state: [L * D, B, H], of all layers.
    weights: of the layers, each for D = 1 or 2 directions. drop: the probability with which a
    layer's outputs are dropped on their way to the next.
    """
    given = list(zip(*(unbind(each) for each in state), strict=True))
    finals: list[State] = []
    for depth, directions in enumerate(weights):
        if depth and drop:
            data = dropout(data, drop)
        outputs = []
        for backward, own in enumerate(directions):
            loop = _backward if backward else _forward
            output, final = loop(kind, data, sizes, given[len(finals)], own)
            outputs.append(output)
            finals.append(final)
        data = cat(outputs, 1) if len(outputs) > 1 else outputs[0]
    return data, tuple(stack(each) for each in zip(*finals, strict=True))


run_lowered = autocast_lowers(run)


def _forward(
    kind: Kind, data: Tensor, sizes: Sequence[int], state: State, weights: Weights
) -> tuple[Tensor, State]:
    """Run from the first step to the last; sequences that end leave the batch."""
    outputs: list[Tensor] = []
    ended: list[State] = []
    rows = sizes[0]
    steps, turned = split(kind.project(data, weights), sizes), _turned(weights)
    for gates, size in zip(steps, sizes, strict=True):
        if size < rows:
            ended.append(_rows(state, size, rows))
            state, rows = _rows(state, 0, size), size
        state = kind.step(gates, state, turned)
        outputs.append(state[0])
    final = _joined([state, *reversed(ended)])
    return cat(outputs), final


def _backward(
    kind: Kind, data: Tensor, sizes: Sequence[int], state: State, weights: Weights
) -> tuple[Tensor, State]:
    """Run from the last step to the first; sequences join the batch where they end."""
    outputs: list[Tensor] = []
    initial, rows = state, sizes[-1]
    if rows < sizes[0]:
        state = _rows(initial, 0, rows)
    steps, turned = split(kind.project(data, weights), sizes), _turned(weights)
    for gates, size in zip(reversed(steps), reversed(sizes), strict=True):
        if size > rows:
            state, rows = _joined([state, _rows(initial, rows, size)]), size
        state = kind.step(gates, state, turned)
        outputs.append(state[0])
    return cat(outputs[::-1]), state


def _rows(state: State, start: int, stop: int) -> State:
    return tuple(narrow(each, 0, start, stop - start) for each in state)


def _joined(states: Sequence[State]) -> State:
    if len(states) == 1:
        return states[0]
    return tuple(cat(parts) for parts in zip(*states, strict=True))
