"""Special functions (`torch.special`), each a primitive or a short formula."""

from __future__ import annotations

import math
from typing import Any

from .._engine.autograd.calls import P
from .._engine.autograd.tensor import Tensor
from .._engine.base.dtypes import FLOATING
from .._engine.base.errors import not_supported
from . import elementary, pointwise, reductions, scans
from .arguments import check_tensor
from .declare import op
from .promote import as_tensors, common_dtype, dtype_of, floating_input, to_common

__all__ = ["gammainc", "gammaincc", "i0", "igamma", "igammac"]

_SPACE = "special"
# bfloat16 and float16 have kernels for few of these
_HALVES = frozenset({"entr", "i0", "i0e", "i1", "i1e", "ndtr"})


def _one(name: str, doc: str, *, top: bool = False, primitive: str | None = None) -> Any:
    """Declare a function of one tensor; `top`: also torch.<name>, and a method."""
    call = getattr(P, primitive or name)

    def function(input: Tensor) -> Tensor:
        x = floating_input(input)
        d = dtype_of(x)
        if d.is_complex or d.itemsize == 2 and name not in _HALVES:
            raise not_supported(name, d)
        return call(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}, elementwise."
    if top:
        return op(method=True, inplace=True, out=True)(function)
    return op(namespace=_SPACE, out=True, label=f"{_label(name)}Backward0")(function)


def _label(name: str) -> str:
    return "Special" + "".join(part.capitalize() for part in name.split("_"))


i0 = _one("i0", "The modified Bessel function I0", top=True)
i0e = _one("i0e", "exp(-|x|) I0(x)")
i1 = _one("i1", "The modified Bessel function I1")
entr = _one("entr", "-x log x, 0 at zero and -inf below")
i1e = _one("i1e", "exp(-|x|) I1(x)")
erfcx = _one("erfcx", "exp(x^2) erfc(x)")
ndtr = _one("ndtr", "The normal distribution function")
log_ndtr = _one("log_ndtr", "The logarithm of the normal distribution function")
ndtri = _one("ndtri", "The quantile function of the normal distribution")
bessel_j0 = _one("bessel_j0", "The Bessel function of the first kind of order 0")
bessel_j1 = _one("bessel_j1", "The Bessel function of the first kind of order 1")
bessel_y0 = _one("bessel_y0", "The Bessel function of the second kind of order 0")
bessel_y1 = _one("bessel_y1", "The Bessel function of the second kind of order 1")
modified_bessel_k0 = _one("modified_bessel_k0", "The modified Bessel function K0")
modified_bessel_k1 = _one("modified_bessel_k1", "The modified Bessel function K1")
scaled_modified_bessel_k0 = _one("scaled_modified_bessel_k0", "exp(x) K0(x)")
scaled_modified_bessel_k1 = _one("scaled_modified_bessel_k1", "exp(x) K1(x)")
spherical_bessel_j0 = _one("spherical_bessel_j0", "sin(x) / x")
airy_ai = _one("airy_ai", "The Airy function Ai")


def _undifferentiated(name: str, primitive: str, doc: str) -> Any:
    call = getattr(P, primitive)

    def function(input: Tensor) -> Tensor:
        return call(floating_input(input).detach())  # type: ignore[attr-defined]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}, elementwise; PyTorch does not differentiate this name of it."
    return op(namespace=_SPACE, out=True)(function)


modified_bessel_i0 = _undifferentiated(
    "modified_bessel_i0", "i0", "The modified Bessel function I0"
)
modified_bessel_i1 = _undifferentiated(
    "modified_bessel_i1", "i1", "The modified Bessel function I1"
)


def _two(name: str, doc: str, *, incomplete: bool = False) -> Any:
    """A function of two operands.

    Args:
        incomplete: of the incomplete gamma functions, which take two tensors and no integers,
            but halves; the others take one number, integers, and no halves.
    """
    call = getattr(P, name)

    def function(input: Any, other: Any) -> Tensor:
        if incomplete:
            check_tensor(name, "input", 1, input)
            check_tensor(name, "other", 2, other)
        target = common_dtype(name, input, other)
        half = target.is_floating_point and target.itemsize == 2
        if target.is_complex or (target.category < FLOATING if incomplete else half):
            raise not_supported(name, target)
        return call(*as_tensors(*to_common(name, input, other, floating=True, to=target)))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}, elementwise with broadcasting."
    return function


