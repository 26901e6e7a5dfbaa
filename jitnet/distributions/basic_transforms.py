"""Transforms: invertible functions of samples, and how much they stretch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jitnet import creation
from jitnet import functional as F
from jitnet.functional.promote import broadcast_shapes
from jitnet.tensor import Tensor

from . import constraints
from .constraints import Constraint


class Transform:
    """y = transform(x); transform.inv(y) is x. event_dim trailing dims belong together.

    A subclass defines _call, _inverse and log_abs_det_jacobian(x, y), the logarithm of |dy / dx|.
    """

    bijective = True
    domain: Constraint = constraints.real
    codomain: Constraint = constraints.real
    event_dim = 0
    sign: Any = 1

    def __init__(self, cache_size: int = 0) -> None:
        self._cache_size = cache_size  # nothing is kept: inverses are cheap

    @property
    def inv(self) -> Transform:
        """The inverse."""
        return _InverseTransform(self)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the transformed tensor."""
        return self._call(x)

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log |dy / dx|, given both."""
        raise NotImplementedError

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of the transform of a tensor."""
        return tuple(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _InverseTransform(Transform):
    """The other direction of a transform."""

    def __init__(self, forward: Transform) -> None:
        super().__init__()
        self.forward = forward
        self.bijective = forward.bijective
        self.domain, self.codomain = forward.codomain, forward.domain
        self.event_dim = forward.event_dim
        self.sign = forward.sign

    @property
    def inv(self) -> Transform:
        return self.forward

    def _call(self, x: Tensor) -> Tensor:
        return self.forward._inverse(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.forward._call(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self.forward.log_abs_det_jacobian(y, x)

    def __repr__(self) -> str:
        return f"{self.forward!r}.inv"


class ComposeTransform(Transform):
    """Transforms one after another; none of them is the identity."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)
        if self.parts:
            self.domain, self.codomain = self.parts[0].domain, self.parts[-1].codomain
        self.event_dim = max((part.event_dim for part in self.parts), default=0)
        self.bijective = all(part.bijective for part in self.parts)
        self.sign = math.prod(part.sign for part in self.parts)

    def _call(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part._inverse(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        total: Any = creation.zeros(
            x.shape[: x.dim() - self.event_dim], dtype=x.dtype, device=x.device
        )
        for part in self.parts:
            after = part(x)
            found = part.log_abs_det_jacobian(x, after)
            dims = self.event_dim - part.event_dim
            total = total + (found.sum(tuple(range(-dims, 0))) if dims else found)
            x = after
        return total  # type: ignore[no-any-return]

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return tuple(shape)

    def __repr__(self) -> str:
        return f"ComposeTransform({self.parts})"


identity_transform = ComposeTransform([])


class ExpTransform(Transform):
    """e^x."""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return F.exp(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return F.log(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class PowerTransform(Transform):
    """x^exponent, of positive numbers."""

    domain = constraints.positive
    codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = creation.as_tensor(exponent)

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)  # type: ignore[no-any-return]

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return F.log((self.exponent * y / x).abs())


class SigmoidTransform(Transform):
    """1 / (1 + e^-x)."""

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        tiny = 1.1754943508222875e-38
        return F.clamp(F.sigmoid(x), tiny, 1 - 2.0**-24)  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor) -> Tensor:
        return F.log(y) - F.log1p(-y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -F.softplus(-x) - F.softplus(x)


class SoftplusTransform(Transform):
    """log(1 + e^x)."""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return F.softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return F.log(-F.expm1(-y)) + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -F.softplus(-x)


class TanhTransform(Transform):
    """tanh(x): steadier than its composition of Sigmoid and Affine."""

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return F.tanh(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return F.atanh(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2.0 * (math.log(2.0) - x - F.softplus(-2.0 * x))


class AbsTransform(Transform):
    """|x|, whose inverse is the positive one."""

    bijective = False
    codomain = constraints.nonnegative

    def _call(self, x: Tensor) -> Tensor:
        return F.abs(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class AffineTransform(Transform):
    """loc + scale * x, over event_dim dims of one event."""

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc = loc
        self.scale = scale
        self.event_dim = event_dim
        if event_dim:
            self.domain = self.codomain = constraints.independent(constraints.real, event_dim)

    @property
    def sign(self) -> Any:  # type: ignore[override]
        """Of the scale."""
        return creation.as_tensor(self.scale).sign()

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        scale = creation.as_tensor(self.scale, dtype=x.dtype, device=x.device)
        found = F.log(scale.abs()).expand(x.shape)
        dims = tuple(range(-self.event_dim, 0))
        return found.sum(dims) if dims else found  # type: ignore[no-any-return]

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        shapes = (creation.as_tensor(self.loc).shape, creation.as_tensor(self.scale).shape)
        return broadcast_shapes(tuple(shape), *map(tuple, shapes))


class SoftmaxTransform(Transform):
    """exp(x), normalized: not a bijection, as one number more or less is free."""

    bijective = False
    event_dim = 1
    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return F.softmax(x, -1)

    def _inverse(self, y: Tensor) -> Tensor:
        return F.log(y)


class StickBreakingTransform(Transform):
    """K numbers to K + 1 shares: each the part of what is left that its sigmoid takes."""

    event_dim = 1
    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        z = F.sigmoid(x - self._offset(x))
        left = (1 - z).cumprod(-1)
        return F.pad(z, (0, 1), value=1.0) * F.pad(left, (1, 0), value=1.0)

    def _inverse(self, y: Tensor) -> Tensor:
        share = y[..., :-1]
        left = F.clamp(1 - share.cumsum(-1), min=2.0**-149)
        return F.log(share) - F.log(left) + self._offset(share)  # type: ignore[no-any-return]

    def _offset(self, x: Tensor) -> Tensor:
        """Return the logarithm of how many shares remain, for which x = 0 gives equal ones."""
        return F.log(creation.arange(x.shape[-1], 0, -1, dtype=x.dtype, device=x.device))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        moved = x - self._offset(x)
        return (-moved + F.logsigmoid(moved) + F.log(y[..., :-1])).sum(-1)  # type: ignore[no-any-return]

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] + 1)
