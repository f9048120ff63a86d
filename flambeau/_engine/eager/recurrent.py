"""NumPy rules for the gates of recurrent cells."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import RULES, rule

_sigmoid = RULES["sigmoid"]


@rule("lstm_gates")
@in_float32
def _lstm_gates(x, h, c):
    size = c.shape[-1]
    gates = x + h
    i, f, o = (_sigmoid(gates[..., k * size : (k + 1) * size]) for k in (0, 1, 3))
    new = f * c
    new += i * np.tanh(gates[..., 2 * size : 3 * size])
    return o * np.tanh(new), new


@rule("gru_gates")
@in_float32
def _gru_gates(x, hidden, h):
    size = h.shape[-1]
    rz = _sigmoid(x[..., : 2 * size] + hidden[..., : 2 * size])
    n = np.tanh(x[..., 2 * size :] + rz[..., :size] * hidden[..., 2 * size :])
    return n + rz[..., size:] * (h - n)
