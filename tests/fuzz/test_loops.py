"""Random loops give in every mode what they give in eager mode."""

from __future__ import annotations

import pytest

from tests.modes import MODES

from .jit_against_eager import KINDS, disagreement, make, program
from .loops import Line, Loop, difference, run

COUNT, CHUNK = 200, 20  # programs; in a chunk they meet what those before them have compiled

# seeds of programs on which the modes once differed, by kind
ONCE = {
    "any": (7, 2139),
    "opaque": (37, 101, 2041, 2137, 2173, 2201, 2381, 2397),
    "training": (52, 176, 2160, 2184, 2324, 12001992, 14000070),
}


@pytest.mark.skipif(len(MODES) == 1, reason="nothing to compare with")
@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
def test_every_mode_agrees(first):
    for seed in range(first, first + CHUNK):
        loop = program(seed)
        compiled = MODES[
            1 + seed // len(KINDS) // 2 % 2
        ]  # each in one mode: that takes half as long
        found = disagreement(loop, turns=1, modes=(compiled,))
        assert not found, f"seed {seed}: {found}\n{loop.script()}"


@pytest.mark.skipif(len(MODES) == 1, reason="nothing to compare with")
@pytest.mark.parametrize("kind, seed", [(kind, n) for kind, seeds in ONCE.items() for n in seeds])
def test_every_mode_agrees_by_now(kind, seed):
    assert not disagreement(make(seed, kind), alone=True)


def test_a_difference_is_seen():
    import flambeau

    loop = Loop(("x = torch.ones(2)",), (Line("x = x * 1.5"), Line("log(x)", "i == 3")))
    other = Loop(("x = torch.ones(2)",), (Line("x = x * 1.501"), Line("log(x)", "i == 3")))
    assert not difference(run(loop, flambeau), run(loop, flambeau), 1e-4)
    assert difference(run(loop, flambeau), run(other, flambeau), 1e-4)
    assert not difference(run(loop, flambeau), run(other, flambeau), 1e-1)


def test_errors_are_results():
    import flambeau

    lines = (Line("torch.ones(2) + torch.ones(3)", "i == 1"), Line("raise Interrupt", "i == 2"))
    errors = [entry[0]["error"] for entry in run(Loop((), lines, steps=4), flambeau)[:2]]
    assert errors == ["RuntimeError", "Interrupt"]


def test_the_same_seed_makes_the_same_program():
    for seed in range(12):
        assert make(seed).script() == make(seed).script()
