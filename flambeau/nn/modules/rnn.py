"""Recurrent layers and cells."""

from __future__ import annotations

import numbers
from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops import rnn as ops
from flambeau._ops.creation import empty, zeros
from flambeau.nn.modules._rnn_cells import GRUCell, LSTMCell, RNNCell, RNNCellBase, draw_uniform
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.nn.utils.rnn import PackedSequence

from ..._engine.base.callers import warn_user

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_RUN = {
    "LSTM": ops.lstm,
    "GRU": ops.gru,
    "RNN_TANH": ops.rnn_tanh,
    "RNN_RELU": ops.rnn_relu,
}


def _checked_settings(
    mode: str, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
    dropout: float, proj_size: int,
) -> None:  # fmt: skip
    bad_dropout = isinstance(dropout, bool) or not isinstance(dropout, numbers.Number)
    if bad_dropout or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an "
            "element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warn_user(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and "
            f"num_layers={num_layers}",
        )
    for name, flag in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(flag, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(flag).__name__}")
    for name, value in (
        ("input_size", input_size),
        ("hidden_size", hidden_size),
    ):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
    for name, value in (
        ("input_size", input_size),
        ("hidden_size", hidden_size),
        ("num_layers", num_layers),
    ):
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
    if mode not in _GATES:
        raise ValueError("Unrecognized RNN mode: " + mode)


