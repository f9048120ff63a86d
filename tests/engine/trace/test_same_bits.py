"""The same script gives the same bits: on every run, and with every number of threads."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

import flambeau
from flambeau import nn
from flambeau._engine.trace.hub import HUB
from tests.modes import MODES, mode

ROWS = 96
LIMIT = 60  # seconds


def _network() -> nn.Module:
    return nn.Sequential(
        nn.Linear(300, 400), nn.ReLU(), nn.Dropout(0.2), nn.LayerNorm(400), nn.Linear(400, 200),
        nn.GELU(), nn.BatchNorm1d(200), nn.Linear(200, 10),
    )  # fmt: skip


class _Attention(nn.Module):
    """Causal attention with two heads, and the mean of what it gives."""

    def __init__(self):
        super().__init__()
        self.inside, self.out = nn.Linear(16, 48), nn.Linear(16, 5)

    def forward(self, x):
        q, k, v = (
            part.view(*x.shape[:2], 2, 8).transpose(1, 2) for part in self.inside(x).split(16, 2)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(x.shape).mean(1))


def digest(model: nn.Module, shape: tuple[int, ...], classes: int, count: int = 12) -> str:
    """A hash of every loss, parameter and gradient of a training run."""
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=1e-3)
    found = hashlib.sha256()
    for _ in range(count):
        x, y = flambeau.rand(*shape), flambeau.randint(0, classes, (shape[0],))
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        found.update(loss.detach().numpy().tobytes())
    for p in model.parameters():
        found.update(p.detach().numpy().tobytes() + p.grad.numpy().tobytes())
    return found.hexdigest()


def sums() -> str:
    """A hash of large reductions, scans and scatters."""
    found = hashlib.sha256()
    x = flambeau.randn(500, 700)
    index = flambeau.randint(0, 50, (500, 700))
    for _ in range(8):
        results = [
            x.sum(), x.mean(0), x.std(1), x.softmax(1), x.logsumexp(0), x.cumsum(0), x.amax(1),
            flambeau.zeros(50, 700).scatter_add(0, index, x), (x.t() @ x), (x * x).sum().sqrt(),
        ]  # fmt: skip
        for result in results:
            found.update(result.numpy().tobytes())
    return found.hexdigest()


def all_bits(jit: str, threads: int) -> list[str]:
    """The hashes of every program, from one seed."""
    before = flambeau.get_num_threads()
    HUB.clear()  # what a script has repeated decides what is compiled, hence the bits
    with mode(jit):
        flambeau.set_num_threads(threads)
        flambeau.manual_seed(0)
        try:
            convolutions = nn.Sequential(
                nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(392, 5)
            )
            images = (16, 3, 16, 16)
            return [
                digest(_network(), (ROWS, 300), 10), digest(convolutions, images, 5),
                digest(_Attention(), (8, 96, 16), 5), sums(),
            ]  # fmt: skip
        finally:
            flambeau.set_num_threads(before)


def _in_a_process(jit: str, *threads: int) -> list[str]:
    """What a new process finds with each of these numbers of threads."""
    code = (
        "import sys; from tests.engine.trace.test_same_bits import all_bits\n"
        "for threads in sys.argv[2:]: print(all_bits(sys.argv[1], int(threads)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, jit, *map(str, threads)],
        capture_output=True, text=True, check=True, timeout=LIMIT,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == len(threads)
    return lines


@pytest.mark.parametrize("jit", MODES)
def test_the_same_bits_in_every_process(jit):
    # in eager mode NumPy's BLAS splits its sums by thread
    alone, beside = ((1,), (1,)) if jit == "off" else ((1, 2), (3, 1))
    assert len({*_in_a_process(jit, *alone), *_in_a_process(jit, *beside)}) == 1
