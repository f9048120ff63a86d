"""safetensors files, through their library."""

from __future__ import annotations

import sys

import pytest

import flambeau as ft
from flambeau.utils import safetensors as ours

library = pytest.importorskip("safetensors")


def tensors() -> dict:
    return {
        "float": ft.arange(6.0).reshape(2, 3),
        "bfloat16": ft.tensor([1.5, -2.0], dtype=ft.bfloat16),
        "scalar": ft.tensor(True),
        "empty": ft.empty(0, 2),
        "complex": ft.tensor([1 + 2j]),
        "int": ft.tensor([-(1 << 40)]),
    }


def test_round_trip(tmp_path):
    ours.save_file(tensors(), tmp_path / "a.safetensors", {"format": "pt"})
    loaded = ours.load_file(tmp_path / "a.safetensors")
    assert loaded.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert loaded[name].dtype is tensor.dtype and loaded[name].shape == tensor.shape
        assert loaded[name].tolist() == tensor.tolist()
    loaded["float"][0, 0] = 5


def test_other_readers_see_the_same():
    from safetensors.numpy import load

    assert load(ours.save({"a": ft.ones(2)}))["a"].tolist() == [1, 1]


def test_what_the_format_cannot_say():
    base = ft.zeros(2, 3)
    with pytest.raises(ValueError, match="non contiguous"):
        ours.save({"a": base.t()})
    with pytest.raises(RuntimeError, match="share memory"):
        ours.save({"a": base, "b": base[0]})
    with pytest.raises(ValueError, match="expected torch.Tensor"):
        ours.save({"a": 1})


def test_damaged():
    data = ours.save({"a": ft.ones(2)})
    for length in (0, 5, 20, len(data) - 1):
        with pytest.raises(library.SafetensorError):
            ours.load(data[:length])


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match="pip install"):
        ours.load(b"")
