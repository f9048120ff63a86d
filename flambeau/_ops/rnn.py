"""Recurrent networks: one cell function a kind, one scan for all of them.

A layer multiplies its whole input by the input weights at once; only the recurrent product is left
to the loop over time. Sequences may be padded ``(T, N, F)`` or packed (all steps in one matrix,
with the number of sequences still running at each step).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flambeau._engine.autograd.calls import P
from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.declare import op
from flambeau._ops.dropout import dropout as drop
from flambeau._ops.joining import cat, stack
from flambeau._ops.nn.linear import linear

__all__ = [
    "gru",
    "gru_cell",
    "lstm",
    "lstm_cell",
    "rnn_relu",
    "rnn_relu_cell",
    "rnn_tanh",
    "rnn_tanh_cell",
]

State = tuple[Tensor, ...]


class Weights(NamedTuple):
    """The weights of one layer in one direction."""

    input: Tensor
    hidden: Tensor
    input_bias: Tensor | None = None
    hidden_bias: Tensor | None = None
    projection: Tensor | None = None


def _elman(activate: Callable[[Tensor], Tensor]) -> Callable[[Tensor, State, Weights], State]:
    def cell(x: Tensor, state: State, w: Weights) -> State:
        """``h' = act(W_i x + b_i + W_h h + b_h)``; ``x`` is already multiplied."""
        return (activate(x + P.linear(state[0], w.hidden, w.hidden_bias)),)

    return cell


def _lstm(x: Tensor, state: State, w: Weights) -> State:
    """``c' = f c + i g``, ``h' = o tanh(c')``; gates in the order i, f, g, o."""
    h, c = P.lstm_gates(x, P.linear(state[0], w.hidden, w.hidden_bias), state[1])
    return (h if w.projection is None else P.linear(h, w.projection, None)), c


def _gru(x: Tensor, state: State, w: Weights) -> State:
    """``n = tanh(x_n + r h_n)``, ``h' = n + z (h - n)``; gates in the order r, z, n."""
    (h,) = state
    return (P.gru_gates(x, P.linear(h, w.hidden, w.hidden_bias), h),)


_CELLS: dict[str, Callable[[Tensor, State, Weights], State]] = {
    "RNN_TANH": _elman(lambda x: x.tanh()),
    "RNN_RELU": _elman(lambda x: x.relu()),
    "LSTM": _lstm,
    "GRU": _gru,
}


class _Steps:
    """How the rows of a batch of sequences lie, step by step."""

    def __init__(self, batch_sizes: list[int] | None):
        self.batch_sizes = batch_sizes

    def split(self, x: Tensor) -> Sequence[Tensor]:
        return x.unbind(0) if self.batch_sizes is None else x.split(self.batch_sizes, 0)

    def join(self, outputs: list[Tensor]) -> Tensor:
        return stack(outputs, 0) if self.batch_sizes is None else cat(outputs, 0)


def _scan(
    cell: Callable[[Tensor, State, Weights], State],
    steps: Sequence[Tensor],
    initial: State,
    weights: Weights,
) -> tuple[list[Tensor], State]:
    """Run ``cell`` over the steps. Later steps of packed sequences have fewer rows.

    Returns the outputs and the state after each sequence's own last step.
    """
    state = initial
    outputs = []
    finished: list[State] = []
    for x in steps:
        rows = x.shape[0]
        if rows < state[0].shape[0]:
            finished.append(tuple(part[rows:] for part in state))
            state = tuple(part[:rows] for part in state)
        state = cell(x, state, weights)
        outputs.append(state[0])
    if finished:
        pieces = [state, *reversed(finished)]
        state = tuple(cat(parts, 0) for parts in zip(*pieces, strict=True))
    return outputs, state


def _scan_reverse(
    cell: Callable[[Tensor, State, Weights], State],
    steps: Sequence[Tensor],
    initial: State,
    weights: Weights,
) -> tuple[list[Tensor], State]:
    """`_scan` from the last step to the first: sequences join in as they begin."""
    state = tuple(part[: steps[-1].shape[0]] for part in initial)
    outputs = []
    for x in reversed(steps):
        running, rows = state[0].shape[0], x.shape[0]
        if rows > running:
            state = tuple(
                cat([part, start[running:rows]], 0)
                for part, start in zip(state, initial, strict=True)
            )
        state = cell(x, state, weights)
        outputs.append(state[0])
    outputs.reverse()
    return outputs, state


def _grouped(params: Sequence[Tensor], has_biases: bool, projected: bool) -> list[Weights]:
    """The flat list of parameters, cut into one `Weights` for each layer and direction."""
    size = 2 + 2 * has_biases + projected
    groups = []
    for start in range(0, len(params), size):
        part = list(params[start : start + size])
        projection = part.pop() if projected else None
        biases: list[Any] = part[2:] if has_biases else [None, None]
        groups.append(Weights(part[0], part[1], biases[0], biases[1], projection))
    return groups


