"""LBFGS: steps along the inverse Hessian that the last gradients suggest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jitnet import capture, creation
from jitnet import functional as F
from jitnet.grad_mode import enable_grad, no_grad
from jitnet.tensor import Tensor

from .checks import check_learning_rate
from .line_search import Point, strong_wolfe
from .optimizer import Optimizer


class LBFGS(Optimizer):
    """Up to max_iter steps for each call of step(closure), which computes loss and gradients.

    line_search_fn: None (steps of lr) or "strong_wolfe". All parameters are one vector: one group.
    Steps depend on values of losses, so they run outside compiled functions; the closure may call
    one (Liu and Nocedal, 1989).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        check_learning_rate(defaults)
        if len(self.param_groups) != 1:
            raise ValueError(
                "LBFGS doesn't support per-parameter options (parameter groups): give one list"
            )
        if line_search_fn not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, got {line_search_fn!r}")
        self._params: list[Tensor] = self.param_groups[0]["params"]

    # The parameters as one vector

    def _gradient(self) -> Tensor:
        parts = [
            creation.zeros(param.numel(), dtype=param.dtype, device=param.device)
            if param.grad is None
            else param.grad.reshape(-1)
            for param in self._params
        ]
        return F.cat(parts).clone()  # type: ignore[no-any-return]

    def _move(self, start: list[Tensor], t: float, direction: Tensor) -> None:
        """Set the parameters to t * direction from start."""
        place = 0
        for param, before in zip(self._params, start, strict=True):
            part = direction[place : place + param.numel()].reshape(param.shape)
            param.copy_(before + part * t)
            place += param.numel()

    def _copies(self) -> list[Tensor]:
        return [param.detach().clone() for param in self._params]

    # Stepping

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Return the closure's loss before the steps."""
        capture.refuse("LBFGS.step()", "call it outside; the closure may call a compiled function")
        group, state = self.param_groups[0], self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        def evaluate() -> float:
            with enable_grad():
                return float(closure())

        with enable_grad():
            first = closure()
        loss, grad, calls = float(first), self._gradient(), 1
        state["func_evals"] += 1
        for iteration in range(1, group["max_iter"] + 1):
            if float(grad.abs().max()) <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            direction = self._direction(state, grad, group["history_size"])
            slope = float(grad.dot(direction))
            t = float(group["lr"])
            if state["n_iter"] == 1:
                t *= min(1.0, 1.0 / float(grad.abs().sum()))
            state["prev_flat_grad"], state["d"], state["t"] = grad, direction, t
            if slope > -group["tolerance_change"]:
                break
            start, before, last = self._copies(), loss, iteration == group["max_iter"]
            if group["line_search_fn"] is not None:
                found, used = self._search(
                    evaluate,
                    start,
                    Point(0.0, loss, grad, slope),
                    t,
                    direction,
                    group["max_eval"] - calls,
                )
                state["t"], loss, grad = found.t, found.loss, found.grad
                self._move(start, found.t, direction)
            else:
                self._move(start, t, direction)
                used = 0 if last else 1
                if not last:
                    loss, grad = evaluate(), self._gradient()
            calls += used
            state["func_evals"] += used
            small = float((direction * state["t"]).abs().max()) <= group["tolerance_change"]
            still = abs(loss - before) < group["tolerance_change"]
            if last or calls >= group["max_eval"] or small or still:
                break
        return first

    def _direction(self, state: Any, grad: Tensor, history: int) -> Tensor:
        """Return minus the inverse Hessian times the gradient, from the remembered steps."""
        if state["n_iter"] == 1:
            state["old_dirs"], state["old_stps"], state["ro"], state["H_diag"] = [], [], [], 1.0
            return -grad
        change, moved = grad - state["prev_flat_grad"], state["d"] * state["t"]
        product = float(change.dot(moved))
        changes, moves, factors = state["old_dirs"], state["old_stps"], state["ro"]
        if product > 1e-10:
            for memory, new in ((changes, change), (moves, moved), (factors, 1.0 / product)):
                if len(memory) == history:
                    memory.pop(0)
                memory.append(new)
            state["H_diag"] = product / float(change.dot(change))
        result = -grad
        shares = []
        for move, other, factor in zip(moves[::-1], changes[::-1], factors[::-1], strict=True):
            shares.append(move.dot(result) * factor)
            result = result - other * shares[-1]
        result = result * state["H_diag"]
        for move, other, factor, share in zip(moves, changes, factors, shares[::-1], strict=True):
            result = result + move * (share - other.dot(result) * factor)
        return result

    def _search(
        self,
        evaluate: Callable[[], float],
        start: list[Tensor],
        origin: Point,
        t: float,
        direction: Tensor,
        most: int,
    ) -> tuple[Point, int]:
        def at(distance: float) -> Point:
            self._move(start, distance, direction)
            loss, grad = evaluate(), self._gradient()
            return Point(distance, loss, grad, float(grad.dot(direction)))

        return strong_wolfe(at, origin, t, float(direction.abs().max()), most=most)
