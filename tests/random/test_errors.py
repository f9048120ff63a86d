"""What random functions refuse, with PyTorch's exception types."""

from __future__ import annotations

import pytest

import flambeau as torch

F = torch.nn.functional
REFUSED = [
    ("torch.rand(-1)", RuntimeError, "negative dimension"),
    ("torch.rand('a')", TypeError, "must be"),
    ("torch.rand(3, dtype=torch.int64)", NotImplementedError, "check_uniform_bounds"),
    ("torch.randn(3, dtype=torch.int64)", NotImplementedError, "normal_kernel_cpu"),
    ("torch.randint(5, 5, (3,))", RuntimeError, "from=5 >= to=5"),
    ("torch.randint(0, 300, (3,), dtype=torch.uint8)", RuntimeError, "unsigned char"),
    ("torch.randint(2.5, (2,))", TypeError, "must be int"),
    ("torch.randint(10)", TypeError, "invalid combination"),
    ("torch.randperm(-1)", RuntimeError, "negative dimension"),
    ("torch.randperm(300, dtype=torch.uint8)", RuntimeError, "overflow"),
    ("torch.randperm(3, dtype=torch.bool)", NotImplementedError, "randperm"),
    ("torch.zeros(3).uniform_(2, 1)", RuntimeError, "from=2 > to=1"),
    ("torch.zeros(3).uniform_(0, float('inf'))", RuntimeError, "out of bounds for float"),
    ("torch.zeros(3).normal_(0, -1)", RuntimeError, "std >= 0.0, but found std -1"),
    ("torch.zeros(3).exponential_(0)", RuntimeError, "lambda=0"),
    ("torch.zeros(3, dtype=torch.int64).exponential_()", RuntimeError, "floating point"),
    ("torch.zeros(3).geometric_(1)", RuntimeError, "p=1"),
    ("torch.zeros(3).cauchy_(0, -1)", RuntimeError, "sigma=-1"),
    ("torch.zeros(3).log_normal_(0, -1)", RuntimeError, "std=-1"),
    ("torch.zeros(3).bernoulli_(1.5)", RuntimeError, "p=1.5"),
    ("torch.bernoulli(torch.tensor([1.5]))", RuntimeError, "p_in"),
    ("torch.bernoulli(torch.tensor([1]))", NotImplementedError, "'Long'"),
    ("torch.poisson(torch.tensor([-1.0]))", RuntimeError, "non-negative"),
    ("torch.normal(0.0, 1.0)", TypeError, "size"),
    ("torch.normal(torch.zeros(2), torch.tensor([1.0, -1]))", RuntimeError, "std >= 0.0"),
    ("torch.normal(torch.zeros(2, 3), torch.ones(4))", RuntimeError, "must match"),
    ("torch.multinomial(torch.ones(3), 4)", RuntimeError, "without replacement"),
    ("torch.multinomial(torch.ones(3), 0)", RuntimeError, "n_sample <= 0"),
    ("torch.multinomial(torch.zeros(3), 1)", RuntimeError, "sum of probabilities"),
    ("torch.multinomial(torch.tensor([-1.0, 2]), 1)", RuntimeError, "element < 0"),
    ("torch.multinomial(torch.ones(2, 2, 2), 1)", RuntimeError, "1 or 2 dim"),
    ("torch.zeros(1).expand(3).uniform_()", RuntimeError, "single memory location"),
    ("torch.zeros(3, requires_grad=True).uniform_()", RuntimeError, "leaf Variable"),
    ("F.dropout(torch.ones(3), 1.5)", ValueError, "between 0 and 1, but got 1.5"),
    ("torch.dropout(torch.ones(3), 1.5, True)", RuntimeError, "between 0 and 1"),
    ("F.dropout(torch.ones(3, dtype=torch.int64))", RuntimeError, "can't be cast"),
    ("F.dropout1d(torch.ones(3))", RuntimeError, "Expected 2D or 3D input"),
    ("F.feature_alpha_dropout(torch.ones(3), 0.5, True)", RuntimeError, "at least 2 dim"),
    ("F.rrelu(torch.ones(3), 0.5, 0.1, True)", RuntimeError, "Lower bound"),
    ("torch.nn.init.xavier_uniform_(torch.zeros(3))", ValueError, "fewer than 2 dimensions"),
    ("torch.nn.init.eye_(torch.zeros(3))", ValueError, "2 dimensions"),
    ("torch.nn.init.calculate_gain('x')", ValueError, "Unsupported nonlinearity x"),
]


@pytest.mark.parametrize(("code", "error", "text"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused(code: str, error: type[Exception], text: str) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state().tolist()
    with pytest.raises(error, match=text.replace("(", r"\(")):
        eval(code, {"torch": torch, "F": F})
    assert torch.get_rng_state().tolist() == before, "numbers were drawn before the refusal"
