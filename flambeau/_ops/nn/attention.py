"""Scaled dot-product attention, and attention with many heads."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..._engine.autograd.calls import P
from ..._engine.autograd.tensor import Tensor
from ..creation import zeros
from ..declare import op
from ..dropout import dropout
from ..joining import cat
from ..promote import dtype_of
from .linear import linear
from .shared import INT64, in_float32, is_floating

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]


@op(namespace="nn.functional", label="ScaledDotProductAttentionBackward0")
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(query @ key^T * scale + mask) @ value.

    Args:
        query: (..., L, E); key (..., S, E); value (..., S, V).
        attn_mask: broadcasts to (..., L, S); bool (False masks out) or added to the scores.
        dropout_p: probability of dropping an attention weight; applied whatever the mode.
        is_causal: position i sees positions up to i.
        scale: 1 / sqrt(E) by default.
        enable_gqa: keys and values with fewer heads (dimension -3) serve several queries each.

    Raises:
        RuntimeError: shapes or dtypes do not fit, or a mask together with is_causal.
    """
    _check_attention(query, key, value, attn_mask, is_causal)
    return _attention(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)


@in_float32
def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None,
    dropout_p: float,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> Tensor:
    if enable_gqa:
        heads = query._array.shape[-3]
        key, value = _repeated_heads(key, heads), _repeated_heads(value, heads)
    if scale is None:
        size = query._array.shape[-1]
        scale = 1 / math.sqrt(size) if size else 1.0
    # the root on either side keeps half-precision products in range
    root = math.sqrt(abs(scale))
    scores = (query * (root if scale > 0 else -root)) @ (key * root).transpose(-2, -1)
    if is_causal:
        attn_mask = _no_later_keys(scores)
    if attn_mask is None:
        weights = scores.softmax(-1)
    else:
        weights = _masked_softmax(scores, attn_mask)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p, True)
    return weights @ value


def _check_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool
) -> None:
    if not (query._array.dtype == key._array.dtype == value._array.dtype):
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{dtype_of(query)} key.dtype: {dtype_of(key)} and value.dtype: {dtype_of(value)} "
            "instead."
        )
    if min(t._array.ndim for t in (query, key, value)) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query._array.ndim} key.dim: {key._array.ndim} and value.dim: {value._array.ndim} "
            "instead."
        )
    if mask is None:
        return
    if is_causal:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    allowed = (np.dtype(bool), np.dtype(np.float32), query._array.dtype)
    if mask._array.dtype not in allowed:
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {dtype_of(mask)} and  query.dtype: {dtype_of(query)} instead."
        )


def _repeated_heads(t: Tensor, heads: int) -> Tensor:
    """Each head as often as needed for `heads` in all, side by side."""
    *lead, own, length, size = t._array.shape
    if heads % own:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query, got "
            f"{own} and {heads}"
        )
    times = heads // own
    spread = t.unsqueeze(-3).expand(*lead, own, times, length, size)
    return spread.reshape(*lead, heads, length, size)


def _no_later_keys(scores: Tensor) -> Tensor:
    """True where the key is not after the query."""
    queries, keys = scores._array.shape[-2:]
    rows, columns = (P.arange(start=0, step=1, count=n, dtype=INT64) for n in (queries, keys))
    mask = P.ge(P.view(rows, shape=(queries, 1)), columns)
    if scores._device is not mask._device:
        mask._device, mask._plain = scores._device, False
    return mask


def _masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """softmax of masked scores; a row in which everything is masked out is zero."""
    if mask._array.dtype.kind == "b":
        scores = P.where(mask, scores, float("-inf")).to(scores.dtype)
    else:
        scores = (scores + mask).to(scores.dtype)
    return P.safe_softmax(scores, dim=scores._array.ndim - 1)


class _Shapes(NamedTuple):
    """The sizes that the steps of attention with many heads share."""

    target: int
    batch: int
    embedding: int
    heads: int
    head: int


