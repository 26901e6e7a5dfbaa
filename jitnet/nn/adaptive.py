"""Losses that hold the layer before them: for vocabularies too large for one Linear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from jitnet import capture
from jitnet import functional as F
from jitnet.errors import at_line
from jitnet.runtime.dtype import DType
from jitnet.tensor import Tensor

from .containers import ModuleList, Sequential
from .linear import Linear
from .loss import _Loss
from .module import Module


class ASMoutput(NamedTuple):
    """What an adaptive softmax returns: the log probability of each target, and the mean loss."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """A softmax over many classes by clusters: rare classes get narrow layers (arXiv:1609.04309).

    Classes are ordered by falling frequency. Those below cutoffs[0] are in the head, which also
    has one entry for each further cluster; cluster i projects to in_features / div_value^(i+1)
    features. Every cluster is computed for every row, so that no shape depends on the targets.
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        bounds = [0, *cutoffs, n_classes]
        if not len(cutoffs):
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if any(int(a) != a or a >= b for a, b in pairwise(bounds)):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                f"order, where each value is between 1 and n_classes-1, got {list(cutoffs)}"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = bounds[1:]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = bounds[1]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        made = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **made)
        self.tail = ModuleList()
        for number, (start, stop) in enumerate(pairwise(self.cutoffs), start=1):
            width = int(in_features // div_value**number)
            narrow = Linear(in_features, width, bias=False, **made)
            self.tail.append(Sequential(narrow, Linear(width, stop - start, bias=False, **made)))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        """Return (log probability of each target, mean loss) of [N, F] and [N], or [F] and []."""
        self._check(input_, target_)
        input = input_ if target_.dim() else input_.unsqueeze(0)
        target = target_ if target_.dim() else target_.unsqueeze(0)
        entry = target.clone()  # the entry of the head that holds the target or its cluster
        found = input.new_zeros(target.shape)
        for number, (start, stop) in enumerate(pairwise(self.cutoffs)):
            inside = (target >= start) & (target < stop)
            logs = F.log_softmax(self.tail[number](input), 1)
            at = F.where(inside, target - start, 0)
            found = F.where(inside, logs.gather(1, at.unsqueeze(1)).squeeze(1), found)
            entry = F.where(inside, self.shortlist_size + number, entry)
        head = F.log_softmax(self.head(input), 1)
        output = found + head.gather(1, entry.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return ASMoutput(output if target_.dim() else output.squeeze(0), loss)

    def _check(self, input: Tensor, target: Tensor) -> None:
        if target.dim() > 1:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        if input.dim() != target.dim() + 1:
            raise RuntimeError(
                at_line(
                    f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, "
                    f"but found inputs with size {list(input.shape)}"
                )
            )
        if target.dim() and input.shape[0] != target.shape[0]:
            raise RuntimeError(
                at_line("Input and target should have the same size in the batch dimension.")
            )
        if capture.active is not None or not target.numel():
            return  # a compiled function checks where it gathers
        low, high = target.min().item(), target.max().item()
        if low < 0 or high >= self.n_classes:
            raise RuntimeError(
                at_line(
                    f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                    f"[{low}, {high}] were found. "
                )
            )

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log probabilities of all classes, [N, n_classes] of [N, in_features]."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for number, layers in enumerate(self.tail):
            entry = head[:, self.shortlist_size + number].unsqueeze(1)
            parts.append(F.log_softmax(layers(input), 1) + entry)
        return F.cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the likeliest class of each row, [N] of [N, in_features].

        As in PyTorch, a row whose likeliest entry of the head is a class gets that class.
        """
        best = self.head(input).argmax(1)
        return F.where(best < self.shortlist_size, best, self.log_prob(input).argmax(1))


class LinearCrossEntropyLoss(_Loss):
    """CrossEntropyLoss of a Linear's results, of num_classes for each place of out_features.

    options, by which PyTorch saves memory, are accepted and change nothing.
    """

    weight: Tensor | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: DType | None = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:
        super().__init__(reduction=reduction)
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(
                f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}"
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}"
            )
        self.register_buffer("weight", weight)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(
            in_features, num_classes * math.prod(out_features), bias, device, dtype
        )
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss of [N, in_features], or [in_features], and targets."""
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
