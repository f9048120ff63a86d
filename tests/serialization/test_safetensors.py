"""safetensors files, through their library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import flambeau as ft
from flambeau.utils import safetensors as ours

ROOT = Path(__file__).parents[2]
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


def test_the_librarys_own_face_for_pytorch(tmp_path):
    """`safetensors.torch` imports torch, so it needs a process of its own."""
    program = (
        "import torch\n"
        "from safetensors.torch import load_file, load_model, save_file, save_model\n"
        "save_file({'a': torch.arange(3), 'b': torch.ones(2, dtype=torch.bfloat16)}, 'a')\n"
        "found = load_file('a')\n"
        "assert found['a'].tolist() == [0, 1, 2] and found['b'].dtype is torch.bfloat16\n"
        "model = torch.nn.Linear(2, 1)\n"
        "save_model(model, 'b')\n"
        "print(load_model(model, 'b'))\n"
    )
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "flambeau", "run", "program.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "(set(), [])\n", done.stderr


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ImportError, match="pip install"):
        ours.load(b"")
