"""L-BFGS: Newton's method with curvature learnt from the last steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau
from flambeau._engine.autograd.calls import P
from flambeau._engine.autograd.mode import enable_grad, no_grad
from flambeau._engine.autograd.tensor import Tensor
from flambeau.optim._line_search import MOST_STEPS, strong_wolfe
from flambeau.optim._options import check_lr
from flambeau.optim.optimizer import Optimizer, ParamsT, StateDict

__all__ = ["LBFGS"]

# Curvature below this is noise: the pair is not remembered.
_LEAST_CURVATURE = 1e-10


class LBFGS(Optimizer):
    """Limited-memory BFGS: direction d = -H g with H the inverse Hessian that the last
    `history_size` changes of point and gradient imply, then p = p + t d.

    One group of parameters only. `step` needs a closure that computes loss and gradients again.

    Args:
        params: tensors, `(name, tensor)` pairs, or one dict of a parameter group.
        lr: step length t without line search, its first guess with one.
        max_iter: most iterations a `step`.
        max_eval: most closure calls a `step`; 1.25 * max_iter if None.
        tolerance_grad: stop where the largest |g| is at most this.
        tolerance_change: stop where point or loss change by less.
        history_size: remembered changes.
        line_search_fn: None or "strong_wolfe".

    Raises:
        ValueError: a negative lr, or several parameter groups.
        RuntimeError: (step) an unknown line search.

    Example:
        >>> p = flambeau.zeros(1, requires_grad=True)
        >>> optimizer = flambeau.optim.LBFGS([p], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((p - 3) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> _ = optimizer.step(closure)
        >>> round(p.item(), 4)
        3.0
    """

    def __init__(
        self, params: ParamsT, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_lr(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter, "max_eval": max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        })  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params: list[Tensor] = self.param_groups[0]["params"]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._params = self.param_groups[0]["params"]

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Iterate until converged or out of budget.

        Args:
            closure: clears the gradients, computes the loss, calls `backward` and returns it.

        Returns:
            The loss at the start.
        """
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        evaluate = enable_grad()(closure)
        first_loss = evaluate()
        loss = float(first_loss)
        state["func_evals"] += 1
        grad = self._gather_flat_grad()
        if grad.abs().max() > group["tolerance_grad"]:
            self._iterate(group, state, evaluate, loss, grad)
        return first_loss

    def _iterate(
        self, group: dict, state: StateDict, evaluate: Callable[[], Any], loss: float, grad: Tensor
    ) -> None:
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(group, state, grad)
            state["prev_flat_grad"] = grad.clone()
            state["prev_loss"] = loss
            length = group["lr"]
            if state["n_iter"] == 1:
                length = min(1.0, 1.0 / grad.abs().sum()) * group["lr"]
            state["d"], state["t"] = direction, length
            slope = grad.dot(direction)
            if slope > -group["tolerance_change"]:
                return
            previous_loss, calls = loss, 0
            if group["line_search_fn"] is not None:
                budget = min(MOST_STEPS, group["max_eval"] - evaluations)
                loss, grad, length, calls = self._search(
                    group, evaluate, direction, length, loss, grad, slope, budget
                )
                state["t"] = length
                self._add_grad(length, direction)
            else:
                self._add_grad(length, direction)
                # nobody would use the loss after the last move
                if iteration != group["max_iter"]:
                    loss, grad, calls = float(evaluate()), self._gather_flat_grad(), 1
            evaluations += calls
            state["func_evals"] += calls
            if (
                evaluations >= group["max_eval"]
                or grad.abs().max() <= group["tolerance_grad"]
                or direction.mul(length).abs().max() <= group["tolerance_change"]
                or abs(loss - previous_loss) < group["tolerance_change"]
            ):
                return

    def _direction(self, group: dict, state: StateDict, grad: Tensor) -> Tensor:
        """-H g by the two-loop recursion, after remembering the last change."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return grad.neg()
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        change = grad.sub(state["prev_flat_grad"])
        step = state["d"].mul(state["t"])
        curvature = change.dot(step)
        if curvature > _LEAST_CURVATURE:
            if len(changes) == group["history_size"]:
                for history in (changes, steps, inverses):
                    history.pop(0)
            changes.append(change)
            steps.append(step)
            inverses.append(1.0 / curvature)
            state["H_diag"] = curvature / change.dot(change)
        factors = state.setdefault("al", [None] * group["history_size"])
        direction = grad.neg()
        for i in range(len(changes) - 1, -1, -1):
            factors[i] = steps[i].dot(direction) * inverses[i]
            direction.add_(changes[i], alpha=-factors[i].item())
        direction = direction * state["H_diag"]
        for i in range(len(changes)):
            factor = changes[i].dot(direction) * inverses[i]
            direction.add_(steps[i], alpha=(factors[i] - factor).item())
        return direction

    def _search(
        self, group: dict, evaluate: Callable[[], Any], direction: Tensor, length: Any,
        loss: float, grad: Tensor, slope: Tensor, budget: int,
    ) -> tuple[float, Tensor, Any, int]:  # fmt: skip
        if group["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        start = [param.clone() for param in self._params]

        def at(t: Any) -> tuple[float, Tensor]:
            self._add_grad(t, direction)
            found = float(evaluate()), self._gather_flat_grad()
            for param, value in zip(self._params, start):
                param.copy_(value)
            return found

        return strong_wolfe(at, length, direction, loss, grad, slope, budget)

    def _gather_flat_grad(self) -> Tensor:
        """All gradients as one vector of reals, zeros where there is none."""
        parts = []
        for param in self._params:
            grad = flambeau.zeros_like(param) if param.grad is None else param.grad
            if grad.is_complex():
                grad = P.view_as_real(grad)
            parts.append(grad.reshape(-1))
        return flambeau.cat(parts, 0)

    def _add_grad(self, length: Any, direction: Tensor) -> None:
        """p = p + length * direction, for all parameters."""
        offset = 0
        for param in self._params:
            target = P.view_as_real(param) if param.is_complex() else param
            part = direction[offset : offset + target.numel()].view_as(target)
            target.add_(part, alpha=float(length))
            offset += target.numel()
