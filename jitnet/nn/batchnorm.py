"""Normalisation with statistics: batch norm and instance norm."""

from __future__ import annotations

from typing import Any, ClassVar

from jitnet import creation
from jitnet import functional as F
from jitnet.grad_mode import no_grad
from jitnet.runtime.dtype import DType, int64
from jitnet.tensor import Tensor

from . import init
from .module import Module
from .parameter import Parameter


class _Norm(Module):
    """Parameters and running statistics of `num_features` channels.

    weight (ones) and bias (zeros, unless bias=False) exist if affine; running_mean (zeros),
    running_var (ones) and num_batches_tracked (int64, 0-d) if track_running_stats: they are
    updated in place.
    """

    _optional_state = frozenset({"num_batches_tracked"})

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        made = {"device": device, "dtype": dtype}
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if affine:
            self.weight = Parameter(creation.ones((num_features,), **made))
        if affine and bias:
            self.bias = Parameter(creation.zeros((num_features,), **made))
        self._make_statistics(made)

    def _make_statistics(self, made: dict[str, Any]) -> None:
        if not self.track_running_stats:
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                self.register_buffer(name, None)
            return
        self.register_buffer("running_mean", creation.zeros((self.num_features,), **made))
        self.register_buffer("running_var", creation.ones((self.num_features,), **made))
        self.register_buffer(
            "num_batches_tracked", creation.zeros((), dtype=int64, device=made["device"])
        )

    def reset_running_stats(self) -> None:
        """Forget the running statistics."""
        if not self.track_running_stats:
            return
        with no_grad():
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Set weight to ones and bias to zeros, and forget the running statistics."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """Return the settings."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    def _check(self, input: Tensor) -> None:
        raise NotImplementedError


class _BatchNorm(_Norm):
    """(x - mean) / sqrt(var + eps) * weight + bias, statistics over the batch and all positions.

    In training the batch's statistics are used and the running ones follow them by `momentum`
    (None: the average of all batches so far); in evaluation the running ones are used.
    """

    ranks: ClassVar[tuple[int, ...]]

    def _check(self, input: Tensor) -> None:
        if input.dim() not in self.ranks:
            wanted = " or ".join(f"{rank}D" for rank in self.ranks)
            raise ValueError(
                f"{type(self).__name__} wants a {wanted} input, got {input.dim()}D "
                f"of shape {tuple(input.shape)}"
            )

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        self._check(input)
        use_batch = self.training or self.running_mean is None
        follow = self.training and self.track_running_stats
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        if follow and self.num_batches_tracked is not None:
            with no_grad():
                self.num_batches_tracked.add_(1)
                if self.momentum is None:
                    momentum = 1.0 / self.num_batches_tracked.to(self.running_mean.dtype)
        keep = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if keep else None,
            self.running_var if keep else None,
            self.weight,
            self.bias,
            use_batch,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch norm of [N, C] or [N, C, L]."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch norm of [N, C, H, W]."""

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch norm of [N, C, D, H, W]."""

    ranks = (5,)


class _InstanceNorm(_Norm):
    """(x - mean) / sqrt(var + eps), statistics over the positions of each channel of each sample.

    By default there are no parameters and no running statistics.
    """

    rank: ClassVar[int]  # with the batch dim

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )

    def _check(self, input: Tensor) -> None:
        if input.dim() not in (self.rank - 1, self.rank):
            raise ValueError(
                f"{type(self).__name__} wants a {self.rank - 1}D or {self.rank}D input, "
                f"got {input.dim()}D of shape {tuple(input.shape)}"
            )
        channels = input.shape[input.dim() - self.rank + 1]
        if self.affine and channels != self.num_features:
            raise ValueError(
                f"{type(self).__name__} wants {self.num_features} channels, got {channels} "
                f"in an input of shape {tuple(input.shape)}"
            )

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised input."""
        self._check(input)
        batched = input if input.dim() == self.rank else input.unsqueeze(0)
        result = F.instance_norm(
            batched,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return result if input.dim() == self.rank else result.squeeze(0)


class SyncBatchNorm(_BatchNorm):
    """Batch norm of [N, C, ...] over the batches of all processes, of which there is one."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: DType | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )
        self.process_group = process_group

    def _check(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """Return a module whose batch norms are SyncBatchNorms of the same state."""
        made = module
        if isinstance(module, _BatchNorm):
            made = cls(
                module.num_features,
                module.eps,
                module.momentum,
                module.affine,
                module.track_running_stats,
                process_group,
                bias=module.bias is not None,
            )
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                setattr(made, name, getattr(module, name))
            made.training = module.training
        for name, child in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return made


class InstanceNorm1d(_InstanceNorm):
    """Instance norm of [N, C, L] or [C, L]."""

    rank = 3


class InstanceNorm2d(_InstanceNorm):
    """Instance norm of [N, C, H, W] or [C, H, W]."""

    rank = 4


class InstanceNorm3d(_InstanceNorm):
    """Instance norm of [N, C, D, H, W] or [C, D, H, W]."""

    rank = 5
