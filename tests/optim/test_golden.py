"""Optimizers and schedules follow torch's own trajectories (golden/make_optim.py)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import flambeau
import flambeau.optim.lr_scheduler

GOLDEN = Path(__file__).parents[1] / "golden"
_spec = importlib.util.spec_from_file_location("optim_cases", GOLDEN / "optim_cases.py")
cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(cases)
golden = json.loads((GOLDEN / "optim.json").read_text())

# float32 sums of products differ in the last bits; Muon rounds to bfloat16 inside
TOLERANCES = {"float64": 1e-12, "float32": 2e-6, "complex128": 1e-12}
MUON_TOLERANCE = 2e-3


def assert_close(found, expected, tolerance):
    assert len(found) == len(expected)
    scale = max([1.0, *map(abs, expected)])
    for a, b in zip(found, expected):
        assert abs(a - b) <= tolerance * scale, (found, expected)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("case", cases.OPTIMIZERS, ids=cases.case_name)
def test_optimizer(case, dtype):
    name, options = case
    key = f"{cases.case_name(case)}/{dtype}"
    if key not in golden["optimizers"]:
        assert name in cases.NO_COMPLEX
        return
    expected = golden["optimizers"][key]
    found = cases.summary(flambeau, cases.run_optimizer(flambeau, name, options, dtype))
    tolerance = MUON_TOLERANCE if name == "Muon" else TOLERANCES[dtype]
    if any(isinstance(value, dict) for value in options.values()):
        tolerance = 1e-6  # torch computes with a tensor lr in the tensor's float32
    for a, b in zip(found["params"], expected["params"], strict=True):
        assert_close(a, b, tolerance)
    assert found.get("options") == expected.get("options")
    assert found.get("state", {}).keys() == expected.get("state", {}).keys()
    for number, entries in expected.get("state", {}).items():
        assert list(found["state"][number]) == list(entries)
        for entry, values in entries.items():
            assert_close(found["state"][number][entry], values, TOLERANCES[dtype])


@pytest.mark.parametrize("number", range(len(cases.LBFGS)))
def test_lbfgs(number):
    found = cases.run_lbfgs(flambeau, cases.LBFGS[number])
    assert_close(found, golden["lbfgs"][number], 1e-9)


@pytest.mark.parametrize("name", cases.SCHEDULERS)
def test_schedule_is_exact(name):
    found = cases.run_schedule(flambeau, flambeau.optim.lr_scheduler, name)
    assert found == golden["schedules"][name]
