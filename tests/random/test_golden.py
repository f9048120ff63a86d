"""The numbers are PyTorch's: every case of tests/golden/random.json, and the state's bytes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import flambeau as torch

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "random.json").read_text())
STATES = GOLDEN["states"]


def values(tensor: torch.Tensor) -> np.ndarray:
    wide = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return np.array(wide.reshape(-1).tolist())


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["code"])
def test_same_numbers_as_pytorch(case: dict) -> None:
    torch.manual_seed(11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = eval(case["code"], {"torch": torch, "F": torch.nn.functional})
    assert str(result.dtype) == case["dtype"]
    assert list(result.shape) == case["shape"]
    wanted, found = np.array(case["values"]), values(result)
    if case["tolerance"]:
        slack = case["tolerance"] * max(1.0, np.abs(wanted).max())
        assert np.abs(found - wanted).max() <= slack
    else:
        assert (found == wanted).all()
    assert torch.randint(1 << 20, (1,)).item() == case["next"], "drew more or fewer words"


def as_state(text: str) -> torch.Tensor:
    return torch.tensor(list(bytes.fromhex(text)), dtype=torch.uint8)


def test_reads_pytorchs_state() -> None:
    generator = torch.Generator()
    generator.set_state(as_state(STATES["state"]))
    assert generator.initial_seed() == STATES["seed"]
    assert np.allclose(torch.randn(5, generator=generator).tolist(), STATES["randn"], atol=1e-6)
    assert torch.rand(5, generator=generator).tolist() == STATES["rand"]


def test_writes_pytorchs_state() -> None:
    generator = torch.Generator().manual_seed(STATES["seed"])
    torch.randn(3, generator=generator)
    torch.rand(700, generator=generator)
    found = np.array(generator.get_state().tolist(), np.uint8)
    wanted = np.frombuffer(bytes.fromhex(STATES["state"]), np.uint8)
    spare = slice(5024, 5032)  # a float64 sine: the C library decides its last bit
    assert (np.delete(found, spare) == np.delete(wanted, spare)).all()
    assert np.isclose(found[spare].view(np.float64), wanted[spare].view(np.float64), rtol=1e-14)
    fresh = torch.Generator().manual_seed(3).get_state()
    assert bytes(fresh.tolist()) == bytes.fromhex(STATES["fresh"])
