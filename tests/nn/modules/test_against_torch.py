"""Modules do what PyTorch's do, to the letter of the messages: golden values from torch 2.13."""

from __future__ import annotations

import json

import pytest

import flambeau
from tests.golden.make_nn_modules import GOLDEN
from tests.nn.modules import containers, hooks, layers  # noqa: F401 - they fill SCENARIOS
from tests.nn.modules.scenarios import SCENARIOS, record

EXPECTED = json.loads(GOLDEN.read_text())


def test_every_scenario_has_a_golden_value():
    assert SCENARIOS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "constructors"])
def test_same_as_torch(name):
    assert record(flambeau, SCENARIOS[name]) == EXPECTED[name]


@pytest.mark.parametrize("call", layers.CALLS)
def test_constructor(call):
    expected = EXPECTED["constructors"][call]
    found = record(flambeau, lambda torch: layers.outcome(lambda: layers.described(torch, call)))
    if isinstance(expected, list) and isinstance(found, list):
        assert found[2] == pytest.approx(expected[2], abs=2e-4)
        found[2] = expected[2]
    assert found == expected
