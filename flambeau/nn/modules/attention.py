"""Multi-head attention."""

from __future__ import annotations

from typing import Any

from flambeau._engine.autograd.tensor import Tensor
from flambeau._ops.creation import empty
from flambeau.nn import functional as F, init
from flambeau.nn.modules.linear import NonDynamicallyQuantizableLinear
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """``concat(head_1 ... head_h) W_o``, ``head_i = softmax(Q_i K_i^T / sqrt(d)) V_i``.

    ``Q_i, K_i, V_i`` are learnt projections of query, key and value to ``d = embed_dim / h``
    features.

    Args:
        embed_dim: features of the query and of the output.
        num_heads: ``h``; it must divide ``embed_dim``.
        dropout: probability of dropping an attention weight.
        bias: whether the projections have biases.
        add_bias_kv: append a learnt step to keys and values.
        add_zero_attn: append a step of zeros to keys and values.
        kdim, vdim: features of key and value, ``embed_dim`` by default.
        batch_first: whether inputs are ``(N, L, E)`` rather than ``(L, N, E)``.
        device, dtype: of the parameters.

    >>> attention = nn.MultiheadAttention(8, 2, batch_first=True)
    >>> output, weights = attention(*[torch.zeros(4, 5, 8)] * 3)
    >>> output.shape, weights.shape
    (torch.Size([4, 5, 8]), torch.Size([4, 5, 5]))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        self._make_projections(bias, device, dtype)
        self.bias_k = self.bias_v = None
        if add_bias_kv:
            self.bias_k = Parameter(empty((1, 1, embed_dim), device=device, dtype=dtype))
            self.bias_v = Parameter(empty((1, 1, embed_dim), device=device, dtype=dtype))
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _make_projections(self, bias: bool, device: Any, dtype: Any) -> None:
        """One stacked matrix for query, key and value where their sizes allow it."""
        width = self.embed_dim
        shapes: dict[str, tuple[int, ...] | None] = {
            "in_proj_weight": (3 * width, width),
            "q_proj_weight": None,
            "k_proj_weight": None,
            "v_proj_weight": None,
        }
        if not self._qkv_same_embed_dim:
            shapes = {
                "q_proj_weight": (width, width),
                "k_proj_weight": (width, self.kdim),
                "v_proj_weight": (width, self.vdim),
                "in_proj_weight": None,
            }
        shapes["in_proj_bias"] = (3 * width,) if bias else None
        for name, shape in shapes.items():
            value = None if shape is None else Parameter(empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, value)
        self.out_proj = NonDynamicallyQuantizableLinear(
            width, width, bias=bias, device=device, dtype=dtype
        )

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.setdefault("_qkv_same_embed_dim", True)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from ``query`` ``(L, N, E)`` to ``key`` and ``value`` ``(S, N, ...)``.

        Args:
            key_padding_mask: ``(N, S)``, True (or minus infinity) where a key does not count.
            need_weights: return the attention weights too (None otherwise).
            attn_mask: ``(L, S)`` or ``(N h, L, S)``, True (or minus infinity) where not to look.
            average_attn_weights: average the weights over the heads.
            is_causal: promises that ``attn_mask`` is the causal mask.
        """
        batched = query.dim() == 3
        swap = self.batch_first and batched
        if swap:
            same_key, same_value = key is query, value is key
            query = query.transpose(1, 0)
            key = query if same_key else key.transpose(1, 0)
            value = key if same_value else value.transpose(1, 0)
        separate = not self._qkv_same_embed_dim
        output, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight,
            self.in_proj_bias, self.bias_k, self.bias_v, self.add_zero_attn, self.dropout,
            self.out_proj.weight, self.out_proj.bias, training=self.training,
            key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=separate,
            q_proj_weight=self.q_proj_weight if separate else None,
            k_proj_weight=self.k_proj_weight if separate else None,
            v_proj_weight=self.v_proj_weight if separate else None,
            average_attn_weights=average_attn_weights, is_causal=is_causal,
        )  # fmt: skip
        return (output.transpose(1, 0) if swap else output), weights

    def merge_masks(
        self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, query: Tensor
    ) -> tuple[Tensor | None, int | None]:
        """Both masks as one, and what it is: 0 attention, 1 padding, 2 both, None without."""
        if attn_mask is None:
            return key_padding_mask, None if key_padding_mask is None else 1
        if key_padding_mask is None:
            return attn_mask, 0
        batch, length, _ = query.shape
        mask = attn_mask
        if attn_mask.dim() == 3:
            mask = attn_mask.view(batch, -1, length, length)
        else:
            mask = attn_mask.view(1, 1, length, length).expand(batch, self.num_heads, -1, -1)
        padding = key_padding_mask.view(batch, 1, 1, length).expand(-1, self.num_heads, -1, -1)
        return mask + padding, 2
