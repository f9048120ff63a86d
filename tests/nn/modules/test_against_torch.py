"""Modules do what PyTorch's do, to the letter of the messages: golden values from torch 2.13."""

from __future__ import annotations

import json

import pytest

import flambeau.func
import flambeau.nn
import tests.nn.utils.scenarios  # noqa: F401 - it fills SCENARIOS, as these do
from tests.golden.make_nn_modules import GOLDEN
from tests.nn.modules import containers, hooks, layers, numbers  # noqa: F401
from tests.nn.modules.scenarios import SCENARIOS, record

EXPECTED = json.loads(GOLDEN.read_text())
TABLES = {"constructors", "numbers"}


def test_every_scenario_has_a_golden_value():
    assert SCENARIOS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - TABLES))
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


@pytest.mark.parametrize("line", numbers.CALLS)
def test_numbers(line):
    expected = EXPECTED["numbers"][line]
    found = record(flambeau, lambda torch: numbers.computed(torch, line))
    assert [shape for shape, *_ in found] == [shape for shape, *_ in expected]
    for (_, *sums), (_, *wanted) in zip(found, expected, strict=True):
        assert sums == pytest.approx(wanted, abs=3e-3, rel=1e-3)
