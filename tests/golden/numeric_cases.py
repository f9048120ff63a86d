"""Lines of code whose results in PyTorch are kept in numeric.json, and what they compute on.

`inputs(torch)` gives the names that the lines use; it works with PyTorch and with flambeau.
"""

from __future__ import annotations

from typing import Any


def inputs(torch: Any) -> dict[str, Any]:
    """Small float64 tensors, the same on both sides."""

    def grid(*shape: int, shift: float = 0.0) -> Any:
        count = 1
        for size in shape:
            count *= size
        steps = torch.arange(count, dtype=torch.float64)
        return torch.cos(steps**2 * 0.37 + shift).reshape(shape)

    square = grid(3, 3) + 2 * torch.eye(3, dtype=torch.float64)
    return {
        "torch": torch,
        "unit": torch.linspace(0.05, 0.95, 7, dtype=torch.float64),
        "positive": torch.linspace(0.3, 31.0, 9, dtype=torch.float64),
        "signed": torch.linspace(-4.5, 5.0, 8, dtype=torch.float64),
        "degrees": torch.arange(8, dtype=torch.float64),
        "square": square,
        "definite": square @ square.T,
        "tall": grid(4, 3),
        "wide": grid(3, 4, shift=0.4),
        "batch": grid(2, 3, 3) + 2 * torch.eye(3, dtype=torch.float64),
        "cube": grid(2, 3, 4),
        "signal": grid(40),
        "turned": torch.complex(grid(3, 3), grid(3, 3, shift=1.0)),
        "half": grid(6, 5).to(torch.float16),
        "brain": grid(6, 5).to(torch.bfloat16),
        "whole": torch.arange(-5, 7),
    }


_OF_SIGNED = """airy_ai bessel_j0 bessel_j1 modified_bessel_i0 modified_bessel_i1
spherical_bessel_j0"""
_OF_POSITIVE = """bessel_y0 bessel_y1 modified_bessel_k0 modified_bessel_k1
scaled_modified_bessel_k0 scaled_modified_bessel_k1"""
_POLYNOMIALS = """chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v
chebyshev_polynomial_w shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u
shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w hermite_polynomial_h
hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p"""
_SPECIAL = [
    f"torch.special.{name}({arguments})"
    for names, arguments in (
        (_OF_SIGNED, "signed"),
        (_OF_POSITIVE, "positive"),
        (_POLYNOMIALS, "signed, degrees"),
    )
    for name in names.split()
]

FORWARD = [*_SPECIAL, *"""
torch.special.gammainc(positive, positive + 0.5)
torch.igamma(positive * 50, positive * 49)
torch.igammac(positive, positive * 1.5)
torch.special.zeta(positive + 1, positive)
torch.linspace(0, 1, 7)
torch.logspace(0, 2, 4, dtype=torch.int64)
torch.arange(0, 6, 1.5, dtype=torch.int64)
torch.signal.windows.kaiser(7, beta=5.0, dtype=torch.float64)
torch.signal.windows.nuttall(6, sym=False, dtype=torch.float64)
torch.signal.windows.gaussian(5, std=0.7, dtype=torch.float64)
torch.signal.windows.exponential(5, tau=1.3, dtype=torch.float64)
torch.signal.windows.general_hamming(5, alpha=0.6, dtype=torch.float64)
torch.hann_window(6, dtype=torch.float64)
torch.hamming_window(6, False, dtype=torch.float64)
torch.kaiser_window(5, True, 8.0, dtype=torch.float64)
torch.bartlett_window(6, dtype=torch.float64)
torch.stft(signal, 8, 3, 6, torch.hann_window(6, dtype=torch.float64), return_complex=True)
torch.istft(torch.stft(signal, 8, 2, return_complex=True), 8, 2)
torch.linalg.ldl_factor_ex(definite).info
torch.linalg.ldl_solve(*torch.linalg.ldl_factor(definite), tall[:3])
torch.linalg.lstsq(tall, wide.T, driver="gelsd")
torch.linalg.matrix_rank(batch)
torch.linalg.norm(torch.empty(0, 0), 2, keepdim=True)
torch.linalg.cond(batch)
torch.linalg.cholesky_ex(-definite).info
torch.geqrf(tall).tau
torch.lu(tall)[1]
torch.hash_tensor(whole)
torch.vander(torch.tensor([1, 2, 3]), 4)
torch.cov(tall, correction=0, fweights=torch.tensor([1, 2, 0]))
torch.corrcoef(tall)
torch.addmv(whole[:2], whole[:4].reshape(2, 2), whole[2:4], beta=2.9)
torch.square(torch.tensor([True, False]))
torch.ldexp(half, torch.tensor(2))
half.mean()
half.var(0)
brain.std(1)
brain.sum()
half.softmax(0)
torch.add(brain, brain, alpha=0.3333)
torch.addcmul(half, half, half, value=0.3333)
torch.lerp(brain, brain.flip(0), 0.3)
torch.logaddexp(half, half.flip(0))
half.sigmoid()
torch.sinc(half)
half * 0.3333
torch.linalg.vector_norm(brain, 3)
whole // 4
whole % -4
torch.fmod(whole, 4)
torch.div(whole, 4, rounding_mode="trunc")
torch.cumsum(whole.to(torch.uint8), 0)
torch.aminmax(cube, dim=1)
torch.nanmean(torch.tensor([1.0, float("nan"), 4.0]))
torch.count_nonzero(whole, 0)
torch.fft.fftfreq(5, 0.1)
torch.constant_pad_nd(whole, (1, -2), 7)
torch.masked.sum(whole, 0, mask=whole > 1)
torch.masked.amax(whole, mask=whole < -1)
torch.masked.argmin(cube, 1, mask=cube > 0.2)
torch.masked.median(cube, 1, mask=cube > 0)
""".strip().splitlines()]  # fmt: skip

