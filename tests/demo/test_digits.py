"""The demo: its data is what it says, it learns, and it leaves its files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib import resources

import pytest

import flambeau

DATA = resources.files("flambeau._demo") / "data"


def test_the_data_is_the_named_file():
    content = (DATA / "digits.csv.gz").read_bytes()
    assert hashlib.sha256(content).hexdigest() in (DATA / "README.md").read_text()


def test_the_data_has_1797_images_of_ten_digits():
    from flambeau._demo.__main__ import load_digits

    images, labels = load_digits().tensors
    assert images.shape == (1797, 64)
    assert images.dtype == flambeau.float32
    assert (images.min().item(), images.max().item()) == (0.0, 1.0)
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_source_and_licence_ship_beside_the_data():
    text = (DATA / "README.md").read_text()
    assert "CC BY 4.0" in text and "10.24432/C50P49" in text


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One whole run: (folder, what it printed)."""
    folder = tmp_path_factory.mktemp("demo")
    words = [sys.executable, "-m", "flambeau._demo", "--out", str(folder)]
    return folder, subprocess.run(words, capture_output=True, text=True, check=True)


def test_it_learns(finished):
    folder, done = finished
    curves = json.loads((folder / "curves.json").read_text())
    assert curves["test_accuracy"] >= 0.97
    assert curves["train"][-1] < curves["train"][0] / 10
    assert f"test accuracy    {curves['test_accuracy']:.4f}" in done.stdout


def test_it_shows_progress_and_the_time_of_a_step(finished):
    _, done = finished
    assert "val" in done.stderr and "accuracy" in done.stderr
    assert "time per step" in done.stdout


def test_it_stops_when_validation_no_longer_gains(finished):
    folder, _ = finished
    curves = json.loads((folder / "curves.json").read_text())
    assert curves["val"][curves["best_epoch"]] == min(curves["val"])
    assert len(curves["val"]) <= curves["best_epoch"] + 9


def test_it_leaves_a_picture_and_a_checkpoint(finished):
    folder, _ = finished
    assert (folder / "learning_curve.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    state = flambeau.load(folder / "checkpoint.pt")
    assert state["model"]["net.0.weight"].shape == (128, 64)
