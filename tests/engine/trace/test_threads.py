"""Several threads train at once, and hand each other what is not computed yet."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import flambeau
from flambeau import nn
from tests.modes import MODES, mode

STEPS = 40


@pytest.fixture(autouse=True)
def _many_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def train(seed: int, losses: list[float]) -> None:
    """A training run that depends on nothing but its own generator."""
    generator = flambeau.Generator().manual_seed(seed)
    weight = flambeau.randn(4, 4, generator=generator).requires_grad_()
    optimizer = flambeau.optim.SGD([weight], lr=0.05, momentum=0.5)
    x = flambeau.randn(8, 4, generator=generator)
    for step in range(STEPS):
        optimizer.zero_grad()
        if step % 3 == seed % 3:
            with flambeau.no_grad():
                assert not (x @ weight).requires_grad
        loss = ((x @ weight).tanh() - x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())


def run_together(*calls: Callable[[], None]) -> None:
    """Run every call in a thread of its own; the first error is raised here."""
    errors: list[BaseException] = []

    def guarded(call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("jit", MODES)
def test_threads_train_as_they_do_alone(jit):
    alone: dict[int, list[float]] = {seed: [] for seed in range(3)}
    for seed, losses in alone.items():
        train(seed, losses)
    with mode(jit):
        for _ in range(2):
            together: dict[int, list[float]] = {seed: [] for seed in range(3)}
            run_together(*[lambda s=s, x=x: train(s, x) for s, x in together.items()])
            for seed, losses in alone.items():
                assert together[seed] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("jit", MODES)
def test_what_one_thread_has_not_computed_another_reads(jit):
    made: queue.Queue = queue.Queue(maxsize=2)
    weight = flambeau.arange(9.0).reshape(3, 3)

    def produce() -> None:
        for i in range(STEPS):
            made.put((i, (weight + i) @ weight), timeout=20)
        made.put(None, timeout=20)

    def consume() -> None:
        while (item := made.get(timeout=20)) is not None:
            i, y = item
            assert y.sum().item() == expected[i]

    expected = [((weight + i) @ weight).sum().item() for i in range(STEPS)]
    with mode(jit):
        run_together(produce, consume)


@pytest.mark.parametrize("jit", MODES)
def test_what_a_thread_leaves_behind_is_computed(jit):
    left: list[flambeau.Tensor] = []

    def work() -> None:
        x = flambeau.ones(3)
        for i in range(STEPS):
            x = x * 0.5 + i
        left.append(x)

    with mode(jit):
        for _ in range(4):
            run_together(work)
    expected = 1.0
    for i in range(STEPS):
        expected = expected * 0.5 + i
    for x in left:
        assert x.tolist() == pytest.approx([expected] * 3)


@pytest.mark.parametrize("jit", MODES)
def test_one_model_is_read_while_it_learns(jit):
    model = nn.Linear(3, 2)
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.01)
    x = flambeau.ones(4, 3)
    done = threading.Event()

    def learn() -> None:
        try:
            for _ in range(STEPS):
                optimizer.zero_grad()
                model(x).square().sum().backward()
                optimizer.step()
        finally:
            done.set()

    def look() -> None:
        while not done.is_set():
            with flambeau.no_grad():
                assert model(x).isfinite().all().item()

    with mode(jit):
        run_together(learn, look)
    assert abs(model(x).sum().item()) < 1
