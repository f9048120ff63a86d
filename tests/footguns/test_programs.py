"""Programs that tracing systems get wrong: golden values from torch 2.13, in every mode."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

import flambeau
from tests.footguns.programs import LISTED, PROGRAMS, READERS, reader
from tests.modes import MODES, mode
from tests.programs import outcome, same

EXPECTED = json.loads((Path(__file__).parents[1] / "golden" / "footguns.json").read_text())


def test_every_program_has_a_golden_value():
    assert PROGRAMS.keys() == EXPECTED.keys()


def test_every_number_of_the_list_has_a_program():
    assert {int(name[:2]) for name in PROGRAMS} >= set(LISTED)


@pytest.mark.parametrize("jit", MODES)
@pytest.mark.parametrize("reading", READERS)
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_same_as_torch(name, reading, jit):
    for _ in range(1 if jit == "off" else 2):  # the second run finds the first one's programs
        with warnings.catch_warnings(), mode(jit):
            warnings.simplefilter("ignore")
            read = reader(READERS[reading])
            found = outcome(flambeau, lambda torch, read=read: PROGRAMS[name](torch, read))
        assert same(found, EXPECTED[name]), f"{found}\nexpected {EXPECTED[name]}"
