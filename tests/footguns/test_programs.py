"""Programs that tracing systems get wrong: golden values from torch 2.13."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

import flambeau
from tests.footguns.programs import PROGRAMS
from tests.programs import outcome, same

EXPECTED = json.loads((Path(__file__).parents[1] / "golden" / "footguns.json").read_text())


def test_every_program_has_a_golden_value():
    assert PROGRAMS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_same_as_torch(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = outcome(flambeau, PROGRAMS[name])
    assert same(found, EXPECTED[name]), f"{found}\nexpected {EXPECTED[name]}"
