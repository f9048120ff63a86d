"""Random ops on the tape: masks pass gradients, samples pass none, in-place fills cut history."""

from __future__ import annotations

import pytest

import flambeau as torch

F = torch.nn.functional
GAMMA_POINTS = torch.tensor(
    [
        [0.1, 0.5, 3.0, 10.0, 50.0, 5000.0],
        [0.266154554, 0.074235931, 2.674060314, 18.783117393, 35.032447463, 5017.601720595],
    ],
    dtype=torch.float64,
)
GAMMA_SLOPES = [3.76632521, 0.416621957, 0.997268376, 1.37053169, 0.835418336, 1.0017915]


def test_dropout_scales_gradients_as_it_scales_values() -> None:
    torch.manual_seed(0)
    x = torch.ones(20, requires_grad=True)
    y = F.dropout(x, 0.25)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert set(y.tolist()) <= {0.0, torch.tensor(1 / 0.75).item()}


def test_dropout_does_nothing_where_there_is_nothing_to_do() -> None:
    x = torch.ones(3)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert F.dropout(x, 0.5, inplace=True) is x


def test_rrelu_gradient_is_its_slope() -> None:
    x = torch.tensor([-2.0, 3.0], requires_grad=True)
    y = F.rrelu(x, training=True)
    y.sum().backward()
    assert x.grad[1].item() == 1
    assert x.grad[0].item() * -2 == pytest.approx(y[0].item())
    assert 1 / 8 <= x.grad[0].item() < 1 / 3


@pytest.mark.parametrize(
    "sample",
    [
        torch.bernoulli,
        torch.poisson,
        lambda p: torch.normal(p, 1.0),
        lambda p: torch.normal(0.0, p),
        lambda p: torch.binomial(p, p),
    ],
)
def test_samples_pass_a_gradient_of_zero(sample) -> None:
    p = torch.full((4,), 0.5, requires_grad=True)
    sample(p).sum().backward()
    assert p.grad.tolist() == [0.0] * 4


def test_filling_in_place_cuts_the_history() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.uniform_()
    y.sum().backward()
    assert x.grad.tolist() == [0.0] * 3


def test_gumbel_softmax_hard_is_one_hot_with_soft_gradients() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    y = F.gumbel_softmax(logits, hard=True)
    assert y.detach().round().sum(1).tolist() == [1.0, 1.0]
    (y * torch.arange(3.0)).sum().backward()
    assert logits.grad.abs().sum().item() > 0


def test_meta_tensors_draw_nothing() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state().tolist()
    assert torch.randn(3, 4, device="meta").shape == (3, 4)
    assert torch.zeros(3, device="meta").uniform_().device.type == "meta"
    assert torch.bernoulli(torch.zeros(3, device="meta")).shape == (3,)
    assert F.dropout(torch.zeros(3, device="meta")).shape == (3,)
    assert torch.get_rng_state().tolist() == before


def test_gamma_samples_move_with_their_concentration() -> None:
    # at a fixed quantile, by central differences of SciPy's gammaincinv
    alpha, sample = GAMMA_POINTS
    slopes = torch._standard_gamma_grad(alpha, sample)
    assert slopes.tolist() == pytest.approx(GAMMA_SLOPES, rel=1e-6)
    torch.manual_seed(0)
    alpha.requires_grad_()
    drawn = torch._standard_gamma(alpha)
    drawn.sum().backward()
    wanted = torch._standard_gamma_grad(alpha.detach(), drawn.detach())
    assert alpha.grad.tolist() == wanted.tolist()
    with pytest.raises(NotImplementedError, match="dirichlet"):
        torch._sample_dirichlet(alpha).sum().backward()
