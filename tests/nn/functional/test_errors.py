"""What nn.functional refuses, and what it warns about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import flambeau as ft
import flambeau.nn.functional as F

X = ft.zeros(2, 3)
IMAGE = ft.zeros(2, 3, 5, 5)
WEIGHT = ft.zeros(4, 3, 3, 3)
LABELS = ft.tensor([0, 1])

REFUSED: list[tuple[type[Exception], str, Callable[[], Any]]] = [
    (RuntimeError, "should be the same", lambda: F.conv2d(IMAGE, WEIGHT.double())),
    (RuntimeError, "to have 3 channels, but got 2", lambda: F.conv2d(IMAGE[:, :2], WEIGHT)),
    (RuntimeError, "non-positive stride", lambda: F.conv2d(IMAGE, WEIGHT, stride=0)),
    (RuntimeError, "greater than actual input", lambda: F.conv2d(IMAGE[..., :2], WEIGHT)),
    (RuntimeError, "not supported for strided",
     lambda: F.conv2d(IMAGE, WEIGHT, stride=2, padding="same")),
    (RuntimeError, "Invalid padding string", lambda: F.conv2d(IMAGE, WEIGHT, padding="some")),
    (RuntimeError, "smaller than either stride",
     lambda: F.conv_transpose2d(ft.zeros(1, 4, 3, 3), WEIGHT, output_padding=1)),
    (RuntimeError, "1-dimensional with 4 elements",
     lambda: F.conv2d(IMAGE, WEIGHT, ft.zeros(3))),
    (RuntimeError, "cannot be multiplied", lambda: F.linear(X, ft.zeros(4, 2))),
    (RuntimeError, "same dtype", lambda: F.linear(X, ft.zeros(4, 3).double())),
    (IndexError, "Target 3 is out of bounds", lambda: F.cross_entropy(X, ft.tensor([0, 3]))),
    (IndexError, "Target -1 is out of bounds", lambda: F.cross_entropy(X, ft.tensor([0, -1]))),
    (ValueError, "batch_size", lambda: F.cross_entropy(X, ft.tensor([0, 1, 2]))),
    (RuntimeError, "Long or Byte", lambda: F.cross_entropy(X, LABELS.int())),
    (ValueError, "not a valid value", lambda: F.mse_loss(X, X, reduction="all")),
    (RuntimeError, "between 0 and 1", lambda: F.binary_cross_entropy(X + 2, X)),
    (ValueError, "more than 1 value", lambda: F.batch_norm(X[:1], None, None, training=True)),
    (RuntimeError, "running_mean", lambda: F.batch_norm(X, None, None)),
    (RuntimeError, "normalized_shape", lambda: F.layer_norm(X, (2,))),
    (RuntimeError, "at most half", lambda: F.max_pool2d(IMAGE, 2, padding=2)),
    (RuntimeError, "too small", lambda: F.max_pool2d(IMAGE, 6)),
    (RuntimeError, "divisor", lambda: F.avg_pool2d(IMAGE, 2, divisor_override=0)),
    (IndexError, "out of range", lambda: F.embedding(ft.tensor([7]), X)),
    (IndexError, "out of range", lambda: F.embedding(ft.tensor([-1]), X)),
    (NotImplementedError, "sparse",
     lambda: F.embedding(LABELS, ft.zeros(2, 3, requires_grad=True), sparse=True)),
    (RuntimeError, "non-negative", lambda: F.one_hot(ft.tensor([-1]))),
    (RuntimeError, "less than the corresponding", lambda: F.pad(X, (3, 0), mode="reflect")),
    (NotImplementedError, "Unrecognised", lambda: F.pad(X, (1, 0), mode="odd")),
    (ValueError, "either size", lambda: F.interpolate(IMAGE)),
    (NotImplementedError, "needs 3D", lambda: F.interpolate(IMAGE, 2, mode="linear")),
    (RuntimeError, "is_causal", lambda: F.scaled_dot_product_attention(
        X, X, X, attn_mask=ft.ones(2, 2), is_causal=True)),
    (RuntimeError, "divisible", lambda: F.pixel_shuffle(IMAGE, 2)),
    (RuntimeError, "must be even", lambda: F.glu(X)),
    (NotImplementedError, "Long", lambda: F.gelu(LABELS)),
    (RuntimeError, "Boolean", lambda: F.relu(X > 0)),
    (TypeError, "Tensor", lambda: F.relu([1.0])),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words", "call"), REFUSED, ids=[row[1] for row in REFUSED])
def test_refused(kind: type[Exception], words: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert words in str(caught.value)


WARNED: list[tuple[str, Callable[[], Any]]] = [
    ("reduction='sum'", lambda: F.mse_loss(X, X, size_average=False)),
    ("reduction='none'", lambda: F.mse_loss(X, X, reduce=False)),
    ("Implicit dimension", lambda: F.softmax(X)),
    ("different to the input size", lambda: F.l1_loss(X, X[:1])),
    ("batchmean", lambda: F.kl_div(X, X)),
    ("align_corners=False", lambda: F.grid_sample(IMAGE, ft.zeros(2, 1, 1, 2))),
    ("deprecated", lambda: F.upsample(IMAGE, 2)),
]


@pytest.mark.parametrize(("words", "call"), WARNED, ids=[row[0] for row in WARNED])
def test_warned(words: str, call: Callable[[], Any]) -> None:
    with pytest.warns(UserWarning) as caught:
        call()
    assert words in str(caught[0].message)


def test_warnings_point_at_the_caller() -> None:
    with pytest.warns(UserWarning) as caught:
        F.softmax(X)
    assert caught[0].filename == __file__
