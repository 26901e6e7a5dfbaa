"""The _foreach_ functions: one function for each tensor of a list, which optimizers are written in.

`_foreach_add(tensors, others)` adds tensor by tensor, or one number to all; with an underscore at
the end it changes the tensors. A compiled step fuses them as it does any others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .tensor import Tensor

_UNARY = "abs ceil cos exp floor log neg reciprocal round rsqrt sigmoid sign sin sqrt tanh trunc"
_BINARY = "add clamp_max clamp_min div mul pow sub"
_TERNARY = "addcdiv addcmul lerp"


def _each(count: int, value: Any) -> Sequence[Any]:
    """Return a value for each tensor: those of a list, or the same one for all."""
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise RuntimeError(f"_foreach_ wants lists of one length, got {count} and {len(value)}")
    return value


def _foreach(method: str) -> Callable[..., list[Tensor]]:
    def of_all(tensors: Sequence[Tensor], *others: Any, **named: Any) -> list[Tensor]:
        columns = [_each(len(tensors), other) for other in others]
        rest = {key: _each(len(tensors), value) for key, value in named.items()}
        found = []
        for number, tensor in enumerate(tensors):
            args = [column[number] for column in columns]
            options = {key: value[number] for key, value in rest.items()}
            found.append(getattr(tensor, method)(*args, **_last_named(method, args), **options))
        return found

    of_all.__doc__ = f"Return tensor.{method}(...) of each tensor."
    return of_all


def _last_named(method: str, args: list[Any]) -> dict[str, Any]:
    """Take the number of addcmul and addcdiv, which is their `value`, out of the arguments."""
    if method.startswith("addc") and len(args) == 3:
        return {"value": args.pop()}
    return {}


def _in_place(method: str) -> Callable[..., None]:
    changed = _foreach(f"{method}_")

    def change(tensors: Sequence[Tensor], *others: Any, **named: Any) -> None:
        changed(tensors, *others, **named)

    change.__doc__ = f"Do tensor.{method}_(...) to each tensor."
    return change


def _extreme(name: str, bound: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return what takes the larger (smaller) elements of each tensor and its other, and in place.

    bound: the argument of clamp() that does it for a number.
    """

    def take(tensors: Sequence[Tensor], others: Any) -> list[Tensor]:
        return [
            getattr(tensor, name)(other)
            if isinstance(other, Tensor)
            else tensor.clamp(**{bound: other})
            for tensor, other in zip(tensors, _each(len(tensors), others), strict=True)
        ]

    def take_(tensors: Sequence[Tensor], others: Any) -> None:
        for tensor, value in zip(tensors, take(tensors, others), strict=True):
            tensor.copy_(value)

    return take, take_


def _norm(tensors: Sequence[Tensor], ord: float = 2, dtype: Any = None) -> list[Tensor]:
    """Return the norm of each tensor."""
    return [tensor.norm(ord, dtype=dtype) for tensor in tensors]


def _zero_(tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        tensor.zero_()


def _copy_(
    tensors: Sequence[Tensor], sources: Sequence[Tensor], non_blocking: bool = False
) -> None:
    for tensor, source in zip(tensors, sources, strict=True):
        tensor.copy_(source)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_foreach_copy_": _copy_,
    "_foreach_norm": _norm,
    "_foreach_zero_": _zero_,
}
for _name, _bound in (("maximum", "min"), ("minimum", "max")):
    _taken = _extreme(_name, _bound)
    FUNCTIONS[f"_foreach_{_name}"], FUNCTIONS[f"_foreach_{_name}_"] = _taken
    # PyTorch's other names: what the number bounds.
    FUNCTIONS[f"_foreach_clamp_{_bound}"], FUNCTIONS[f"_foreach_clamp_{_bound}_"] = _taken
for _name in f"{_UNARY} {_BINARY} {_TERNARY}".split():
    FUNCTIONS[f"_foreach_{_name}"] = _foreach(_name)
    FUNCTIONS[f"_foreach_{_name}_"] = _in_place(_name)
