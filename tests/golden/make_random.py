"""Writes random.json: what PyTorch's CPU generator gives for each line of code below.

Run with torch 2.13.0 (not on an Intel CPU, where PyTorch takes bernoulli from MKL):

    python tests/golden/make_random.py
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F

# (tolerance relative to the largest value, lines of code); 0 demands the same bits
CASES: list[tuple[float, str]] = [
    (
        0.0,
        """
torch.rand(20)
torch.rand(7, dtype=torch.float64)
torch.rand(40, dtype=torch.float16)
torch.rand(40, dtype=torch.bfloat16)
torch.rand(3, dtype=torch.complex64)
torch.rand(2, 3, generator=torch.Generator().manual_seed(5))
torch.zeros(20).uniform_(-0.3, 0.7)
torch.zeros(20).uniform_(1e6, 1e6 + 1)
torch.zeros(20, dtype=torch.float64).uniform_(0.1, 0.7)
torch.zeros(20, dtype=torch.bfloat16).uniform_(-3, 5)
torch.zeros(6, 5).t().uniform_(-1, 2)
torch.zeros(4, 20)[:, ::3].uniform_()
torch.zeros(4, 3, 5).permute(2, 0, 1).random_(100)
torch.rand_like(torch.zeros(3, 4).t())
torch.randint(10, (20,))
torch.randint(-5, 1000, (2, 5), dtype=torch.int32)
torch.randint(0, 2**28 - 1, (10,))
torch.randint(0, 2**28, (10,))
torch.randint(-(2**40), 2**50, (10,))
torch.randint(0, 100, (10,), dtype=torch.float16)
torch.randint(0, 3000, (10,), dtype=torch.float16)
torch.randint(-70000, 90000, (10,), dtype=torch.bfloat16)
torch.randint_like(torch.zeros(3, 4).t(), 3, 9)
torch.zeros(10, dtype=torch.int64).random_()
torch.zeros(10, dtype=torch.int64).random_(-(2**63), None)
torch.zeros(10, dtype=torch.int8).random_(5, None)
torch.zeros(10, dtype=torch.uint8).random_()
torch.zeros(10, dtype=torch.bool).random_()
torch.zeros(10, dtype=torch.int16).random_()
torch.zeros(10, dtype=torch.int32).random_()
torch.zeros(10, dtype=torch.float16).random_()
torch.zeros(10, dtype=torch.bfloat16).random_()
torch.zeros(10).random_()
torch.zeros(10, dtype=torch.float64).random_()
torch.randperm(1)
torch.randperm(50)
torch.randperm(50, dtype=torch.int32)
torch.randperm(20000)[::997]
torch.zeros(40).bernoulli_(0.3)
torch.zeros(40, dtype=torch.int64).bernoulli_(torch.linspace(0, 1, 40))
torch.zeros(40).bernoulli_(torch.linspace(0, 1, 40, dtype=torch.float64))
torch.bernoulli(torch.rand(5, 8).t())
torch.bernoulli(torch.rand(40), 0.7)
torch.multinomial(torch.rand(5, 9), 1)
torch.multinomial(torch.rand(5, 9), 4)
torch.multinomial(torch.rand(9, 5).t(), 4)
torch.multinomial(torch.rand(5, 9), 20, replacement=True)
torch.multinomial(torch.rand(9, dtype=torch.float64), 20, replacement=True)
torch.multinomial(torch.rand(5, 9).half(), 20, replacement=True)
torch.zeros(30).geometric_(0.3)
torch.zeros(30, dtype=torch.int64).geometric_(0.05)
torch.poisson(torch.rand(30) * 5)
torch.poisson(torch.rand(30, dtype=torch.float64) * 100)
torch.binomial(torch.full((4, 3), 20.0), torch.rand(3))
torch.binomial(torch.full((30,), 1000.0), torch.rand(30))
torch.binomial(torch.full((30,), 1e6), torch.rand(30))
F.dropout(torch.ones(40), 0.3)
F.dropout(torch.ones(8, 5).t(), 0.1)
F.dropout(torch.ones(40, dtype=torch.float64), 0.7)
F.dropout(torch.ones(40, dtype=torch.bfloat16), 0.3)
F.dropout1d(torch.ones(3, 4, 2))
F.dropout1d(torch.ones(8, 2))
F.dropout2d(torch.ones(3, 4, 2, 2), 0.4)
F.dropout3d(torch.ones(4, 2, 2, 2))
F.feature_alpha_dropout(torch.ones(3, 4, 2), 0.3, True)
torch.nn.init.kaiming_uniform_(torch.zeros(5, 8), a=5**0.5)
torch.nn.init.xavier_uniform_(torch.zeros(4, 3, 3))
torch.nn.init.dirac_(torch.zeros(4, 2, 3), groups=2)
""",
    ),
    (
        1e-6,
        """
