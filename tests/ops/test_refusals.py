"""What numeric ops refuse, and with which of PyTorch's errors."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau as torch

ONES = torch.ones(3)
WHOLE = torch.ones(3, dtype=torch.int64)
MATRIX = torch.ones(3, 3)

CASES: list[tuple[type[Exception], str, Any]] = [
    (TypeError, "must be Tensor", lambda: torch.maximum(ONES, 2)),
    (TypeError, "must be Tensor", lambda: torch.gcd(WHOLE, 2)),
    (TypeError, "must be Tensor", lambda: torch.igamma(ONES, 2)),
    (TypeError, "must be Tensor", lambda: torch.pow(2, 3)),
    (TypeError, "at least one must be a Tensor", lambda: torch.special.zeta(2, 3)),
    (NotImplementedError, "not implemented for 'Long'", lambda: torch.hypot(WHOLE, WHOLE)),
    (NotImplementedError, "not implemented for 'Half'", lambda: torch.special.ndtri(ONES.half())),
    (RuntimeError, "complex", lambda: torch.maximum(ONES.cfloat(), ONES)),
    (RuntimeError, "negative integer powers", lambda: torch.pow(WHOLE, -1)),
    (RuntimeError, "bool tensor", lambda: -(ONES > 0)),
    (RuntimeError, "not support negative n", lambda: torch.polygamma(-1, ONES)),
    (RuntimeError, "at least 2 dim", lambda: torch.renorm(ONES, 1, 0, 1)),
    (RuntimeError, "edge_order", lambda: torch.gradient(ONES, edge_order=3)),
    (RuntimeError, "at least edge_order", lambda: torch.gradient(torch.ones(1))),
    (ValueError, "non-negative window", lambda: torch.signal.windows.hann(-1)),
    (ValueError, "float32 or float64", lambda: torch.signal.windows.hann(3, dtype=torch.int64)),
    (ValueError, "Tau", lambda: torch.signal.windows.exponential(3, tau=-1)),
    (RuntimeError, "return_complex", lambda: torch.stft(torch.ones(20), 4)),
    (RuntimeError, "window overlap", lambda: torch.istft(
        torch.ones(3, 4, dtype=torch.cfloat), 4, window=torch.zeros(4))),
    (RuntimeError, "square", lambda: torch.linalg.inv(torch.ones(2, 3))),
    (torch.linalg.LinAlgError, "singular", lambda: torch.linalg.inv(MATRIX)),
    (torch.linalg.LinAlgError, "positive-definite", lambda: torch.linalg.cholesky(-MATRIX)),
    (RuntimeError, "at least 2 dim", lambda: torch.linalg.lstsq(torch.ones(()), torch.ones(()))),
    (RuntimeError, "driver", lambda: torch.linalg.lstsq(MATRIX, MATRIX, driver="best")),
    (RuntimeError, "cannot be identical", lambda: torch.linalg.diagonal(MATRIX, dim1=1, dim2=1)),
    (RuntimeError, "fweights", lambda: torch.cov(ONES, fweights=ONES)),
    (ValueError, "q", lambda: torch.pca_lowrank(MATRIX, q=9)),
    (ValueError, "step must be nonzero", lambda: torch.arange(0, 4, 0.5, dtype=torch.int64)),
    (TypeError, "steps", lambda: torch.linspace(0, 1, 2.0)),
    (RuntimeError, "out tensor to have dtype", lambda: torch.aminmax(
        ONES, dim=0, out=(torch.empty(()), torch.empty((), dtype=torch.float64)))),
    (RuntimeError, "single memory location", lambda: torch.add(
        ONES, 1, out=torch.ones(1).expand(3))),
    (RuntimeError, "single memory location", lambda: torch.cat((ONES, ONES), out=ONES)),
    (NotImplementedError, "derivative", lambda: torch.igamma(
        ONES.clone().requires_grad_(), ONES).sum().backward()),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), CASES)
def test_refused(kind: type[Exception], text: str, call: Any) -> None:
    with pytest.raises(kind, match=text):
        call()
