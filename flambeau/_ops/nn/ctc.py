"""Connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor, wrap
from ..checks import elements
from ..declare import op
from ..promote import dtype_of
from .shared import check_reduction, is_floating, reduced

__all__ = ["ctc_loss"]

# stands for log(0): adding a few of them stays finite, so that gradients are zero and not nan
_NEVER = -1e30


@op(namespace="nn.functional", reads_values=True)
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-probability of all alignments of the targets to the inputs.

    Each target sequence is spread over time, symbols repeated and blanks between them; the
    forward algorithm sums the probabilities of all ways to do so.

    Args:
        log_probs: (T, N, C) or (T, C) log-probabilities.
        targets: (N, S) padded, or all sequences one after the other, of class indices.
        input_lengths, target_lengths: (N) integers.
        blank: the class that stands for no symbol.
        reduction: "mean" divides each loss by its target's length first.
        zero_infinity: losses without any alignment count nothing.

    Raises:
        RuntimeError: shapes, lengths or dtypes do not fit.
    """
    check_reduction(reduction)
    if not is_floating(log_probs):
        raise RuntimeError(f"ctc_loss: floating log_probs expected, got {dtype_of(log_probs)}")
    batched = log_probs._array.ndim == 3
    if not batched:
        log_probs = log_probs.unsqueeze(1)
    steps, samples, classes = log_probs._array.shape
    inputs = _lengths("input_lengths", input_lengths, samples)
    lengths = _lengths("target_lengths", target_lengths, samples)
    if not 0 <= blank < classes:
        raise RuntimeError("ctc_loss: blank must be in label range")
    if samples and inputs.max() > steps:
        raise RuntimeError(
            f"ctc_loss: Expected input_lengths to have value at most {steps}, but got value "
            f"{inputs.max()}"
        )
    table = _padded_targets(targets, lengths, samples, blank)
    loss = _negative_log_likelihood(log_probs, table, inputs, lengths, blank)
    loss = loss + _normalization_slope(log_probs, inputs)
    if zero_infinity:
        loss = P.where(P.eq(loss, float("inf")), 0, loss)
    if reduction == "mean":
        counts = np.maximum(lengths, 1).astype(loss._array.dtype)
        return (loss / wrap(counts)).mean()
    return reduced(loss if batched else loss.squeeze(0), reduction)


def _lengths(name: str, given: Any, samples: int) -> np.ndarray:
    if isinstance(given, Tensor):
        if given._array.dtype.kind not in "iu":
            raise RuntimeError(f"ctc_loss: {name} must be integral")
        found = elements(given).reshape(-1)
    else:
        found = np.asarray(given, np.int64).reshape(-1)
    if len(found) != samples:
        raise RuntimeError(f"ctc_loss: {name} must be of size batch_size ({samples})")
    if (found < 0).any():
        raise RuntimeError(f"ctc_loss: Expected {name} to have non-negative values")
    return found.astype(np.int64)


def _padded_targets(targets: Tensor, lengths: np.ndarray, samples: int, blank: int) -> np.ndarray:
    """(N, longest target), filled up with blanks."""
    longest = int(lengths.max(initial=0))
    table = np.full((samples, longest), blank, np.int64)
    array = elements(targets)
    if array.ndim == 1:
        if array.size != lengths.sum():
            raise RuntimeError(
                f"ctc_loss: Expected targets of size {lengths.sum()} (sum of target_lengths), "
                f"got {array.size}"
            )
        starts = np.cumsum(lengths) - lengths
        rows = [array[s : s + n] for s, n in zip(starts, lengths, strict=True)]
    else:
        if array.shape[0] != samples or array.shape[1] < longest:
            raise RuntimeError(
                f"ctc_loss: Expected targets of at least {samples} x {longest}, got "
                f"{list(array.shape)}"
            )
        rows = [row[:n] for row, n in zip(array, lengths, strict=True)]
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


def _normalization_slope(log_probs: Tensor, inputs: np.ndarray) -> Tensor:
    """Zeros whose gradient is exp(log_probs).

    PyTorch adds that to the gradient: what log_softmax's own backward takes away again.
    """
    within = np.arange(log_probs._array.shape[0])[:, None, None] < inputs[:, None]
    total = P.where(wrap(within), P.exp(log_probs), 0).sum((0, 2))
    return total - total.detach()


def _negative_log_likelihood(
    log_probs: Tensor, table: np.ndarray, inputs: np.ndarray, lengths: np.ndarray, blank: int
) -> Tensor:
    steps, samples, _ = log_probs._array.shape
    states = 2 * table.shape[1] + 1
    symbols = np.full((samples, states), blank, np.int64)
    symbols[:, 1::2] = table
    d = log_probs._array.dtype
    emitted = P.gather(
        P.where(P.lt(log_probs, _NEVER), _NEVER, log_probs),
        wrap(np.broadcast_to(symbols, (steps, samples, states)).copy()),
        dim=2,
    )
    # a state is reached from itself, the one before, and the one before that past a blank
    # unless the symbol repeats
    skips = np.zeros((samples, states), bool)
    skips[:, 2:] = (symbols[:, 2:] != blank) & (symbols[:, 2:] != symbols[:, :-2])
    allowed = wrap(np.stack([skips, np.ones_like(skips), np.ones_like(skips)], -1))
    begin = np.where(np.arange(states) < 2, 0, _NEVER).astype(d)
    alpha = P.add(_at(emitted, 0), wrap(begin)) if steps else None
    history = [alpha]
    for step in range(1, steps):
        before = P.pad(history[-1], widths=((0, 0), (2, 0)), value=_NEVER)
        ways = P.unfold(before, dim=1, size=3, step=1)
        alpha = _log_sum_exp(P.where(allowed, ways, _NEVER), 2) + _at(emitted, step)
        history.append(alpha)
    if not steps:
        return wrap(np.where(lengths > 0, np.inf, 0).astype(d))
    return _final(history, inputs, lengths, d)


def _final(history: list[Any], inputs: np.ndarray, lengths: np.ndarray, d: np.dtype) -> Tensor:
    """Minus the log-probability of ending in a target's last symbol or the blank behind it."""
    # (T, N, states) -> each sample's row at its last step
    everything = P.cat(*[a.unsqueeze(0) for a in history], dim=0)
    samples = len(lengths)
    last = P.index(
        everything,
        wrap(np.maximum(inputs - 1, 0)),
        wrap(np.arange(samples)),
        pattern=(True, True, False),
    )
    ends = np.stack([2 * lengths, np.maximum(2 * lengths - 1, 0)], 1)
    found = P.gather(last, wrap(ends), dim=1)
    # an empty target has only the blank to end in
    both = np.stack([np.ones(samples, bool), lengths > 0], 1)
    total = _log_sum_exp(P.where(wrap(both), found, _NEVER), 1)
    empty = np.where(lengths == 0, 0, np.inf).astype(d)
    loss = P.where(P.lt(total, _NEVER / 2), float("inf"), P.neg(total))
    return P.where(wrap(inputs == 0), wrap(empty), loss)


def _at(t: Tensor, step: int) -> Tensor:
    return P.slice(t, index=(step,))


def _log_sum_exp(x: Tensor, dim: int) -> Tensor:
    peak = P.amax(x, dims=(dim,), keepdim=True).detach()
    total = P.sum(P.exp(P.sub(x, peak)), dims=(dim,), keepdim=True)
    return P.add(P.log(total), peak).squeeze(dim)
