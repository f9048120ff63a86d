"""NumPy rules for the gates of recurrent cells."""

from __future__ import annotations

import numpy as np

from .precision import in_float32
from .table import RULES, rule

_sigmoid = RULES["sigmoid"]


def _lstm_activated(x, h, size):
    gates = x + h
    i_f = _sigmoid(gates[..., : 2 * size])
    g = np.tanh(gates[..., 2 * size : 3 * size])
    return i_f[..., :size], i_f[..., size:], g, _sigmoid(gates[..., 3 * size :])


@rule("lstm_gates")
@in_float32
def _lstm_gates(x, h, c):
    i, f, g, o = _lstm_activated(x, h, c.shape[-1])
    new = f * c
    new += i * g
    return o * np.tanh(new), new


@rule("lstm_gates_grad")
@in_float32
def _lstm_gates_grad(g_h, g_c, x, h, c):
    size = c.shape[-1]
    i, f, g, o = _lstm_activated(x, h, size)
    squashed = np.tanh(f * c + i * g)
    g_c = g_c + g_h * o * (1 - squashed * squashed)
    out = np.empty(x.shape, x.dtype)
    out[..., :size] = g_c * g * i * (1 - i)
    out[..., size : 2 * size] = g_c * c * f * (1 - f)
    out[..., 2 * size : 3 * size] = g_c * i * (1 - g * g)
    out[..., 3 * size :] = g_h * squashed * o * (1 - o)
    return out, g_c * f


def _gru_activated(x, hidden, size):
    rz = _sigmoid(x[..., : 2 * size] + hidden[..., : 2 * size])
    r, z = rz[..., :size], rz[..., size:]
    return r, z, np.tanh(x[..., 2 * size :] + r * hidden[..., 2 * size :])


@rule("gru_gates")
@in_float32
def _gru_gates(x, hidden, h):
    _, z, n = _gru_activated(x, hidden, h.shape[-1])
    return n + z * (h - n)


@rule("gru_gates_grad")
@in_float32
def _gru_gates_grad(g, x, hidden, h):
    size = h.shape[-1]
    r, z, n = _gru_activated(x, hidden, size)
    g_n = g * (1 - z) * (1 - n * n)
    out = np.empty(x.shape, x.dtype)
    out[..., :size] = g_n * hidden[..., 2 * size :] * r * (1 - r)
    out[..., size : 2 * size] = g * (h - n) * z * (1 - z)
    out[..., 2 * size :] = g_n
    of_hidden = out.copy()
    of_hidden[..., 2 * size :] *= r
    return out, of_hidden, g * z