@op(namespace="nn.functional", label="AddmmBackward0")
def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention with several heads: project, attend in each head, project back.

    Args:
        query: (L, N, E) or (L, E); key, value: (S, N, E) or (S, E).
        key_padding_mask: (N, S): True (or -inf) for keys to leave out.
        attn_mask: (L, S) or (N * num_heads, L, S): True (or -inf) for pairs to leave out.
        need_weights: also give the weights, averaged over heads if average_attn_weights.
        is_causal: a hint that attn_mask is the causal mask.

    Gives (L, N, E), and the weights (N, L, S) or None. Raises AssertionError or RuntimeError
    where shapes do not fit.
    """
    batched = _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads)
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if not batched:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, size = query._array.shape
    _check_embedding(size, embed_dim_to_check, num_heads)
    shapes = _Shapes(length, batch, size, num_heads, size // num_heads)
    key_padding_mask = _as_added(key_padding_mask, "key_padding_mask", query)
    causal = is_causal and key_padding_mask is None and not need_weights
    attn_mask = None if causal else _as_added(attn_mask, "attn_mask", query)
    if use_separate_proj_weight:
        projections = [q_proj_weight, k_proj_weight, v_proj_weight]
        q, k, v = _project_apart(query, key, value, projections, in_proj_bias, size)
    else:
        q, k, v = _project_packed(query, key, value, in_proj_weight, in_proj_bias, size)
    k, v, extra = _whole_source(
        [k, v], [bias_k, bias_v], [static_k, static_v], add_zero_attn, shapes
    )
    mask = _whole_mask(attn_mask, key_padding_mask, shapes, k._array.shape[1], extra)
    found, weights = _attend(
        _split_heads(q, shapes), k, v, mask, causal, dropout_p if training else 0.0, need_weights
    )
    out = linear(_merged_heads(found, shapes), out_proj_weight, out_proj_bias)
    out = out.reshape(length, batch, out._array.shape[1])
    if weights is not None:
        weights = weights.reshape(batch, num_heads, length, weights._array.shape[2])
        weights = weights.mean(1) if average_attn_weights else weights
    if batched:
        return out, weights
    return out.squeeze(1), None if weights is None else weights.squeeze(0)


def _check_embedding(size: int, wanted: int, heads: int) -> None:
    if size != wanted:
        raise AssertionError(f"was expecting embedding dimension of {wanted}, but got {size}")
    if size % heads:
        raise AssertionError(f"embed_dim {size} not divisible by num_heads {heads}")


def _merged_heads(t: Tensor, shapes: _Shapes) -> Tensor:
    """(batch * heads, length, head) to (length * batch, heads * head)."""
    return t.transpose(0, 1).reshape(shapes.target * shapes.batch, shapes.embedding)


def _whole_source(
    pair: list[Tensor],
    biases: list[Any],
    static: list[Tensor | None],
    add_zero: bool,
    shapes: _Shapes,
) -> tuple[Tensor, Tensor, int]:
    """Keys and values by heads, with what is added to the sequence, and how much that is."""
    extra = 0
    if biases[0] is not None and biases[1] is not None:
        size = (1, shapes.batch, shapes.embedding)
        pair = [cat([t, b.expand(size)]) for t, b in zip(pair, biases, strict=True)]
        extra += 1
    pair = [_static_or_split(s, t, shapes) for s, t in zip(static, pair, strict=True)]
    if add_zero:
        k = pair[0]
        empty = zeros(k._array.shape[0], 1, shapes.head, dtype=k.dtype, device=k.device)
        pair = [cat([t, empty], dim=1) for t in pair]
        extra += 1
    return pair[0], pair[1], extra


def _check_ranks(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    padding: Tensor | None,
    mask: Tensor | None,
    heads: int,
) -> bool:
    """Whether the query is a batch; AssertionError where the others do not go with it."""
    ndim = query._array.ndim
    if ndim not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {ndim}-D query tensor"
        )
    word = "batched" if ndim == 3 else "unbatched"
    if key._array.ndim != ndim or value._array.ndim != ndim:
        raise AssertionError(
            f"For {word} ({ndim}-D) `query`, expected `key` and `value` to be {ndim}-D but found "
            f"{key._array.ndim}-D and {value._array.ndim}-D tensors respectively"
        )
    if padding is not None and padding._array.ndim != ndim - 1:
        raise AssertionError(
            f"For {word} ({ndim}-D) `query`, expected `key_padding_mask` to be `None` or "
            f"{ndim - 1}-D but found {padding._array.ndim}-D tensor instead"
        )
    if mask is not None and mask._array.ndim not in (2, 3):
        raise AssertionError(
            f"For {word} ({ndim}-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but "
            f"found {mask._array.ndim}-D tensor instead"
        )
    if ndim == 2 and mask is not None and mask._array.ndim == 3:
        wanted = (heads, query._array.shape[0], key._array.shape[0])
        if mask._array.shape != wanted:
            raise AssertionError(
                f"Expected `attn_mask` shape to be {wanted} but got {mask._array.shape}"
            )
    return ndim == 3


def _as_added(mask: Tensor | None, name: str, query: Tensor) -> Tensor | None:
    """A mask to be added to scores: -inf where a bool one is True."""
    if mask is None or is_floating(mask):
        return mask
    if mask._array.dtype.kind != "b":
        raise AssertionError(f"only bool and floating types of {name} are supported")
    zero = zeros(mask._array.shape, dtype=query.dtype, device=query.device)
    return P.where(mask, float("-inf"), zero).to(query.dtype)


def _check_packed(key: Tensor, value: Tensor, weight: Tensor | None) -> None:
    if key._array.shape != value._array.shape:
        raise AssertionError(
            f"key shape {key._array.shape} does not match value shape {value._array.shape}"
        )
    if weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")


def _project_packed(
    query: Tensor, key: Tensor, value: Tensor, weight: Any, bias: Tensor | None, size: int
) -> list[Tensor]:
    """One weight (3 E, E) holds all three projections: used at once where the inputs are one."""
    _check_packed(key, value, weight)
    if query is key and key is value:
        found = linear(query, weight, bias)
        return [found[..., i * size : (i + 1) * size] for i in range(3)]
    weights = [weight[i * size : (i + 1) * size] for i in range(3)]
    biases = [None if bias is None else bias[i * size : (i + 1) * size] for i in range(3)]
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]


def _project_apart(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weights: list[Any],
    bias: Tensor | None,
    size: int,
) -> list[Tensor]:
    for name, weight in zip("qkv", weights, strict=True):
        if weight is None:
            raise AssertionError(f"use_separate_proj_weight is True but {name}_proj_weight is None")
    if key._array.shape[:2] != value._array.shape[:2]:
        raise AssertionError(
            f"key's sequence and batch dims {key._array.shape[:2]} do not match value's "
            f"{value._array.shape[:2]}"
        )
    biases = [None if bias is None else bias[i * size : (i + 1) * size] for i in range(3)]
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases)]


def _split_heads(t: Tensor, shapes: _Shapes) -> Tensor:
    """(length, batch, heads * head) to (batch * heads, length, head)."""
    rows = shapes.batch * shapes.heads
    return t.reshape(t._array.shape[0], rows, shapes.head).transpose(0, 1)


def _static_or_split(given: Tensor | None, t: Tensor, shapes: _Shapes) -> Tensor:
    if given is None:
        return _split_heads(t, shapes)
    rows = shapes.batch * shapes.heads
    if given._array.shape[0] != rows or given._array.shape[2] != shapes.head:
        raise AssertionError(
            f"expecting static key or value of shape ({rows}, S, {shapes.head}), but got "
            f"{given._array.shape}"
        )
    return given


def _whole_mask(
    mask: Tensor | None, padding: Tensor | None, shapes: _Shapes, source: int, extra: int
) -> Tensor | None:
    """Both masks as one, (1 or batch * heads, L, S), open for the extra keys at the end."""
    rows = shapes.batch * shapes.heads
    given = source - extra
    if mask is not None:
        if mask._array.ndim == 2:
            wanted: tuple[int, ...] = (shapes.target, given)
            if mask._array.shape != wanted:
                raise RuntimeError(
                    f"The shape of the 2D attn_mask is torch.Size({list(mask._array.shape)}), but "
                    f"should be {wanted}."
                )
            mask = mask.unsqueeze(0)
        elif mask._array.shape != (rows, shapes.target, given):
            raise RuntimeError(
                f"The shape of the 3D attn_mask is torch.Size({list(mask._array.shape)}), but "
                f"should be {(rows, shapes.target, given)}."
            )
        mask = P.pad(mask, widths=((0, 0), (0, 0), (0, extra)), value=0) if extra else mask
    if padding is None:
        return mask
    if padding._array.shape != (shapes.batch, given):
        raise AssertionError(
            f"expecting key_padding_mask shape of {(shapes.batch, given)}, but got "
            f"{padding._array.shape}"
        )
    if extra:
        padding = P.pad(padding, widths=((0, 0), (0, extra)), value=0)
    spread = padding.reshape(shapes.batch, 1, 1, source)
    spread = spread.expand(shapes.batch, shapes.heads, 1, source).reshape(rows, 1, source)
    return spread if mask is None else mask + spread


def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    causal: bool,
    dropout_p: float,
    need_weights: bool,
) -> tuple[Tensor, Tensor | None]:
    """Attention of (batch * heads, length, head) tensors."""
    if not need_weights:
        return scaled_dot_product_attention(q, k, v, mask, dropout_p, causal), None
    scores = (q * math.sqrt(1.0 / q._array.shape[-1])) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(-1)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p)
    return weights @ v, weights
