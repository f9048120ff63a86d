"""`flambeau run` behaves as `python`: the same output, errors, exit status and `__main__`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flambeau._cli import main

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable]
FLAMBEAU = [sys.executable, "-m", "flambeau", "run"]


def run(command, folder, **settings):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, **settings
    )


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


SELF_PORTRAIT = """
import sys
print(sys.argv, __name__, __file__, __spec__ and __spec__.name, __package__, __doc__)
print(sorted(name for name in globals() if name.startswith("__")))
print(sys.path[0], type(__loader__).__name__, __builtins__)
print(sys.modules["__main__"].__dict__ is globals())
"""

FAILURES = """
import sys
class Odd(Exception): pass
def deep(): raise ValueError("deep")
match sys.argv[1:]:
    case ["raise"]: deep()
    case ["chain"]:
        try: deep()
        except ValueError as error: raise Odd("above") from error
    case ["exit"]: sys.exit(3)
    case ["message"]: sys.exit("a message")
    case ["interrupt"]: raise KeyboardInterrupt
    case ["hook"]:
        sys.excepthook = lambda kind, error, trace: print(error, trace.tb_frame.f_code.co_name)
        deep()
    case ["import"]: import does.not_exist
"""


class TestAsPython:
    """Each program's output, error text and status are compared with python's own."""

    @pytest.mark.parametrize(
        "words",
        [
            ["portrait.py", "one", "--help", "-m"],
            ["./portrait.py"],
            ["-m", "portrait", "one"],
            ["failures.py", "raise"],
            ["failures.py", "chain"],
            ["failures.py", "exit"],
            ["failures.py", "message"],
            ["failures.py", "interrupt"],
            ["failures.py", "hook"],
            ["failures.py", "import"],
            ["-m", "failures", "raise"],
            ["-m", "no_such_module"],
            ["syntax.py"],
            ["future.py"],
        ],
        ids=" ".join,
    )
    def test_same(self, tmp_path, words):
        write(tmp_path, portrait=SELF_PORTRAIT, failures=FAILURES, syntax="def f(:\n")
        write(tmp_path, future="def f(x: int): pass\nprint(f.__annotations__)\n")
        theirs, ours = run(PYTHON + words, tmp_path), run(FLAMBEAU + words, tmp_path)
        assert ours.stdout == theirs.stdout
        assert ours.stderr == theirs.stderr
        assert ours.returncode == theirs.returncode

    def test_a_missing_file(self, tmp_path):
        theirs, ours = (run([*start, "nothing.py"], tmp_path) for start in (PYTHON, FLAMBEAU))
        assert ours.returncode == theirs.returncode == 2
        assert ours.stderr.partition(": ")[2] == theirs.stderr.partition(": ")[2]


IMPORTS = """
import sys
import torch
import torch.nn as nn, torch.nn.functional as F
from torch.utils.data import DataLoader
from torch import Tensor, nn as again
import flambeau, flambeau.utils.data
assert torch is flambeau and nn is flambeau.nn is again and F is flambeau.nn.functional
assert DataLoader is flambeau.utils.data.DataLoader and Tensor is flambeau.Tensor
assert sys.modules["torch.nn"] is sys.modules["flambeau.nn"]
assert flambeau.__spec__.name == "flambeau" and flambeau.nn.__spec__.name == "flambeau.nn"
assert not [name for name in sys.modules if name.startswith("torch") and
            sys.modules[name] is not sys.modules["flambeau" + name[5:]]]
try:
    import torch.no_such_module
except ModuleNotFoundError as error:
    assert error.name == "torch.no_such_module" and "flambeau" in str(error)
import importlib.metadata
assert importlib.metadata.version("torch").split(".")[0] == "2"
print("done")
"""

PROCESSES = """
import multiprocessing, pickle
import torch

class Pair:
    def __init__(self, x):
        self.x = x

def double(pair):
    import torch, flambeau
    assert torch is flambeau
    return Pair(pair.x * 2)

if __name__ == "__main__":
    assert pickle.loads(pickle.dumps(Pair(3))).x == 3
    for method in ("spawn", "forkserver", "fork"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            (pair,) = pool.map(double, [Pair(torch.ones(2))])
            assert type(pair) is Pair and pair.x.tolist() == [2, 2]
    print("done")
"""


class TestAsTorch:
    @pytest.mark.parametrize("start", [FLAMBEAU, [*FLAMBEAU, "-m"]], ids=["script", "module"])
    def test_imports(self, tmp_path, start):
        write(tmp_path, program=IMPORTS)
        name = "program" if start[-1] == "-m" else "program.py"
        done = run([*start, name], tmp_path)
        assert done.stdout == "done\n", done.stderr

    def test_in_code(self, tmp_path):
        install = "import flambeau\nflambeau.install_as_torch()\nflambeau.install_as_torch()\n"
        write(tmp_path, program=install + IMPORTS)
        done = run([*PYTHON, "program.py"], tmp_path)
        assert done.stdout == "done\n", done.stderr

    def test_pickles_and_spawned_processes(self, tmp_path):
        write(tmp_path, program=PROCESSES)
        done = run([*FLAMBEAU, "program.py"], tmp_path)
        assert done.stdout == "done\n", done.stderr

    def test_checkpoints_of_the_scripts_own_classes(self, tmp_path):
        program = (
            "import torch\n"
            "class Net(torch.nn.Module):\n"
            "    def __init__(self):\n"
            "        super().__init__()\n"
            "        self.layer = torch.nn.Linear(2, 1)\n"
            "torch.save(Net(), 'net.pt')\n"
            "print(type(torch.load('net.pt', weights_only=False)) is Net)\n"
        )
        write(tmp_path, program=program)
        done = run([*FLAMBEAU, "program.py"], tmp_path)
        assert done.stdout == "True\n", done.stderr

    def test_pytorch_was_first(self, tmp_path):
        # any module called torch will do for this
        write(tmp_path, torch="", program="import torch, flambeau\nflambeau.install_as_torch()\n")
        done = run([*PYTHON, "program.py"], tmp_path)
        assert "RuntimeError: install_as_torch: PyTorch is already imported" in done.stderr
        assert str(tmp_path / "torch.py") in done.stderr


class TestCommandLine:
    def test_help_and_version(self, capsys):
        for words in (["--help"], ["run", "-h"]):
            assert main(words) == 0 and "usage: flambeau run" in capsys.readouterr().out
        assert main(["--version"]) == 0 and capsys.readouterr().out.startswith("flambeau ")

    @pytest.mark.parametrize("words", [[], ["run"], ["walk"], ["run", "-x"], ["run", "-m"]])
    def test_wrong_words(self, capsys, words):
        assert main(words) == 2 and "usage: flambeau run" in capsys.readouterr().err
