"""Recurrent networks over whole sequences: RNN, LSTM, GRU."""

from __future__ import annotations

import math
import warnings
from typing import Any

from jitnet import creation
from jitnet.errors import at_line
from jitnet.functional import recurrent
from jitnet.functional.indexing import index_select
from jitnet.functional.recurrent import State, Weights
from jitnet.modes import mode
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from . import init
from .module import Module
from .parameter import Parameter
from .utils.packed import PackedSequence, step_sizes


class RNNBase(Module):
    """Layers of a recurrent network, each in one or two directions.

    mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU". Parameters of layer k: weight_ih_lk, weight_hh_lk
    and, unless bias=False, bias_ih_lk and bias_hh_lk; with proj_size also weight_hr_lk; those of
    the second direction end in _reverse. All are uniform in +-1/sqrt(hidden_size).
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_settings()
        self._all_weights = self._make_weights({"device": device, "dtype": dtype})
        self.reset_parameters()

    def _check_settings(self) -> None:
        if self.mode not in recurrent.KINDS:
            known = ", ".join(recurrent.KINDS)
            raise ValueError(f"Unrecognized RNN mode: {self.mode!r}; there are {known}")
        drop = self.dropout
        if isinstance(drop, bool) or not isinstance(drop, (int, float)) or not 0 <= drop <= 1:
            raise ValueError(f"dropout should be a number in range [0, 1], got {drop!r}")
        if drop > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={drop}",
                stacklevel=4,
            )
        for name in ("bias", "batch_first"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} should be of type bool, got {getattr(self, name)!r}")
        for name in ("input_size", "hidden_size", "num_layers"):
            if not isinstance(getattr(self, name), int):
                raise TypeError(f"{name} should be of type int, got {getattr(self, name)!r}")
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero, got {getattr(self, name)}")
        if not 0 <= self.proj_size < self.hidden_size:
            raise ValueError(
                "proj_size must be 0 (no projection) or smaller than hidden_size "
                f"{self.hidden_size}, got {self.proj_size}"
            )

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        """Features of the hidden state of one direction."""
        return self.proj_size or self.hidden_size

    def _make_weights(self, made: dict[str, Any]) -> list[list[str]]:
        """Make the parameters; return their names, for each layer and direction."""
        rows = recurrent.KINDS[self.mode].gates * self.hidden_size
        names: list[list[str]] = []
        for layer in range(self.num_layers):
            features = self.input_size if not layer else self._output_size * self._directions
            for suffix in ("", "_reverse")[: self._directions]:
                shapes = {"weight_ih": (rows, features), "weight_hh": (rows, self._output_size)}
                if self.bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if self.proj_size:
                    shapes["weight_hr"] = (self.proj_size, self.hidden_size)
                own = {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}
                for name, shape in own.items():
                    self.register_parameter(name, Parameter(creation.empty(shape, **made)))
                names.append(list(own))
        return names

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Do nothing: where parameters lie in memory makes no difference here."""

    def extra_repr(self) -> str:
        """Return the settings that are not defaults."""
        parts = [f"{self.input_size}, {self.hidden_size}"]
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                parts.append(f"{name}={float(value) if name == 'dropout' else value}")
        return ", ".join(parts)

    # -- running --------------------------------------------------------------------------------

    def _state_sizes(self) -> tuple[int, ...]:
        """Return the features of each part of the state."""
        return (self._output_size,)

    def _run(self, input: Tensor | PackedSequence, state: State | None) -> tuple[Any, State]:
        """Return outputs and final state for a sequence, a batch of them, or a packed one."""
        if isinstance(input, PackedSequence):
            return self._run_packed(input, state)
        if input.ndim not in (2, 3):
            raise ValueError(
                at_line(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.ndim}D")
            )
        if input.ndim == 2:
            self._check_rank(state, 2)
            one = None if state is None else tuple(each.unsqueeze(1) for each in state)
            output, final = self._run_batch(input.unsqueeze(1), one)
            return output.squeeze(1), tuple(each.squeeze(1) for each in final)
        self._check_rank(state, 3)
        output, final = self._run_batch(input.transpose(0, 1) if self.batch_first else input, state)
        return output.transpose(0, 1) if self.batch_first else output, final

    def _check_rank(self, state: State | None, rank: int) -> None:
        for each in state or ():
            if each.ndim != rank:
                kind = "batched 3-D" if rank == 3 else "unbatched 2-D"
                raise RuntimeError(
                    at_line(
                        f"For {kind} input, hx should also be {rank}-D but got {each.ndim}-D tensor"
                    )
                )

    def _run_batch(self, input: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Return outputs [T, B, D * H] for input [T, B, input size]."""
        length, batch = input.shape[:2]
        if not length:
            raise RuntimeError(at_line("Expected sequence length to be larger than 0 in RNN"))
        self._check_input(input)
        output, final = self._run_steps(input.flatten(0, 1), [batch] * length, state)
        return output.unflatten(0, (length, batch)), final

    def _run_packed(
        self, packed: PackedSequence, state: State | None
    ) -> tuple[PackedSequence, State]:
        if packed.data.ndim != 2:
            raise RuntimeError(at_line(f"input must have 2 dimensions, got {packed.data.ndim}"))
        self._check_input(packed.data)
        if state is not None and packed.sorted_indices is not None:
            state = tuple(index_select(each, 1, packed.sorted_indices) for each in state)
        output, final = self._run_steps(packed.data, step_sizes(packed), state)
        if packed.unsorted_indices is not None:
            final = tuple(index_select(each, 1, packed.unsorted_indices) for each in final)
        return packed._replace(data=output), final

    def _check_input(self, input: Tensor) -> None:
        wanted = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype is not wanted and mode.now.autocast is None:
            raise ValueError(
                at_line(
                    f"RNN input dtype ({input.dtype}) does not match weight dtype ({wanted}). "
                    f"Convert input: input.to({wanted}), or convert model: model.to({input.dtype})"
                )
            )
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                at_line(
                    "input.size(-1) must be equal to input_size. Expected "
                    f"{self.input_size}, got {input.shape[-1]}"
                )
            )

    def _run_steps(
        self, data: Tensor, sizes: list[int], state: State | None
    ) -> tuple[Tensor, State]:
        weights = [self._weights(names) for names in self._all_weights]
        number = self._directions
        shapes = [(len(weights), sizes[0], features) for features in self._state_sizes()]
        if state is None:
            state = tuple(
                creation.zeros(shape, dtype=data.dtype, device=data.device) for shape in shapes
            )
        for each, shape in zip(state, shapes, strict=True):
            if tuple(each.shape) != shape:
                raise RuntimeError(at_line(f"Expected hidden size {shape}, got {list(each.shape)}"))
        layers = [weights[at : at + number] for at in range(0, len(weights), number)]
        drop = self.dropout if self.training else 0.0
        run = recurrent.run_lowered if self.mode == "LSTM" else recurrent.run  # as in PyTorch
        return run(recurrent.KINDS[self.mode], data, sizes, state, layers, drop)

    def _weights(self, names: list[str]) -> Weights:
        found = [getattr(self, name) for name in names]
        biases = found[2:4] if self.bias else [None, None]
        return Weights(found[0], found[1], *biases, found[-1] if self.proj_size else None)


class RNN(RNNBase):
    """h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), or relu of it.

    input: [T, N, input_size], [N, T, input_size] if batch_first, [T, input_size] or packed.
    hx: [layers * directions, N, hidden_size], zeros if not given. Returns the outputs of the last
    layer at all times, [T, N, directions * hidden_size], and the final hidden state.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity {nonlinearity!r}. Select from 'tanh' or 'relu'."
            )
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return outputs and the final hidden state."""
        output, (hidden,) = self._run(input, None if hx is None else (hx,))
        return output, hidden


class GRU(RNNBase):
    """A network of gated units: h_t = (1 - z_t) n_t + z_t h_(t-1); shapes as RNN's."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """Return outputs and the final hidden state."""
        output, (hidden,) = self._run(input, None if hx is None else (hx,))
        return output, hidden


class LSTM(RNNBase):
    """A network with long short-term memory: c_t = f_t c_(t-1) + i_t g_t, h_t = o_t tanh(c_t).

    Shapes as RNN's, the state being a pair (h, c); with proj_size, h is W_hr (o_t tanh(c_t)), of
    proj_size features.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def _state_sizes(self) -> tuple[int, ...]:
        return (self._output_size, self.hidden_size)

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        """Return outputs and the final (hidden state, cell state)."""
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise TypeError(at_line(f"LSTM wants hx as a pair (h, c), got {type(hx).__name__}"))
        output, (hidden, cell) = self._run(input, None if hx is None else tuple(hx))
        return output, (hidden, cell)
