"""Gradients of the gates of recurrent cells: the gates are computed anew, not saved.

One instruction a step, except where the gradients themselves are to be differentiated: then they
are composed of primitives that have gradients.
"""

from __future__ import annotations

from typing import Any

from ..mode import mode
from ..table import joint_gradient, no_gradient
from .shared import P


def _parts(t: Any, count: int) -> list[Any]:
    """The last dimension in ``count`` equal parts: views."""
    shape = t._array.shape
    size = shape[-1] // count
    lead = tuple((0, n, 1) for n in shape[:-1])
    return [P.slice(t, index=(*lead, (k * size, (k + 1) * size, 1))) for k in range(count)]


def _lstm_gates(gs: Any, x: Any, h: Any, c: Any) -> tuple:
    g_h, g_c = gs
    if not mode.grad:
        gates, g_c = P.lstm_gates_grad(g_h, g_c, x, h, c)
        return gates, gates, g_c
    i, f, g, o = _parts(P.add(x, h), 4)
    i, f, g, o = P.sigmoid(i), P.sigmoid(f), P.tanh(g), P.sigmoid(o)
    squashed = P.tanh(f * c + i * g)
    g_c = g_c + g_h * o * (1 - squashed * squashed)
    gates = P.cat(
        g_c * g * i * (1 - i),
        g_c * c * f * (1 - f),
        g_c * i * (1 - g * g),
        g_h * squashed * o * (1 - o),
        dim=c._array.ndim - 1,
    )
    return gates, gates, g_c * f


def _gru_gates(g: Any, x: Any, hidden: Any, h: Any) -> tuple:
    if not mode.grad:
        return P.gru_gates_grad(g, x, hidden, h)
    x_r, x_z, x_n = _parts(x, 3)
    h_r, h_z, h_n = _parts(hidden, 3)
    r, z = P.sigmoid(x_r + h_r), P.sigmoid(x_z + h_z)
    n = P.tanh(x_n + r * h_n)
    g_n = g * (1 - z) * (1 - n * n)
    g_r = g_n * h_n * r * (1 - r)
    g_z = g * (h - n) * z * (1 - z)
    dim = h._array.ndim - 1
    return P.cat(g_r, g_z, g_n, dim=dim), P.cat(g_r, g_z, g_n * r, dim=dim), g * z


joint_gradient("lstm_gates", _lstm_gates)
joint_gradient("gru_gates", _gru_gates)
no_gradient("lstm_gates_grad", "gru_gates_grad")  # which only run where nothing is recorded