torch.randn(5)
torch.randn(15, dtype=torch.float64)
torch.randn(16)
torch.randn(17)
torch.randn(100)
torch.randn(33, dtype=torch.float64)
torch.randn(20, dtype=torch.complex64)
torch.zeros(20).normal_(0.5, 2.7)
torch.zeros(8, 5).t().normal_()
torch.randn_like(torch.zeros(3, 5).t())
torch.normal(torch.arange(20.0), 2.0)
torch.normal(1.5, torch.arange(20.0))
torch.normal(torch.arange(20.0).view(4, 5).t(), torch.ones(4))
torch.normal(2.0, 3.0, (20,))
torch.zeros(20).exponential_(0.7)
torch.zeros(9, dtype=torch.float64).exponential_()
torch.zeros(20).log_normal_(0.5, 0.7)
torch.zeros(20).cauchy_(0.3, 0.7)
torch._standard_gamma(torch.rand(20) * 3)
torch._standard_gamma(torch.rand(20, dtype=torch.float64) * 30)
torch._sample_dirichlet(torch.rand(5, 4) * 2)
F.alpha_dropout(torch.arange(20.0), 0.3, True)
F.rrelu(torch.arange(-10.0, 10), training=True)
F.gumbel_softmax(torch.arange(12.0).view(3, 4))
F.gumbel_softmax(torch.arange(12.0).view(3, 4), tau=0.5, hard=True, dim=0)
torch.nn.init.kaiming_normal_(torch.zeros(5, 8), mode="fan_out", nonlinearity="relu")
torch.nn.init.xavier_normal_(torch.zeros(5, 8), gain=2.0)
torch.nn.init.trunc_normal_(torch.zeros(5, 8))
torch.nn.init.trunc_normal_(torch.zeros(5, 8), a=-0.1, b=0.2)
torch.nn.init.trunc_normal_(torch.zeros(5, 8), mean=10.0, b=7.0)
torch.nn.init.orthogonal_(torch.zeros(5, 8))
torch.nn.init.orthogonal_(torch.zeros(4, 3, 2), gain=2.0)
torch.nn.init.sparse_(torch.zeros(6, 5), 0.4)
""",
    ),
    (
        1e-2,  # a unit in the last place of a half
        """
torch.randn(17, dtype=torch.float16)
torch.randn(33, dtype=torch.bfloat16)
torch.zeros(5, dtype=torch.bfloat16).normal_(1, 2)
torch.zeros(5, dtype=torch.float16).log_normal_()
""",
    ),
]


def record(code: str, tolerance: float) -> dict:
    """The result of a line of code, and the number that follows it in the stream."""
    torch.manual_seed(11)
    result = eval(code, {"torch": torch, "F": F})
    wide = torch.view_as_real(result) if result.is_complex() else result
    return {
        "code": code,
        "tolerance": tolerance,
        "dtype": str(result.dtype),
        "shape": list(result.shape),
        "values": wide.reshape(-1).tolist(),
        "next": torch.randint(1 << 20, (1,)).item(),
    }


def states() -> dict:
    """A generator's bytes in mid-stream, with a spare normal, and what comes next."""
    generator = torch.Generator().manual_seed(2**40 + 7)
    torch.randn(3, generator=generator)
    torch.rand(700, generator=generator)
    return {
        "state": generator.get_state().numpy().tobytes().hex(),
        "seed": generator.initial_seed(),
        "randn": torch.randn(5, generator=generator).tolist(),
        "rand": torch.rand(5, generator=generator).tolist(),
        "fresh": torch.Generator().manual_seed(3).get_state().numpy().tobytes().hex(),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    cases = [record(code, tol) for tol, block in CASES for code in block.strip().split("\n")]
    text = ",\n".join(json.dumps(case) for case in cases)
    path = Path(__file__).with_name("random.json")
    path.write_text(f'{{"states": {json.dumps(states())},\n"cases": [\n{text}\n]}}\n')
    print(f"{len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
