"""Without llvmlite everything is eager, and everything works."""

from __future__ import annotations

import subprocess
import sys

TRAIN = """
import tests.without_llvmlite
import flambeau
assert flambeau.jit.get_mode() == "off"
flambeau.jit.set_mode("force")
with flambeau.jit.disabled():
    pass
assert flambeau.jit.get_mode() == "off"
layer = flambeau.compile(flambeau.nn.Linear(3, 2))
optimizer = flambeau.optim.SGD(layer.parameters(), lr=0.1)
for _ in range(8):
    optimizer.zero_grad()
    loss = layer(flambeau.ones(1, 3)).square().sum()
    loss.backward()
    optimizer.step()
assert loss.item() < 0.01
"""


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120)


def test_a_loop_trains():
    done = _run("-c", TRAIN)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_programs_give_torchs_results():
    done = _run(
        "-m", "pytest", "-p", "tests.without_llvmlite", "-x", "-k", "each", "tests/footguns"
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_importing_flambeau_imports_no_llvmlite():
    code = "import sys, flambeau; assert 'llvmlite' not in sys.modules"
    assert _run("-c", code).returncode == 0
