"""Single steps of recurrent networks: RNNCell, LSTMCell, GRUCell."""

from __future__ import annotations

import math
from typing import Any

from jitnet import creation
from jitnet.errors import at_line
from jitnet.functional import recurrent
from jitnet.functional.recurrent import State, Weights
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from . import init
from .module import Module
from .parameter import Parameter


class RNNCellBase(Module):
    """The parameters of one step: weight_ih, weight_hh, bias_ih, bias_hh.

    num_chunks: how many gates a unit has. All values are uniform in +-1/sqrt(hidden_size).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows, made = num_chunks * hidden_size, {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(creation.empty((rows, input_size), **made))
        self.weight_hh = Parameter(creation.empty((rows, hidden_size), **made))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(creation.empty((rows,), **made)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0.0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self) -> str:
        """Return the settings that are not defaults."""
        bias = "" if self.bias is True else f", bias={self.bias}"
        return f"{self.input_size}, {self.hidden_size}{bias}"

    def _advance(self, mode: str, input: Tensor, state: State | None) -> State:
        """Return the next state, for a batch [N, input_size] or one input [input_size]."""
        self._check("input", input)
        for each in state or ():
            self._check("hidden", each)
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        x = input if input.ndim == 2 else input.unsqueeze(0)
        self._check_sizes(x, state)
        if state is None:
            zeros = creation.zeros((x.shape[0], self.hidden_size), dtype=x.dtype, device=x.device)
            state = (zeros,) * (2 if mode == "LSTM" else 1)
        if input.ndim == 2:
            return recurrent.advance(recurrent.KINDS[mode], x, state, weights)
        state = tuple(each if each.ndim == 2 else each.unsqueeze(0) for each in state)
        after = recurrent.advance(recurrent.KINDS[mode], x, state, weights)
        return tuple(each.squeeze(0) for each in after)

    def _check(self, what: str, x: Tensor) -> None:
        if x.ndim not in (1, 2):
            raise ValueError(
                at_line(f"{self._get_name()}: Expected {what} to be 1D or 2D, got {x.ndim}D")
            )

    def _check_sizes(self, x: Tensor, state: State | None) -> None:
        if x.shape[1] != self.input_size:
            raise RuntimeError(
                at_line(
                    f"input has inconsistent input_size: got {x.shape[1]} "
                    f"expected {self.input_size}"
                )
            )
        for each in state or ():
            rows = each.shape[0] if each.ndim == 2 else 1
            if (rows, each.shape[-1]) != (x.shape[0], self.hidden_size):
                raise RuntimeError(
                    at_line(
                        f"hidden wants {x.shape[0]} rows of {self.hidden_size}, "
                        f"got shape {list(each.shape)}"
                    )
                )


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu of it."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def extra_repr(self) -> str:
        """Return the settings that are not defaults."""
        kind = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + kind

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next hidden state, [N, hidden_size]."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(at_line(f"Unknown nonlinearity: {self.nonlinearity}"))
        mode = f"RNN_{self.nonlinearity.upper()}"
        (hidden,) = self._advance(mode, input, None if hx is None else (hx,))
        return hidden


class LSTMCell(RNNCellBase):
    """c' = f c + i g and h' = o tanh(c'), for a state (h, c)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the next (hidden state, cell state)."""
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise TypeError(at_line(f"LSTMCell wants hx as a pair (h, c), got {type(hx).__name__}"))
        hidden, cell = self._advance("LSTM", input, None if hx is None else tuple(hx))
        return hidden, cell


class GRUCell(RNNCellBase):
    """h' = (1 - z) n + z h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the next hidden state, [N, hidden_size]."""
        (hidden,) = self._advance("GRU", input, None if hx is None else (hx,))
        return hidden
