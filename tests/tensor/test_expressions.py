"""Small programs whose printed results are torch's (tests/golden/make_tensor.py wrote them)."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest

import flambeau
from tests.tensor.expressions import outcome, topics

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "tensor.json").read_text())


@pytest.mark.parametrize("topic", topics())
def test_results_print_as_torchs(topic: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrong = [
            f"{program}\n--- torch\n{GOLDEN[program]}\n--- flambeau\n{found}"
            for program in topics()[topic]
            if (found := outcome(flambeau, program)) != GOLDEN[program]
        ]
    assert not wrong, "\n\n".join(wrong)
