"""A line search for the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from flambeau._engine.autograd.tensor import Tensor

MOST_STEPS = 25
_DECREASE = 1e-4  # the loss must fall by this share of what the slope promises
_CURVATURE = 0.9  # and the slope must flatten to this share of its start
_LEAST_CHANGE = 1e-9


class Point(NamedTuple):
    """What is known at step length t: loss, gradient, slope along the direction."""

    t: Any
    loss: float
    grad: Tensor
    slope: Any


def cubic_minimum(a: Point, b: Point, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through two points' losses and slopes is least, kept within bounds."""
    low, high = bounds or ((a.t, b.t) if a.t <= b.t else (b.t, a.t))
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2.0
    d2 = square**0.5
    if a.t <= b.t:
        best = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    else:
        best = a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2 * d2))
    return min(max(best, low), high)


def strong_wolfe(
    evaluate: Callable[[Any], tuple[float, Tensor]], t: Any, direction: Tensor, loss: float,
    grad: Tensor, slope: Any, budget: int = MOST_STEPS,
) -> tuple[float, Tensor, Any, int]:  # fmt: skip
    """A step length where the loss has fallen enough and the slope has flattened.

    Args:
        evaluate: loss and gradient at a step length.
        t: the first guess.
        direction: where to go; loss, grad, slope: what is known at the start.
        budget: how often to look beyond the first guess.

    Returns:
        Loss, gradient, step length, and how often `evaluate` was called.
    """
    start = Point(0, loss, grad.clone(), slope)

    def look(t: Any) -> Point:
        loss, grad = evaluate(t)
        return Point(t, loss, grad.clone(), grad.dot(direction))

    def too_high(point: Point) -> bool:
        return bool(point.loss > loss + _DECREASE * point.t * slope)

    def flat(point: Point) -> bool:
        return bool(abs(point.slope) <= -_CURVATURE * slope)

    bracket, calls, done = _bracket(look, t, start, budget, too_high, flat)
    size = direction.abs().max()
    if not done:
        bracket, calls = _zoom(look, bracket, calls, size, budget, too_high, flat)
    best = min(bracket, key=lambda point: point.loss)
    return best.loss, best.grad, best.t, calls


def _bracket(
    look: Callable[[Any], Point], t: Any, start: Point, budget: int,
    too_high: Callable[[Point], bool], flat: Callable[[Point], bool],
) -> tuple[list[Point], int, bool]:  # fmt: skip
    """Two points with a good one between, or one good point (then the last result is True)."""
    previous, point, calls = start, look(t), 1
    for step in range(budget):
        if too_high(point) or (step > 1 and point.loss >= previous.loss):
            return [previous, point], calls, False
        if flat(point):
            return [point], calls, True
        if point.slope >= 0:
            return [previous, point], calls, False
        t = point.t
        bounds = (t + 0.01 * (t - previous.t), t * 10)
        previous, point = point, look(cubic_minimum(previous, point, bounds))
        calls += 1
    return [start, point], calls, False


def _zoom(
    look: Callable[[Any], Point], bracket: list[Point], calls: int, size: Tensor, budget: int,
    too_high: Callable[[Point], bool], flat: Callable[[Point], bool],
) -> tuple[list[Point], int]:  # fmt: skip
    """Shrink a bracket until one end is good, or it is too small to matter."""
    stalled = False
    low, high = sorted((0, 1), key=lambda i: bracket[i].loss)
    for _ in range(max(0, budget + 1 - calls)):
        first, last = bracket
        if abs(last.t - first.t) * size < _LEAST_CHANGE:
            break
        t = cubic_minimum(first, last)
        left, right = min(first.t, last.t), max(first.t, last.t)
        # too near an end: once is forgiven, twice or outside moves it a tenth inwards
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if stalled or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                stalled = False
            else:
                stalled = True
        else:
            stalled = False
        point = look(t)
        calls += 1
        if too_high(point) or point.loss >= bracket[low].loss:
            bracket[high] = point
            low, high = sorted((0, 1), key=lambda i: bracket[i].loss)
        else:
            good = flat(point)
            if not good and point.slope * (bracket[high].t - bracket[low].t) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = point
            if good:
                break
    return bracket, calls
