"""flambeau.explain(): what it tells is what happened, and asking changes nothing."""

from __future__ import annotations

import threading
import warnings

import pytest

import flambeau
from flambeau import nn
from flambeau._engine.base.callers import user_line, warn_user
from flambeau._engine.trace.hub import HUB
from flambeau._engine.trace.log import LOG, MOST, OTHERS, Exit
from tests.modes import mode

pytest.importorskip("llvmlite")


class Loop:
    """A small training loop over a DataLoader."""

    def __init__(self):
        self.model = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 3))
        self.optimizer = flambeau.optim.Adam(self.model.parameters())
        data = flambeau.utils.data.TensorDataset(
            flambeau.rand(64, 20), flambeau.randint(0, 3, (64,))
        )
        self.loader = flambeau.utils.data.DataLoader(data, 16)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = nn.functional.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss

    def epoch(self):
        for x, y in self.loader:
            self.step(x, y)


@pytest.fixture
def jit():
    with mode("auto"):
        HUB.clear()
        yield
        HUB.clear()


@pytest.fixture
def loop(jit):
    found = Loop()
    for _ in range(4):
        found.epoch()
    return found


def line_of(text):
    """Where a text stands in this file."""
    with open(__file__) as file:
        return next(f"{__file__}:{n}" for n, line in enumerate(file, 1) if text in line)


def test_segments_have_the_users_lines(loop):
    (segment,) = flambeau.explain().segments
    assert segment.name == "Sequential..step" and segment.runs >= 8
    lines = dict(segment.events)
    assert lines["Sequential"] == line_of("cross_entropy(self.model(x), y)")
    assert lines["backward"] == line_of("loss.backward()")
    assert lines["step"] == line_of("self.optimizer.step()")


def test_kernels_are_described(loop):
    (segment,) = flambeau.explain().segments
    (program,) = segment.programs
    gemm = next(kernel for kernel in program.kernels if kernel.kind == "gemm")
    assert gemm.flops >= 2 * 16 * 3 * 20 and gemm.bytes > 0 and gemm.line.startswith(__file__)
    assert all(kernel.calls == 0 for kernel in program.kernels)


def test_compiling_is_counted(loop):
    costs = flambeau.explain().compiling
    kernels = sum(len(p.kernels) for s in flambeau.explain().segments for p in s.programs)
    assert costs.kernels >= kernels and costs.programs >= 1
    assert costs.compiled + costs.read + costs.shared == costs.kernels
    assert costs.lowering > 0 and costs.seconds >= costs.lowering


def test_a_run_is_timed(loop):
    found = flambeau.explain(run=loop.epoch)
    (segment,) = found.segments
    kernels = segment.programs[0].kernels
    assert {kernel.calls for kernel in kernels} == {4}
    profile = found.profile
    assert 0 < profile.kernels < profile.seconds and 0 < profile.data < profile.seconds
    assert profile.peaks.gflops > 1 and profile.peaks.bandwidth > 0.1
    assert any(kernel.gflops > 0 for kernel in kernels)
    again = flambeau.explain(run=lambda: None)
    assert all(k.seconds == 0 for s in again.segments for p in s.programs for k in p.kernels)


def test_side_exits_name_the_guard_and_the_line(loop):
    x, y = flambeau.rand(7, 20), flambeau.randint(0, 3, (7,))
    logits = loop.model(flambeau.rand(16, 20))
    logits.square()  # the record has a loss here
    (exit,) = flambeau.explain().exits
    assert exit.line == line_of("the record has a loss here") and exit.events == 1
    assert exit.reason == "square came where nn.functional.cross_entropy was expected"
    loop.model(flambeau.rand(16, 20)).relu().add_(x.sum() + y.sum())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda x, k: (x, k + 1), "argument 1 is 3, not 2"),
        (lambda x, k: (x.double(), k), "argument 0 has dtype float64, not float32"),
        (lambda x, k: (flambeau.ones(3, 3), k), "argument 0 has shape (3, 3), not (70000,)"),
    ],
)
def test_reasons(jit, change, reason):
    def work(x, k):
        return (flambeau.ones(70_000) * 2).exp(), flambeau.pow(x, k).sum()

    x = flambeau.ones(70_000)
    changed = change(x, 2)
    for _ in range(8):
        value = work(x, 2)[1].item()
    assert value == 70_000
    work(*changed)[1].item()
    assert f"pow: {reason}" in [exit.reason for exit in flambeau.explain().exits]


def test_what_is_not_compiled_is_said(jit):
    x = flambeau.ones(3)
    for _ in range(8):
        (x * 2).sum().item()  # too little
    (small,) = flambeau.explain().left_eager
    assert small.line == line_of("# too little") and "few elements" in small.reason


def test_asking_settles_nothing(loop):
    pending = loop.model(flambeau.rand(16, 20))
    before = dict(LOG.counts)
    str(flambeau.explain())
    assert dict(LOG.counts) == before and "_array" not in pending.__dict__
    assert pending.shape == (16, 3)


def test_the_text_has_it_all(loop):
    text = str(flambeau.explain(run=loop.epoch))
    for part in ("1 segment compiled", "kernels", "data", "python", "GFLOP/s", "gemm", "step"):
        assert part in text
    assert repr(flambeau.explain()) == str(flambeau.explain())


def test_nothing_compiled():
    with mode("off"):
        found = flambeau.explain()
    assert found.mode == "off" and "JIT off" in str(found)


def test_kinds_of_exits_are_bounded(jit):
    for number in range(MOST + 50):
        LOG.count("side exits", LOG.exits, Exit("a..b", 1, f"argument 0 is {number}", "file:1"))
    assert len(LOG.exits) == MOST + 1 and LOG.exits[OTHERS[Exit]] == 50
    assert "50 times" in str(flambeau.explain())


def test_segments_of_threads_that_have_ended_go(jit):
    import gc

    def train():
        found = Loop()
        for _ in range(4):
            found.epoch()

    worker = threading.Thread(target=train)
    worker.start()
    worker.join()
    gc.collect()
    assert flambeau.explain().segments == []


def test_the_users_line():
    assert user_line() == line_of("assert user_line() ==")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_user("here", FutureWarning)
    assert f"{caught[0].filename}:{caught[0].lineno}" == line_of('warn_user("here"')
    assert caught[0].category is FutureWarning


def test_what_is_given_up_is_said_with_both_lines(jit):
    model = nn.Linear(20, 4)
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.1)
    x = flambeau.rand(64, 20)
    for _ in range(8):
        optimizer.step()
        out = model(x)  # it begins
        out.grad_fn.register_hook(lambda *gradients: None)
        out.square().mean().backward()  # it is given up
    failure = next(iter(flambeau.explain().abandoned))
    assert failure.line == line_of("# it begins") and failure.at == line_of("# it is given up")
    assert f"{failure.at.rpartition(':')[2]}: backward: hooks" in str(flambeau.explain())


def test_why_nothing_happened_is_said(jit):
    assert "recorded the fourth time" in str(flambeau.explain())
    with mode("off"):
        assert "FLAMBEAU_JIT" in str(flambeau.explain())
