"""The gates of recurrent cells: one instruction a step, since a loop runs them many times."""

from __future__ import annotations

from .primitive import Aval, declare


def _lstm_gates(x: Aval, h: Aval, c: Aval) -> tuple[Aval, Aval]:
    return c, c


def _lstm_gates_grad(g_h: Aval, g_c: Aval, x: Aval, h: Aval, c: Aval) -> tuple[Aval, Aval]:
    return x, c


def _gru_gates_grad(g: Aval, x: Aval, hidden: Aval, h: Aval) -> tuple[Aval, Aval, Aval]:
    return x, x, h


def _gru_gates(x: Aval, hidden: Aval, h: Aval) -> Aval:
    return h


# i, f, g, o = x + h in four parts; c' = sig(f) c + sig(i) tanh(g); gives sig(o) tanh(c') and c'
declare("lstm_gates", "x h c", shape=_lstm_gates, outputs=2)
# its gradients, (of x and of h alike, of c), given those of its results
declare("lstm_gates_grad", "g_h g_c x h c", shape=_lstm_gates_grad, outputs=2)
# r, z, n in three parts of x and hidden; n = tanh(x_n + r hidden_n), r, z = sig(x + hidden);
# gives n + z (h - n)
declare("gru_gates", "x hidden h", shape=_gru_gates)
# its gradients, of x, hidden and h, given that of its result
declare("gru_gates_grad", "g x hidden h", shape=_gru_gates_grad, outputs=3)
