"""Special functions against identities and limits that hold for every argument."""

from __future__ import annotations

import math

from hypothesis import given, strategies as st

import flambeau as torch

special = torch.special


def of(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


def close(a: torch.Tensor, b: torch.Tensor | float, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(
        a, torch.as_tensor(b, dtype=torch.float64), rtol=tolerance, atol=1e-300
    )


positive = st.floats(1e-3, 300.0)


@given(positive)
def test_wronskians_of_bessel_functions(value: float) -> None:
    (x,) = of(value)
    first = special.bessel_j1(x) * special.bessel_y0(x) - special.bessel_j0(x) * special.bessel_y1(
        x
    )
    close(first, 2 / (math.pi * value), 1e-10)
    scaled = special.i0e(x) * special.scaled_modified_bessel_k1(x)
    scaled = scaled + special.i1e(x) * special.scaled_modified_bessel_k0(x)
    close(scaled, 1 / value)


@given(st.floats(0.01, 400.0), st.floats(0.01, 500.0))
def test_incomplete_gamma_functions(shape: float, limit: float) -> None:
    a, x = of(shape, limit)
    low, high = torch.igamma(a, x), torch.igammac(a, x)
    close(low + high, 1.0)
    # P(a + 1, x) = P(a, x) - x^a e^-x / Gamma(a + 1)
    step = torch.exp(a * torch.log(x) - x - torch.lgamma(a + 1))
    torch.testing.assert_close(torch.igamma(a + 1, x), low - step, rtol=1e-10, atol=1e-12)


@given(st.floats(1.01, 30.0), st.floats(0.01, 50.0))
def test_hurwitz_zeta_recurrence(power: float, start: float) -> None:
    s, q = of(power, start)
    torch.testing.assert_close(
        special.zeta(s, q), special.zeta(s, q + 1) + q**-s, rtol=1e-11, atol=0.0
    )


@given(st.floats(-30.0, 30.0))
def test_error_functions(value: float) -> None:
    (x,) = of(value)
    close(special.ndtr(x) + special.ndtr(-x), 1.0)
    if value > -25:
        close(special.erfcx(x) * torch.exp(-x * x), torch.erfc(x), 1e-10)
    assert abs(special.ndtri(special.ndtr(-abs(x))) + abs(x)) < 1e-9
    close(special.log_ndtr(-abs(x)).exp(), special.ndtr(-abs(x)), 1e-10)


@given(st.floats(-0.999, 0.999), st.integers(0, 40))
def test_chebyshev_polynomials_are_waves(cosine: float, degree: int) -> None:
    x, n = of(cosine, degree)
    angle = torch.acos(x)
    torch.testing.assert_close(
        special.chebyshev_polynomial_t(x, n), torch.cos(n * angle), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(
        special.chebyshev_polynomial_u(x, n) * torch.sin(angle),
        torch.sin((n + 1) * angle),
        rtol=0,
        atol=1e-12,
    )


def test_edges() -> None:
    nan, inf = math.nan, math.inf
    assert special.ndtri(torch.tensor([0.0, 1.0])).tolist() == [-inf, inf]
    assert special.entr(torch.tensor([0.0, -1.0])).tolist() == [0.0, -inf]
    assert torch.erfinv(torch.tensor([-1.0, 1.0])).tolist() == [-inf, inf]
    assert special.zeta(torch.tensor(1.0), torch.tensor(2.0)).item() == inf
    assert special.bessel_y0(torch.tensor(0.0)).item() == -inf
    assert special.modified_bessel_k0(torch.tensor(0.0)).item() == inf
    assert math.isnan(special.bessel_y1(torch.tensor(-1.0)).item())
    assert torch.igamma(torch.tensor(1.0), torch.tensor(inf)).item() == 1.0
    assert math.isnan(torch.igamma(torch.tensor(-1.0), torch.tensor(1.0)).item())
    assert math.isnan(special.xlog1py(torch.tensor(0.0), torch.tensor(nan)).item())