class RNNBase(Module):
    """What `RNN`, `LSTM` and `GRU` share; ``mode`` names the cell.

    The arguments are those of `LSTM`.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _checked_settings(
            mode, input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size
        )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self._directions]:
                self._add_layer(layer, suffix, device, dtype)
        self.reset_parameters()

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def _output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def _add_layer(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        gates = _GATES[self.mode] * self.hidden_size
        below = self.input_size if layer == 0 else self._output_size * self._directions
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (gates, below),
            "weight_hh": (gates, self._output_size),
        }
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = []
        for name, shape in shapes.items():
            names.append(f"{name}_l{layer}{suffix}")
            setattr(self, names[-1], Parameter(empty(shape, device=device, dtype=dtype)))
        self._all_weights.append(names)

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Tensor]:
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Nothing to do: it matters for GPU libraries only."""

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform in ``[-k, k]``, ``k = 1 / sqrt(hidden_size)``."""
        draw_uniform(self, self.hidden_size)

    # The hidden state: one tensor here, a pair for LSTM

    def _zero_state(self, batch: int, like: Tensor) -> Any:
        shape = (self.num_layers * self._directions, batch, self._output_size)
        return zeros(shape, dtype=like.dtype, device=like.device)

    def _map_state(self, function: Any, state: Any) -> Any:
        return function(state)

    def _require_state_dims(self, state: Any, dims: int, batched: str) -> None:
        if state.dim() != dims:
            raise RuntimeError(
                f"For {batched} {dims}-D input, hx should also be {dims}-D but got "
                f"{state.dim()}-D tensor"
            )

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, ...],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """RuntimeError unless ``hx`` has the expected shape."""
        if tuple(hx.size()) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(tuple(expected_hidden_size), list(hx.size())))

    def check_forward_args(self, input: Tensor, hidden: Any, batch: int) -> None:
        """RuntimeError unless the state fits the input."""
        shape = (self.num_layers * self._directions, batch, self._output_size)
        self.check_hidden_size(hidden, shape)

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise unless dtype, dimensions and features of the input fit."""
        weight = getattr(self, self._all_weights[0][0])
        if input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: "
                f"model.to({input.dtype})"
            )
        dims = 3 if batch_sizes is None else 2
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, "
                f"got {input.size(-1)}"
            )

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """``(output, final state)`` of the top layer's outputs and all layers' last states."""
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead"
            )
        steps: Tensor = input
        batched = steps.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if hx is not None:
            self._require_state_dims(hx, steps.dim(), "batched" if batched else "unbatched")
        if not batched:
            steps = steps.unsqueeze(batch_dim)
            if hx is not None:
                hx = self._map_state(lambda part: part.unsqueeze(1), hx)
        batch = steps.size(batch_dim)
        if hx is None:
            hx = self._zero_state(batch, steps)
        self.check_input(steps, None)
        self.check_forward_args(steps, hx, batch)
        output, final = self._run(steps, hx, self.batch_first)
        if not batched:
            output = output.squeeze(batch_dim)
            final = self._map_state(lambda part: part.squeeze(1), final)
        return output, final

    def _forward_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, batch_sizes, order, restored = packed
        batch = int(batch_sizes[0])
        if hx is None:
            hx = self._zero_state(batch, data)
        elif order is not None:
            hx = self._map_state(lambda part: part.index_select(1, order), hx)
        self.check_input(data, batch_sizes)
        self.check_forward_args(data, hx, batch)
        output, final = self._run(data, hx, batch_sizes)
        if restored is not None:
            final = self._map_state(lambda part: part.index_select(1, restored), final)
        return PackedSequence(output, batch_sizes, order, restored), final

    def _run(self, input: Tensor, hx: Any, layout: bool | Tensor) -> tuple[Tensor, Any]:
        """``layout`` is batch_first, or the batch sizes of packed input."""
        settings = (
            self._flat_weights, self.bias, self.num_layers, self.dropout, self.training,
            self.bidirectional,
        )  # fmt: skip
        if isinstance(layout, Tensor):
            output, *final = _RUN[self.mode](input, layout, hx, *settings)
        else:
            output, *final = _RUN[self.mode](input, hx, *settings, layout)
        return output, final[0] if len(final) == 1 else tuple(final)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """Elman network: ``h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``.

    Args:
        input_size, hidden_size, num_layers: sizes.
        nonlinearity: "tanh" or "relu".
        bias, batch_first, dropout, bidirectional, device, dtype: as for `LSTM`.

    >>> output, h = nn.RNN(10, 20, 2)(torch.zeros(5, 3, 10))
    >>> output.shape, h.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{self.nonlinearity.upper()}", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory.

    ``i, f, g, o = sig, sig, tanh, sig of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh``,
    ``c_t = f c_{t-1} + i g``, ``h_t = o tanh(c_t)``.

    Args:
        input_size: features of the input.
        hidden_size: features of the state.
        num_layers: layers, each fed with the outputs of the one below.
        bias: whether there are biases.
        batch_first: whether input and output are ``(N, L, F)`` rather than ``(L, N, F)``.
        dropout: probability of dropping the outputs between layers.
        bidirectional: a second network runs backwards, and the outputs are joined.
        proj_size: if positive, ``h_t`` is projected to so many features.
        device, dtype: of the parameters.

    ``forward(input, (h_0, c_0))`` gives ``output, (h_n, c_n)``; the input may be packed.

    >>> output, (h, c) = nn.LSTM(10, 20, 2)(torch.zeros(5, 3, 10))
    >>> output.shape, c.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def _cell_shape(self, batch: int) -> tuple[int, ...]:
        return (self.num_layers * self._directions, batch, self.hidden_size)

    def _zero_state(self, batch: int, like: Tensor) -> Any:
        cell = zeros(self._cell_shape(batch), dtype=like.dtype, device=like.device)
        return super()._zero_state(batch, like), cell

    def _map_state(self, function: Any, state: Any) -> Any:
        return function(state[0]), function(state[1])

    def _require_state_dims(self, state: Any, dims: int, batched: str) -> None:
        if state[0].dim() != dims or state[1].dim() != dims:
            raise RuntimeError(
                f"For {batched} {dims}-D input, hx and cx should also be {dims}-D but got "
                f"({state[0].dim()}-D, {state[1].dim()}-D) tensors"
            )

    def check_forward_args(self, input: Tensor, hidden: Any, batch: int) -> None:
        shape = (self.num_layers * self._directions, batch, self._output_size)
        self.check_hidden_size(hidden[0], shape, "Expected hidden[0] size {}, got {}")
        self.check_hidden_size(
            hidden[1], self._cell_shape(batch), "Expected hidden[1] size {}, got {}"
        )


class GRU(RNNBase):
    """Gated recurrent unit.

    ``r, z = sig of W_i x_t + b_i + W_h h + b_h``, ``n = tanh(W_in x_t + b_in + r (W_hn h +
    b_hn))``, ``h_t = (1 - z) n + z h``.

    The arguments are those of `LSTM`, without ``proj_size``.

    >>> output, h = nn.GRU(10, 20, 2)(torch.zeros(5, 3, 10))
    >>> output.shape, h.shape
    (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)
