"""Every function of nn.functional against what PyTorch gave: results and gradients."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import flambeau
from tests.nn.functional.cases import CASES, Case, record

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "nn_functional.json").read_text())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label[:80])
def test_case(case: Case) -> None:
    wanted, found = GOLDEN[case.label], record(flambeau, case)
    assert found["shapes"] == wanted["shapes"]
    np.testing.assert_allclose(found["results"], wanted["results"], rtol=1e-7, atol=1e-7)
    assert len(found["grads"]) == len(wanted["grads"])
    for got, expected in zip(found["grads"], wanted["grads"], strict=True):
        # PyTorch gives None or zeros where nothing depends on an input
        np.testing.assert_allclose(got or [0, 0], expected or [0, 0], rtol=1e-7, atol=1e-7)


def test_labels_are_distinct() -> None:
    assert len({case.label for case in CASES}) == len(CASES) == len(GOLDEN)
