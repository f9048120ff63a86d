"""A side exit at any event leaves what eager would have left, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("llvmlite")

import flambeau
from flambeau import nn
from flambeau._engine.trace.hub import HUB
from tests.modes import mode

from .injection import KINDS, exits

F = nn.functional
WARM = 6
Step = Callable[[], list[Any]]
# builds a model; gives its step (returns what it has read) and everything that it has changed
Program = Callable[[], tuple[Step, Callable[[], list[Any]]]]


def _everything(model: nn.Module, *optimizers: Any) -> list[Any]:
    found = [*model.state_dict().values(), *(p.grad for p in model.parameters())]
    for optimizer in optimizers:
        for entry in optimizer.state_dict()["state"].values():
            found += entry.values()
    return [*found, flambeau.get_rng_state()]


def _data() -> tuple[Any, Any]:
    return flambeau.rand(6, 4), flambeau.randint(0, 3, (6,))


def classifier() -> Any:
    """Dropout, batch norm, AdamW, clipped gradients."""
    model = nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
    )
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=0.01)
    x, y = _data()

    def step() -> list[Any]:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        return [loss]

    return step, lambda: _everything(model, optimizer)


def read_in_the_middle() -> Any:
    """The loss is read before backward, the logits after the step."""
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3))
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = _data()

    def step() -> list[Any]:
        optimizer.zero_grad(set_to_none=False)
        out = model(x)
        loss = F.cross_entropy(out, y) + 0.01 * model[0].weight.square().sum()
        read = loss.item()
        loss.backward()
        optimizer.step()
        return [read, out.detach().sum().item()]

    return step, lambda: _everything(model, optimizer)


def writes_and_views() -> Any:
    """In-place writes through views, with and without history."""
    model = nn.Linear(4, 4)
    optimizer = flambeau.optim.Adam(model.parameters(), lr=0.01)
    x, _ = _data()
    carried = flambeau.zeros(6, 4)

    def step() -> list[Any]:
        optimizer.zero_grad()
        h = model(x)
        h[:, 1].mul_(2)
        h.view(2, 12)[0, ::3] += 1.0
        loss = (h * h.detach().roll(1, 0)).mean()
        loss.backward()
        with flambeau.no_grad():
            carried.mul_(0.5).add_(h)
            carried[0] = carried[1]
            model.bias.clamp_(-0.5, 0.5)
        optimizer.step()
        return [loss]

    return step, lambda: [*_everything(model, optimizer), carried]


def two_optimizers() -> Any:
    """A GAN's step: a shared forward, a detached one, gradients added to those there."""
    model = nn.ModuleDict({"maker": nn.Linear(2, 4), "critic": nn.Linear(4, 1)})
    makers = flambeau.optim.Adam(model["maker"].parameters(), lr=0.01)
    critics = flambeau.optim.RMSprop(model["critic"].parameters(), lr=0.01)
    x, _ = _data()

    def step() -> list[Any]:
        fake = model["maker"](flambeau.randn(6, 2))
        critics.zero_grad()
        loss = model["critic"](fake.detach()).mean() - model["critic"](x).mean()
        loss.backward()
        critics.step()
        makers.zero_grad()
        other = -model["critic"](fake * 1.0).mean()
        other.backward()
        makers.step()
        return [loss, other]

    return step, lambda: _everything(model, makers, critics)


def accumulated() -> Any:
    """Two backwards, one through a graph that is kept, and a gradient of a gradient."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.05)
    x, _ = _data()

    def step() -> list[Any]:
        optimizer.zero_grad()
        inputs = x.clone().requires_grad_()
        out = model(inputs).sum()
        (slope,) = flambeau.autograd.grad(out, inputs, create_graph=True)
        out.backward(retain_graph=True)
        penalty = (slope.square().sum(1) - 1).square().mean()
        penalty.backward()
        optimizer.step()
        return [out, penalty]

    return step, lambda: _everything(model, optimizer)


class Rounded(flambeau.autograd.Function):
    """A straight-through estimator that keeps what it is given, and what it gives."""

    calls = 0

    @staticmethod
    def forward(ctx, x, kept):
        out = flambeau.round(x * 4) / 4
        ctx.save_for_backward(x, out)
        ctx.kept = kept * 2
        return out, kept.view_as(kept)

    @staticmethod
    def backward(ctx, grad, other):
        Rounded.calls += 1
        x, out = ctx.saved_tensors
        if (grad.abs().max() > 100).item():
            return grad, other
        return grad * (x.abs() < 1) + 0.1 * (out - x), other * ctx.kept


def custom_functions() -> Any:
    """A custom function with two results, used twice, that reads in its backward."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    optimizer = flambeau.optim.AdamW(model.parameters(), lr=0.05)
    x, y = _data()
    Rounded.calls = 0

    def step() -> list[Any]:
        optimizer.zero_grad()
        hidden, bias = Rounded.apply(model[1](model[0](x)), model[0].bias)
        again, _ = Rounded.apply(hidden * 1.5, bias)
        loss = F.cross_entropy(model[2](again + bias), y)
        loss.backward()
        optimizer.step()
        return [loss]

    return step, lambda: [*_everything(model, optimizer), Rounded.calls]


