"""What fingerprints do not show: in-place forms, precision, memory, edges, second derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest

import flambeau as ft
import flambeau.nn.functional as F
from flambeau.autograd import gradcheck, gradgradcheck


@pytest.mark.parametrize("name", ["relu", "elu", "selu", "celu", "leaky_relu", "hardtanh"])
def test_inplace_forms_write_into_their_input(name: str) -> None:
    x = ft.tensor([-3.0, 0.5, 2.0])
    wanted = getattr(F, name)(x)
    y = x.clone()
    assert getattr(F, name + "_")(y) is y
    assert ft.equal(y, wanted)
    z = x.clone()
    assert getattr(F, name)(z, inplace=True) is z
    assert ft.equal(z, wanted)


def test_inplace_relu_in_a_graph() -> None:
    x = ft.tensor([-1.0, 2.0], requires_grad=True)
    y = x * 3
    F.relu(y, inplace=True).sum().backward()
    assert x.grad.tolist() == [0.0, 3.0]
    with pytest.raises(RuntimeError, match="leaf Variable"):
        F.relu(x, inplace=True)


@pytest.mark.parametrize("d", [ft.float16, ft.bfloat16])
def test_half_precision_is_rounded_once(d: ft.dtype) -> None:
    x = ft.linspace(-3, 3, 41).to(d)
    for name in ("gelu", "mish", "softplus", "elu", "hardswish"):
        found = getattr(F, name)(x)
        assert found.dtype is d
        assert ft.equal(found, getattr(F, name)(x.float()).to(d)), name


def test_nan_passes_through_and_infinities_do_not_spoil_gradients() -> None:
    nan = ft.tensor([math.nan])
    for name in ("relu", "relu6", "hardtanh", "softshrink", "hardshrink", "elu", "hardswish"):
        assert math.isnan(getattr(F, name)(nan).item()), name
    x = ft.tensor([1000.0, -1000.0], requires_grad=True)
    (F.softplus(x) + F.elu(x) + F.logsigmoid(x) + F.mish(x)).sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_ignored_targets_do_not_count() -> None:
    x = ft.tensor([[0.0, 1.0], [math.inf, 0.0]])
    target = ft.tensor([1, -100])
    assert F.nll_loss(x, target).item() == -1.0
    assert F.nll_loss(x, target, reduction="none").tolist() == [-1.0, 0.0]
    assert math.isnan(F.cross_entropy(x[:1], ft.tensor([-100])).item())
    assert F.cross_entropy(x[:0], target[:0], reduction="sum").item() == 0.0


def test_batch_norm_moves_its_statistics() -> None:
    x = ft.arange(12.0).reshape(4, 3)
    mean, var = ft.zeros(3), ft.ones(3)
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    assert mean.tolist() == [2.25, 2.75, 3.25]
    # the unbiased variance of 0, 3, 6, 9 is 15
    assert var.tolist() == [8.0, 8.0, 8.0]


def test_embedding_renormalizes_rows_in_place() -> None:
    table = ft.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]])
    F.embedding(ft.tensor([0, 1]), table, max_norm=1.0)
    np.testing.assert_allclose(table.numpy(), [[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]], rtol=1e-6)


def test_max_pool_takes_the_last_nan_and_never_padding() -> None:
    x = ft.tensor([[[-5.0, math.nan, -7.0, -2.0]]])
    values, indices = F.max_pool1d(x, 2, 2, 1, return_indices=True)
    assert values[0, 0, 0].item() == -5.0 and indices[0, 0].tolist() == [0, 1, 3]
    low = ft.full((1, 1, 2), -math.inf)
    assert F.max_pool1d(low, 2, 2, 1, return_indices=True)[1].tolist() == [[[0, 1]]]


def test_attention_without_anything_to_look_at_is_zero() -> None:
    q = ft.ones(2, 3, requires_grad=True)
    out = F.scaled_dot_product_attention(q, q, q, attn_mask=ft.zeros(2, 2, dtype=ft.bool))
    out.sum().backward()
    assert out.tolist() == [[0.0] * 3] * 2
    assert np.isfinite(q.grad.numpy()).all()


def test_unfold_and_fold_are_adjoint() -> None:
    x, y = ft.randn(2, 3, 6, 5), ft.randn(2, 12, 12)
    options = {"kernel_size": 2, "stride": (2, 1), "dilation": 1}
    columns = F.unfold(x, **options)
    back = F.fold(y, output_size=(6, 5), **options)
    assert (columns * y).sum().item() == pytest.approx((x * back).sum().item(), rel=1e-4)


def _double(*shape: int) -> ft.Tensor:
    return ft.randn(*shape, dtype=ft.float64).requires_grad_()


@pytest.mark.parametrize("call", [
    lambda x, w: F.conv2d(x, w, stride=(1, 2), padding=1, dilation=(2, 1), groups=2),
    lambda x, w: F.conv_transpose2d(x, w.reshape(4, 2, 2, 3), stride=2, groups=2),
    lambda x, w: F.batch_norm(x, None, None, w[:, 0, 0, 0], training=True),
    lambda x, w: F.layer_norm(x, (3, 3)) * w.sum(),
    lambda x, w: F.max_pool2d(x, 2, 1) * w.sum(),
    lambda x, w: F.avg_pool2d(x * w.sum(), 2, 1, 1, count_include_pad=False),
    lambda x, w: F.interpolate(x * w.sum(), size=(4, 2), mode="bicubic"),
    lambda x, w: F.linear(x, w.reshape(-1, 3), w.reshape(-1, 3).sum(1)),
    lambda x, w: F.cross_entropy(x * w.sum(), ft.zeros(1, 3, 3, dtype=ft.int64)),
])  # fmt: skip
def test_first_and_second_derivatives(call) -> None:
    inputs = (_double(1, 4, 3, 3), _double(4, 2, 2, 3))
    assert gradcheck(call, inputs)
    assert gradgradcheck(call, inputs)


def test_meta_tensors_have_the_results_shape() -> None:
    x, w = ft.zeros(2, 4, 6, 5, device="meta"), ft.zeros(6, 2, 3, 3, device="meta")
    assert F.conv2d(x, w, groups=2, padding=1).shape == (2, 6, 6, 5)
    assert F.max_pool2d(x, 2).shape == (2, 4, 3, 2)
    assert F.avg_pool2d(x, 3, 2, ceil_mode=True).shape == (2, 4, 3, 2)
    assert F.interpolate(x, scale_factor=2).shape == (2, 4, 12, 10)
    assert F.layer_norm(x, (6, 5)).shape == x.shape
    assert F.linear(x, ft.zeros(7, 5, device="meta")).shape == (2, 4, 6, 7)
