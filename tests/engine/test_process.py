"""What is shared by the process: NumPy's error settings, warnings, threads."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

import flambeau
from flambeau import nn

ZERO = flambeau.zeros(2)
NOISY = {
    "divide": lambda: ZERO / 0,
    "log": lambda: ZERO.log(),
    "invalid": lambda: (ZERO - 1).sqrt(),
    "overflow": lambda: (ZERO + 1000).exp(),
    "pow": lambda: ZERO**-1,
    "convert": lambda: (ZERO + float("nan")).to(flambeau.int32),
    "half": lambda: (ZERO + 1e6).half(),
    "sum": lambda: (ZERO + 3e38).sum(),
    "softmax": lambda: (ZERO - float("inf")).softmax(0),
    "std of one": lambda: flambeau.ones(1).std(),
    "mean of none": lambda: flambeau.ones(0).mean(),
    "matmul": lambda: (ZERO[None] + 3e38) @ (ZERO + 3e38),
    "copy": lambda: flambeau.zeros(2, dtype=flambeau.uint8).copy_(ZERO - 1.5),
    "in place": lambda: flambeau.zeros(2).div_(0),
    "remainder": lambda: ZERO % 0,
    "backward": lambda: flambeau.zeros(2, requires_grad=True).sqrt().sum().backward(),
    "var": lambda: flambeau.tensor([float("inf"), 1.0]).var(),
    "complex": lambda: 1 / flambeau.zeros(2, dtype=flambeau.complex64),
    "sigmoid": lambda: (ZERO - 1000).sigmoid(),
    "logsumexp": lambda: (ZERO - float("inf")).logsumexp(0),
    "cumprod": lambda: (ZERO + 3e38).cumprod(0),
    "adam": lambda: _step(flambeau.optim.Adam),
}


def _step(kind):
    p = nn.Parameter(flambeau.zeros(2))
    (p * 1e30).sum().backward()
    kind([p], lr=0.1).step()


@pytest.mark.parametrize("name", NOISY)
def test_numpy_never_warns(name):
    before = np.geterr()
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error", RuntimeWarning)
        warnings.filterwarnings("ignore", category=UserWarning)
        NOISY[name]()
    with np.errstate(all="raise"):
        NOISY[name]()
        assert set(np.geterr().values()) == {"raise"}
    assert np.geterr() == before


def test_a_program_runs_with_warnings_as_errors():
    program = (
        "import flambeau as torch; m = torch.nn.Linear(2, 2); x = torch.ones(1, 2)\n"
        "o = torch.optim.Adam(m.parameters()); (m(x) / 0).log().sum().backward(); o.step()\n"
        "print(m.weight.isnan().all().item())"
    )
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "True"
    assert not found.stderr


def test_threads_sum_into_one_leaf_and_share_a_graph():
    x = flambeau.ones(3, requires_grad=True)
    y = (x * x).sum()
    threads = [threading.Thread(target=lambda: y.backward(retain_graph=True)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.tolist() == [8, 8, 8]


def test_a_thread_starts_with_grad_mode_on():
    seen = []
    with flambeau.no_grad():
        thread = threading.Thread(target=lambda: seen.append(flambeau.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]
