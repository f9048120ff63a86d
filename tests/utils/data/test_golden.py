"""The same seed gives PyTorch's batches, and leaves the generators where PyTorch leaves them."""

from __future__ import annotations

import json

import pytest

import flambeau
import flambeau.utils.data
from tests.golden.make_data_loading import GOLDEN, cases, record

EXPECTED = json.loads(GOLDEN.read_text())
CASES = cases(flambeau, flambeau.utils.data)


def test_every_case_has_a_golden_value():
    assert CASES.keys() == EXPECTED.keys()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("name", EXPECTED)
def test_same_as_torch(name):
    assert record(flambeau, CASES[name]) == EXPECTED[name]
