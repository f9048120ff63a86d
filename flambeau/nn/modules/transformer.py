"""The transformer (Vaswani et al., 2017)."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from flambeau._engine.autograd.mode import is_grad_enabled
from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.creation import full
from flambeau.nn import functional as F, init
from flambeau.nn.modules.attention import MultiheadAttention
from flambeau.nn.modules.container import ModuleList
from flambeau.nn.modules.dropout import Dropout
from flambeau.nn.modules.linear import Linear
from flambeau.nn.modules.module import Module
from flambeau.nn.modules.normalization import LayerNorm

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Tensor], Tensor]


def _activation(name: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(name, str):
        return name
    if name not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {name}")
    return getattr(F, name)


def _clones(module: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(count)])


def _causal_mask(length: int, device: Any = None, dtype: Any = None) -> Tensor:
    """Minus infinity above the diagonal, 0 elsewhere."""
    return full((length, length), float("-inf"), dtype=dtype, device=device).triu(diagonal=1)


def _is_causal(mask: Tensor | None, is_causal: bool | None) -> bool:
    """What the caller promised, or whether ``mask`` is the causal one."""
    if is_causal is not None or mask is None:
        return bool(is_causal)
    if mask.dim() < 2 or mask.size(-2) != mask.size(-1) or not mask.is_floating_point():
        return False
    causal = _causal_mask(mask.size(-1), mask.device, mask.dtype)
    return mask.dim() == 2 and bool((mask == causal).all())


class _Layer(Module):
    """The feed-forward part and the layout that encoder and decoder layers share."""

    _attentions: tuple[str, ...]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        place = {"device": device, "dtype": dtype}
        for name in self._attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **place
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **place)
        self.norm_first = norm_first
        blocks = range(1, len(self._attentions) + 2)
        for block in blocks:
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **place)
            setattr(self, f"norm{block}", norm)
        for block in blocks:
            setattr(self, f"dropout{block}", Dropout(dropout))
        self.activation = _activation(activation)

    @property
    def activation_relu_or_gelu(self) -> int:
        """1 for relu, 2 for gelu, 0 for anything else."""
        return {F.relu: 1, F.gelu: 2}.get(self.activation, 0)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("activation", F.relu)

    def _ff_block(self, x: Tensor, dropout: Module) -> Tensor:
        hidden = self.dropout(self.activation(self.linear1(x)))
        return dropout(self.linear2(hidden))

    def _residual(self, x: Tensor, norm: Module, block: Callable[[Tensor], Tensor]) -> Tensor:
        """``x + block(norm(x))`` or ``norm(x + block(x))``."""
        if self.norm_first:
            return x + block(norm(x))
        return norm(x + block(x))


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward network, each with a residual and a layer norm.

    Args:
        d_model: features.
        nhead: attention heads.
        dim_feedforward: hidden features of the feed-forward network.
        dropout: probability of a zero.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: of the layer norms.
        batch_first: whether inputs are ``(N, L, E)`` rather than ``(L, N, E)``.
        norm_first: normalise before each block rather than after.
        bias: whether linear layers and norms have biases.
        device, dtype: of the parameters.

    >>> nn.TransformerEncoderLayer(d_model=8, nhead=2)(torch.zeros(10, 3, 8)).shape
    torch.Size([10, 3, 8])
    """

    _attentions = ("self_attn",)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            attended, _ = self.self_attn(
                x, x, x, attn_mask=src_mask, key_padding_mask=src_key_padding_mask,
                need_weights=False, is_causal=is_causal,
            )  # fmt: skip
            return self.dropout1(attended)

        x = self._residual(src, self.norm1, attend)
        return self._residual(x, self.norm2, lambda x: self._ff_block(x, self.dropout2))


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output, and a feed-forward network.

    The arguments are those of `TransformerEncoderLayer`.

    >>> layer = nn.TransformerDecoderLayer(d_model=8, nhead=2)
    >>> layer(torch.zeros(20, 3, 8), torch.zeros(10, 3, 8)).shape
    torch.Size([20, 3, 8])
    """

    _attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            attended, _ = self.self_attn(
                x, x, x, attn_mask=tgt_mask, key_padding_mask=tgt_key_padding_mask,
                is_causal=tgt_is_causal, need_weights=False,
            )  # fmt: skip
            return self.dropout1(attended)

        def attend_to_memory(x: Tensor) -> Tensor:
            attended, _ = self.multihead_attn(
                x, memory, memory, attn_mask=memory_mask,
                key_padding_mask=memory_key_padding_mask, is_causal=memory_is_causal,
                need_weights=False,
            )  # fmt: skip
            return self.dropout2(attended)

        x = self._residual(tgt, self.norm1, attend)
        x = self._residual(x, self.norm2, attend_to_memory)
        return self._residual(x, self.norm3, lambda x: self._ff_block(x, self.dropout3))


class TransformerEncoder(Module):
    """A stack of ``num_layers`` copies of a layer, and a final norm if one is given.

    Args:
        encoder_layer: the layer to copy.
        num_layers: how many copies.
        norm: applied at the end.
        enable_nested_tensor, mask_check: in evaluation without gradients, steps masked by
            ``src_key_padding_mask`` come out as zeros, as PyTorch's nested tensors do.
    """

    def __init__(
        self,
        encoder_layer: TransformerEncoderLayer,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _clones(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor and _nests(encoder_layer)
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        causal = _is_causal(mask, is_causal)
        output = src
        for layer in self.layers:
            output = layer(output, mask, src_key_padding_mask, causal)
        padding = src_key_padding_mask
        if padding is not None and self._drops_padding(src, mask, padding):
            output = output.masked_fill(padding.unsqueeze(-1), 0.0)
        return output if self.norm is None else self.norm(output)

    def _drops_padding(self, src: Tensor, mask: Tensor | None, padding: Tensor) -> bool:
        """Whether PyTorch would run on nested tensors here, which hold no padded steps."""
        if not self.use_nested_tensor or mask is not None or src.dim() != 3:
            return False
        if self.training or padding.is_floating_point():
            return False
        if is_grad_enabled() and any(p.requires_grad for p in self.parameters()):
            return False
        kept = ~padding
        ragged = bool((kept[:, 1:] <= kept[:, :-1]).all())
        return ragged or not self.mask_check


def _nests(layer: Module) -> bool:
    """Whether ``layer`` is of the kind that PyTorch runs on nested tensors."""
    return (
        type(layer) is TransformerEncoderLayer
        and not layer.norm_first
        and layer.self_attn.batch_first
        and layer.self_attn._qkv_same_embed_dim
        and layer.self_attn.in_proj_bias is not None
        and layer.self_attn.num_heads % 2 == 0
        and layer.activation in (F.relu, F.gelu)
        and layer.norm1.eps == layer.norm2.eps
    )


class TransformerDecoder(Module):
    """A stack of ``num_layers`` copies of a decoder layer, and a final norm if one is given."""

    def __init__(
        self,
        decoder_layer: TransformerDecoderLayer,
        num_layers: int,
        norm: Module | None = None,
    ) -> None:
        super().__init__()
        self.layers = _clones(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        causal = _is_causal(tgt_mask, tgt_is_causal)
        output = tgt
        for layer in self.layers:
            output = layer(
                output, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal, memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return output if self.norm is None else self.norm(output)


class Transformer(Module):
    """Encoder and decoder: ``forward(src, tgt)`` gives features for every step of ``tgt``.

    Args:
        d_model: features.
        nhead: attention heads.
        num_encoder_layers, num_decoder_layers: depths.
        dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: as
            for `TransformerEncoderLayer`.
        custom_encoder, custom_decoder: modules to use instead.
        device, dtype: of the parameters.

    >>> model = nn.Transformer(d_model=8, nhead=2, dim_feedforward=16)
    >>> model(torch.zeros(10, 3, 8), torch.zeros(20, 3, 8)).shape
    torch.Size([20, 3, 8])
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any | None = None,
        custom_decoder: Any | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        settings = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype,
        )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*settings), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*settings), num_decoder_layers, norm()
        )
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and tgt.dim() == 3 and src.size(batch) != tgt.size(batch):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal, memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask ``(sz, sz)``: minus infinity above the diagonal, 0 elsewhere."""
        return _causal_mask(sz, device, dtype)