def hooks() -> Any:
    """Hooks of leaves, results and a module, a retained gradient, a step within backward."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    optimizer = flambeau.optim.AdamW(model[2].parameters(), lr=0.05)
    inner = flambeau.optim.SGD([model[0].weight], lr=0.1, momentum=0.9)
    x, y = _data()
    calls: list[str] = []

    def update(p: Any) -> None:
        calls.append("update")
        inner.step()
        inner.zero_grad()

    def halve(grad: Any) -> Any:
        calls.append("halve")
        return grad / 2

    model[0].weight.register_post_accumulate_grad_hook(update)
    model[2].weight.register_hook(halve)
    model[1].register_full_backward_hook(lambda m, gi, go: calls.append("module"))

    def step() -> list[Any]:
        optimizer.zero_grad()
        hidden = model[1](model[0](x))
        hidden.retain_grad()
        hidden.register_hook(halve)
        loss = F.cross_entropy(model[2](hidden), y)
        loss.backward()
        optimizer.step()
        return [loss, hidden.grad.sum().item()]

    return step, lambda: [*_everything(model, optimizer, inner), *calls]


def grown_and_cleared() -> Any:
    """Gradients that the step before has left grow, are cleared, and come anew."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    x, y = _data()

    def step() -> list[Any]:
        model(x).square().mean().backward()
        with flambeau.no_grad():
            for p in model.parameters():
                p.sub_(p.grad * 0.1)
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return [loss.item()]

    return step, lambda: _everything(model)


def two_heads() -> Any:
    """A step between two backwards, for parameters of which some have no gradient yet."""
    model = nn.ModuleDict({"body": nn.Linear(4, 5), "a": nn.Linear(5, 3), "b": nn.Linear(5, 3)})
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = _data()

    def step() -> list[Any]:
        optimizer.zero_grad()
        hidden = model["body"](x)
        model["a"](hidden).square().mean().backward(retain_graph=True)
        optimizer.step()
        loss = F.cross_entropy(model["b"](hidden), y)
        loss.backward()
        return [loss.item()]

    return step, lambda: _everything(model, optimizer)


def on_schedules() -> Any:
    """Numbers in the calls of ops that are others at each step."""
    model = nn.Linear(4, 3)
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.1)
    x, y = _data()
    average = model.weight.detach().clone()
    steps: list[int] = []

    def step() -> list[Any]:
        steps.append(len(steps))
        i = len(steps)
        optimizer.zero_grad()
        out = F.dropout(model(x + 0.1 / i) / (1 + 0.1 * i), 0.5 / i)
        loss = F.cross_entropy(out.clamp(-i, 1.5 * i), y) * (1 / i)
        loss = loss.add(model.weight.square().sum(), alpha=0.01 * i)
        loss.backward()
        with flambeau.no_grad():
            average.lerp_(model.weight, 1 / (1 + i)).mul_(1 - 0.01 * i)
        optimizer.step()
        return [loss]

    return step, lambda: [*_everything(model, optimizer), average]


PROGRAMS = [
    classifier, read_in_the_middle, writes_and_views, two_optimizers, accumulated,
    custom_functions, hooks, grown_and_cleared, two_heads, on_schedules,
]  # fmt: skip


def _warmed(program: Program) -> tuple[Step, Callable[[], list[Any]]]:
    flambeau.manual_seed(0)
    step, everything = program()
    with mode("force"):
        for _ in range(WARM):
            step()
    return step, everything


def _bits(values: list[Any]) -> list[Any]:
    return [v.detach().numpy().tobytes() if isinstance(v, flambeau.Tensor) else v for v in values]


def _left(program: Program, kind: str, segment: int, event: int) -> tuple[Any, list[float], Any]:
    """One more step, left at an event: the injection, what was read, and every bit."""
    step, everything = _warmed(program)
    with mode("force"), exits(kind, segment, event) as injection:
        reads = [float(value) for value in step()]
    with mode("off"):
        return injection, reads, _bits(everything())


def _prime(program: Program, kind: str = "guard") -> list[int]:
    """Run until every run is replayed alike, from its first step; the lengths of its segments."""
    HUB.clear()
    for _ in range(3):
        _warmed(program)
    return _left(program, kind, -1, -1)[0].lengths


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_every_program_is_replayed(program):
    assert sum(_prime(program)) > 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_every_exit_leaves_the_eager_state(program, kind):
    lengths = _prime(program, kind)
    step, everything = _warmed(program)
    with mode("off"):
        step()
        eager = _bits(everything())
    fired = 0
    for segment, length in enumerate(lengths):
        _, expected_reads, expected = _left(program, kind, segment, 0)
        assert segment or expected == eager
        for event in range(1, length + 1):
            injection, reads, found = _left(program, kind, segment, event)
            if injection.fired:  # not after the last event
                fired += 1
                # a part that was computed before the exit keeps what was read of it
                assert reads == pytest.approx(expected_reads, rel=1e-5), (segment, event)
                assert found == expected, (segment, event)
    assert fired >= sum(lengths) // 2


def test_an_error_that_comes_late_names_the_call():
    model = nn.Linear(4, 3)
    optimizer = flambeau.optim.SGD(model.parameters(), lr=0.1)
    x, y = _data()
    with mode("auto"):
        for target in [y] * 8 + [y + 3]:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), target)  # the call
            loss.backward()
            if target is y:
                optimizer.step()
        with pytest.raises(IndexError) as caught:
            optimizer.step()
        with pytest.raises(RuntimeError, match="never computed.* Target . is out of bounds"):
            print(loss)
    assert model.weight.grad is None and model.bias.grad is None
    (note,) = caught.value.__notes__
    assert "nn.functional.cross_entropy" in note and "FLAMBEAU_JIT=off" in note
    with open(__file__) as file:
        line = next(n for n, text in enumerate(file, 1) if "# the call" in text)
    assert f"{__file__}:{line}" in note
    assert "out of bounds" in str(caught.value)
