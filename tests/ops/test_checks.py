"""Checks of elements that ops make through primitives: the errors, and what passes."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau._engine.autograd.calls import P
from flambeau._engine.prims.creation import Literal
from flambeau.nn import functional as F

_SQUARE = torch.zeros(2, 2)
REFUSED = {
    "select": (lambda: torch.ones(3).index_select(0, torch.tensor([3])), IndexError, "range"),
    "negative": (lambda: torch.ones(3).index_select(0, torch.tensor([-1])), IndexError, "range"),
    "take": (lambda: torch.ones(3).take(torch.tensor([3])), IndexError, "index 3 on a tensor of 3"),
    "one_hot": (lambda: F.one_hot(torch.tensor([3]), 3), RuntimeError, "smaller than"),
    "one_hot negative": (lambda: F.one_hot(torch.tensor([-1])), RuntimeError, "non-negative"),
    "zero": (lambda: torch.tensor([1]) // torch.tensor([0]), RuntimeError, "ZeroDivision"),
    "variance": (
        lambda: F.gaussian_nll_loss(torch.ones(2), torch.ones(2), torch.tensor([1.0, -1.0])),
        ValueError, "negative",
    ),
    "quantile": (lambda: torch.ones(3).quantile(torch.tensor(1.5)), RuntimeError, r"\[0, 1\]"),
    "quantile of nan": (
        lambda: torch.ones(3).quantile(torch.tensor(float("nan"))), RuntimeError, r"\[0, 1\]",
    ),
    "scattered": (
        lambda: torch.ones(3).masked_scatter(torch.tensor([True] * 3), torch.ones(2)),
        RuntimeError, "Number of elements of source",
    ),
    "counts": (
        lambda: torch.tensor([1, 2]).repeat_interleave(torch.tensor([1, -1])),
        RuntimeError, "negative",
    ),
    "bincount": (lambda: torch.tensor([1, -2]).bincount(), RuntimeError, "non-negative"),
    "weights": (
        lambda: torch.ones(2, 2).cov(fweights=torch.tensor([1, -1])), RuntimeError, "negative",
    ),
    "unpool": (
        lambda: F.max_unpool1d(torch.ones(1, 1, 1), torch.tensor([[[2]]]), 2),
        RuntimeError, "invalid max index: 2",
    ),
    "margin": (
        lambda: F.multi_margin_loss(torch.ones(1, 2), torch.tensor([2])), RuntimeError, "range",
    ),
    "eig": (lambda: torch.linalg.eig(torch.full((2, 2), float("inf"))), RuntimeError, "infs"),
    "lu": (lambda: torch.linalg.lu_factor(_SQUARE), RuntimeError, r"U\[1,1\] is zero"),
    "lu_ex": (
        lambda: torch.linalg.lu_factor_ex(_SQUARE, check_errors=True), RuntimeError, "diagonal",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    call, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        call()


def test_what_is_in_range_passes():
    index = torch.tensor([[0, 5, -7]])
    assert P.check_index(index, low=0, high=6, ignored=-7) == ()
    assert P.check_index(index, low=-7, high=6, ignored=None) == ()
    with pytest.raises(IndexError, match="index 5 is not in"):
        P.check_index(index, low=-7, high=5, ignored=None)


def test_a_mask_of_nothing_takes_nothing():
    x, mask = torch.ones(2, 3, requires_grad=True), torch.zeros(3, dtype=torch.bool)
    for source in (torch.zeros(0), torch.zeros(4)):
        assert x.masked_scatter(mask, source).tolist() == [[1.0] * 3] * 2


def test_the_median_of_nan_is_nan_and_of_numbers_has_a_gradient():
    assert torch.tensor([1.0, float("nan")]).median().isnan()
    x = torch.tensor([2.0, 1.0, 2.0, 3.0], requires_grad=True)
    x.median().backward()
    assert x.grad.tolist() == [0.5, 0.0, 0.5, 0.0]


def test_max_norm_scales_rows_that_come_twice_once():
    table = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    F.embedding(torch.tensor([[0, 0, 1]]), table, max_norm=1.0)
    assert np.allclose(table.numpy(), [[0.6, 0.8], [0.3, 0.4]], atol=1e-6)


def test_constants_are_copies_and_equal_by_elements():
    array = np.arange(3)
    made = P.constant(array=Literal(array))
    made.add_(1)
    assert array.tolist() == [0, 1, 2] and made.tolist() == [1, 2, 3]
    assert Literal(array) == Literal(array.copy()) != Literal(array.astype(np.int32))
    assert hash(Literal(array)) == hash(Literal(array.copy()))


def test_new_tensors_lie_as_their_model_does():
    x = torch.ones(2, 3).t()
    for made in (torch.zeros_like(x), torch.full_like(x, 2.0), torch.rand_like(x)):
        assert made.stride() == x.stride() and not made._is_view()
    assert torch.zeros_like(torch.ones(2, 1, 3)).is_contiguous()
    assert torch.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert not torch.empty_strided((2, 3), (1, 2), requires_grad=True)._is_view()
    assert torch.empty_strided((2, 0), (1, 1)).shape == (2, 0)
    assert torch.randn(3, dtype=torch.complex64)._is_view() is False