# lines with the names of the inputs that gradients are wanted for
DIFFERENTIATED = [line.split(" @ ") for line in """
torch.special.entr(unit) @ unit
torch.special.erfcx(signed) @ signed
torch.special.i0(signed) @ signed
torch.special.i0e(signed) @ signed
torch.special.i1(signed) @ signed
torch.special.i1e(signed) @ signed
torch.special.ndtr(signed) @ signed
torch.special.log_ndtr(signed * 3) @ signed
torch.special.ndtri(unit) @ unit
torch.special.logit(unit) @ unit
torch.special.xlog1py(signed, unit[:1]) @ signed unit
torch.special.polygamma(2, positive) @ positive
torch.special.multigammaln(positive + 2, 3) @ positive
torch.erfinv(unit) @ unit
torch.lgamma(positive) @ positive
torch.logcumsumexp(cube, 1) @ cube
torch.logaddexp(signed, signed.flip(0)) @ signed
torch.gradient(signed * signed, spacing=0.5, edge_order=2)[0] @ signed
torch.gradient(cube, dim=2, spacing=[torch.tensor([0, 1, 1.5, 4]).double()])[0] @ cube
torch.diff(cube, 2, 2) @ cube
torch.trapezoid(cube, torch.tensor([0.0, 1.0, 1.5, 4.0]).double(), dim=2) @ cube
torch.stft(signal, 8, 4, return_complex=False) @ signal
torch.linalg.pinv(tall) @ tall
torch.linalg.lu_factor(tall)[0] @ tall
torch.linalg.lu_factor(wide)[0] @ wide
torch.linalg.matrix_norm(square, "nuc") @ square
torch.linalg.matrix_norm(square * 0, "nuc") @ square
torch.linalg.vector_norm(signed * 0, 0.5) @ signed
torch.linalg.vector_norm(cube, 3, 1) @ cube
torch.linalg.matrix_power(square, 0) @ square
torch.linalg.matrix_power(square, -2) @ square
torch.linalg.matrix_exp(square) @ square
torch.linalg.solve(square, tall.T) @ square tall
torch.linalg.solve_triangular(square, tall.T, upper=True) @ square tall
torch.linalg.inv(batch) @ batch
torch.linalg.det(batch) @ batch
torch.linalg.slogdet(batch)[1] @ batch
torch.linalg.eigvalsh(definite) @ definite
torch.linalg.svdvals(tall) @ tall
torch.linalg.cholesky(definite) @ definite
torch.cholesky_solve(tall.T, square, upper=True) @ square tall
torch.linalg.qr(tall)[1] @ tall
torch.linalg.householder_product(tall, tall[0]) @ tall
torch.ormqr(tall, tall[1], tall, True, True) @ tall
torch.cdist(tall, wide.T.contiguous(), 1.5) @ tall wide
torch.cdist(tall, tall.flip(0), 0.0) @ tall
torch.einsum("bij,bjk,k->bi", batch, cube, wide[0]) @ batch cube wide
torch.tensordot(cube, cube, ([0, 2], [0, 2])) @ cube
torch.kron(tall, wide) @ tall wide
torch.linalg.cross(tall, tall.flip(1)) @ tall
torch.fft.rfft(signal, 17, norm="ortho").abs() @ signal
torch.fft.irfft2(torch.fft.fft2(cube)[..., :3]) @ cube
torch.prod(cube, 1) @ cube
torch.cumprod(signed - signed[2], 0) @ signed
torch.var(cube, (0, 2), correction=0) @ cube
torch.logsumexp(cube, (0, 1)) @ cube
torch.amax(cube.round(), 1) @ cube
torch.renorm(tall, 2, 0, 1.0) @ tall
torch.nextafter(signed, signed.flip(0)) @ signed
torch.masked.mean(cube, 1, mask=cube > -0.9) @ cube
torch.masked.std(tall, 0, mask=tall < 0.9) @ tall
torch.masked.softmax(tall, 1, mask=tall < 0.9) @ tall
torch.masked.logsumexp(cube, (0, 2), mask=cube > 0) @ cube
torch.masked.normalize(tall, 2.0, 1, mask=tall < 0.9) @ tall
torch.masked.cumprod(tall, 1, mask=tall < 0.9) @ tall
""".strip().splitlines()]  # fmt: skip