def _run(
    mode: str,
    input: Tensor,
    batch_sizes: list[int] | None,
    hx: State,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, State]:
    """All layers and directions over time-major input; returns the output and final states."""
    directions = 2 if bidirectional else 1
    projected = mode == "LSTM" and hx[0].shape[-1] != hx[1].shape[-1]
    groups = _grouped(params, has_biases, projected)
    layout = _Steps(batch_sizes)
    finals: list[State] = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            place = layer * directions + direction
            weights = groups[place]
            initial = tuple(part[place] for part in hx)
            steps = layout.split(linear(input, weights.input, weights.input_bias))
            scan = _scan_reverse if direction else _scan
            produced, final = scan(_CELLS[mode], steps, initial, weights)
            outputs.append(layout.join(produced))
            finals.append(final)
        input = outputs[0] if directions == 1 else cat(outputs, -1)
        if dropout > 0 and train and layer < num_layers - 1:
            input = drop(input, dropout, train)
    return input, tuple(stack(parts, 0) for parts in zip(*finals, strict=True))


def _dispatch(mode: str, args: tuple, settings: dict[str, Any]) -> tuple[Tensor, State]:
    """Both forms: ``(input, hx, ..., batch_first)`` and ``(data, batch_sizes, hx, ...)``."""
    packed = isinstance(args[1 if mode == "LSTM" else 2], Tensor)
    names = ("params", "has_biases", "num_layers", "dropout", "train", "bidirectional")
    if packed:
        input, batch_sizes, hx, *rest = args
        sizes = batch_sizes.tolist()
    else:
        input, hx, *rest = args
        sizes = None
    given = dict(zip((*names, "batch_first"), rest, strict=False)) | settings
    batch_first = given.pop("batch_first", False)
    if batch_first:
        input = input.transpose(0, 1)
    state = tuple(hx) if mode == "LSTM" else (hx,)
    output, final = _run(mode, input, sizes, state, **given)
    return (output.transpose(0, 1) if batch_first else output), final


@op()
def lstm(*args: Any, **settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Layers of LSTM cells: ``(output, h_n, c_n)``.

    Call as ``lstm(input, (h, c), params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)`` or, packed, as ``lstm(data, batch_sizes, (h, c), params, ...)``. ``params``
    holds ``w_ih, w_hh[, b_ih, b_hh][, w_hr]`` for each layer and direction.
    """
    output, (h, c) = _dispatch("LSTM", args, settings)
    return output, h, c


def _plain_rnn(name: str, mode: str) -> Any:
    def function(*args: Any, **settings: Any) -> tuple[Tensor, Tensor]:
        output, (h,) = _dispatch(mode, args, settings)
        return output, h

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""Layers of {mode} cells: ``(output, h_n)``.

    Call as ``{name}(input, h, params, has_biases, num_layers, dropout, train, bidirectional,
    batch_first)`` or, packed, as ``{name}(data, batch_sizes, h, params, ...)``.
    """
    return op()(function)


gru = _plain_rnn("gru", "GRU")
rnn_tanh = _plain_rnn("rnn_tanh", "RNN_TANH")
rnn_relu = _plain_rnn("rnn_relu", "RNN_RELU")


def _one_step(mode: str, input: Tensor, state: State, weights: Weights) -> State:
    """A single step, with PyTorch's checks of the sizes."""
    features, hidden_size = weights.input.shape[1], weights.hidden.shape[1]
    if input.shape[-1] != features:
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.shape[-1]} expected {features}"
        )
    for place, part in enumerate(state):
        if part.shape[-1] != hidden_size:
            raise RuntimeError(
                f"hidden{place} has inconsistent hidden_size: got {part.shape[-1]}, "
                f"expected {hidden_size}"
            )
        if part.shape[0] != input.shape[0]:
            raise RuntimeError(
                f"Input batch size {input.shape[0]} doesn't match hidden{place} batch size "
                f"{part.shape[0]}"
            )
    return _CELLS[mode](linear(input, weights.input, weights.input_bias), state, weights)


@op()
def lstm_cell(
    input: Tensor,
    hx: tuple[Tensor, Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: ``(h', c')`` from input ``(N, F)`` and ``hx = (h, c)``."""
    h, c = _one_step("LSTM", input, tuple(hx), Weights(w_ih, w_hh, b_ih, b_hh))
    return h, c


def _plain_cell(name: str, mode: str) -> Any:
    def function(
        input: Tensor,
        hx: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Tensor:
        return _one_step(mode, input, (hx,), Weights(w_ih, w_hh, b_ih, b_hh))[0]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"One step of a {mode} cell: ``h'`` from input ``(N, F)`` and ``hx = h``."
    return op()(function)


gru_cell = _plain_cell("gru_cell", "GRU")
rnn_tanh_cell = _plain_cell("rnn_tanh_cell", "RNN_TANH")
rnn_relu_cell = _plain_cell("rnn_relu_cell", "RNN_RELU")