def _special(name: str, doc: str) -> Any:
    return op(namespace=_SPACE, out=True, label=f"{_label(name)}Backward0")(_two(name, doc))


def _polynomial(name: str, doc: str) -> Any:
    return _special(name, f"{doc} of degree `other` at `input`")


igamma = op(method=True, inplace=True, out=True)(
    _two(
        "igamma", "The regularised lower incomplete gamma function P(input, other)", incomplete=True
    )
)
igammac = op(method=True, inplace=True, out=True)(
    _two(
        "igammac",
        "The regularised upper incomplete gamma function Q(input, other)",
        incomplete=True,
    )
)
zeta = _special("zeta", "The Hurwitz zeta function: the sum over k >= 0 of (k + other)^-input")
chebyshev_polynomial_t = _polynomial(
    "chebyshev_polynomial_t", "The Chebyshev polynomial of the first kind"
)
chebyshev_polynomial_u = _polynomial(
    "chebyshev_polynomial_u", "The Chebyshev polynomial of the second kind"
)
chebyshev_polynomial_v = _polynomial(
    "chebyshev_polynomial_v", "The Chebyshev polynomial of the third kind"
)
chebyshev_polynomial_w = _polynomial(
    "chebyshev_polynomial_w", "The Chebyshev polynomial of the fourth kind"
)
shifted_chebyshev_polynomial_t = _polynomial(
    "shifted_chebyshev_polynomial_t", "The Chebyshev polynomial in 2 x - 1 of the first kind"
)
shifted_chebyshev_polynomial_u = _polynomial(
    "shifted_chebyshev_polynomial_u", "The Chebyshev polynomial in 2 x - 1 of the second kind"
)
shifted_chebyshev_polynomial_v = _polynomial(
    "shifted_chebyshev_polynomial_v", "The Chebyshev polynomial in 2 x - 1 of the third kind"
)
shifted_chebyshev_polynomial_w = _polynomial(
    "shifted_chebyshev_polynomial_w", "The Chebyshev polynomial in 2 x - 1 of the fourth kind"
)
hermite_polynomial_h = _polynomial("hermite_polynomial_h", "The physicists' Hermite polynomial")
hermite_polynomial_he = _polynomial("hermite_polynomial_he", "The probabilists' Hermite polynomial")
laguerre_polynomial_l = _polynomial("laguerre_polynomial_l", "The Laguerre polynomial")
legendre_polynomial_p = _polynomial("legendre_polynomial_p", "The Legendre polynomial")


@op(namespace=_SPACE, out=True, label="SpecialXlog1PyBackward0")
def xlog1py(input: Any, other: Any) -> Tensor:
    """input * log(1 + other), zero where input is zero (unless other is NaN)."""
    a, b = as_tensors(*to_common("xlog1py", input, other, floating=True))
    zero = P.eq(a, 0)
    found = P.where(zero, 0, P.mul(a, P.log1p(P.where(zero, 0, b))))
    return P.where(P.isnan(b), math.nan, found)


# the same ops under SciPy's names
digamma = psi = pointwise.digamma
erf, erfc, erfinv = pointwise.erf, pointwise.erfc, pointwise.erfinv
exp2, expm1, log1p = pointwise.exp2, pointwise.expm1, pointwise.log1p
expit, gammaln = pointwise.sigmoid, pointwise.lgamma
gammainc, gammaincc = igamma, igammac
logit, multigammaln, polygamma = elementary.logit, elementary.mvlgamma, elementary.polygamma
round, sinc, xlogy = elementary.round, elementary.sinc, elementary.xlogy
logsumexp = reductions.logsumexp
softmax, log_softmax = scans.softmax, scans.log_softmax
