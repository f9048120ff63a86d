"""Every code block of seed.txt runs, with `import flambeau as torch` and under `flambeau run`.

seed.txt is a collapsed copy of a web page: each block stands on one line behind the word "python".
The blocks below are the same words with their line breaks put back; the first test holds them to
that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SEED = Path(__file__).parent / "data" / "seed.txt"

TENSORS = """\
import torch

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
x = torch.linspace(-1, 1, steps=100, device=device, requires_grad=True)
y = (x * x).sum()
y.backward()
# x.grad holds ∂y/∂x
"""

MODULE = """\
import torch.nn as nn

class MLP(nn.Module):
    def __init__(self, in_dim: int, hidden: int, out_dim: int):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(in_dim, hidden),
            nn.ReLU(),
            nn.Linear(hidden, out_dim),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)
"""

LOOP = """\
model = MLP(in_dim, hidden, num_classes).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)

for epoch in range(epochs):
    model.train()
    for xb, yb in train_loader:
        xb, yb = xb.to(device), yb.to(device)
        optimizer.zero_grad(set_to_none=True)
        logits = model(xb)
        loss = criterion(logits, yb)
        loss.backward()
        optimizer.step()
"""

# what pip writes into the command `flambeau`
ENTRY_POINT = "import sys; from flambeau._cli import main; sys.exit(main())"

BLOCKS = [TENSORS, MODULE, LOOP]

CHECK_TENSORS = """\
torch.testing.assert_close(x.grad, 2 * x.detach())
assert x.grad.shape == (100,) and x.is_leaf
"""

# what the page leaves to its reader: data with a rule to learn, and the sizes
DATA = """\
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
in_dim, hidden, num_classes, epochs = 8, 32, 3, 12
features = torch.randn(384, in_dim)
labels = features[:, :num_classes].argmax(dim=1)
train_loader = DataLoader(TensorDataset(features, labels), batch_size=32, shuffle=True)
"""

CHECK_LOOP = """\
model.eval()
with torch.no_grad():
    accuracy = (model(features.to(device)).argmax(dim=1).cpu() == labels).float().mean().item()
assert accuracy > 0.8, accuracy
"""

# the sentence under the module block: "Save checkpoints with torch.save(model.state_dict(), ...)"
CHECK_CHECKPOINT = """\
import os, tempfile

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.pt")
    torch.save(model.state_dict(), path)
    again = MLP(in_dim, hidden, num_classes)
    again.load_state_dict(torch.load(path))
for name, value in model.state_dict().items():
    torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)
"""

PROGRAM = "\n".join(
    [TENSORS, CHECK_TENSORS, MODULE, DATA, LOOP, CHECK_LOOP, CHECK_CHECKPOINT, 'print("done")\n']
)


def blocks_of_seed() -> list[str]:
    lines = SEED.read_text(encoding="utf-8").splitlines()
    return [lines[i + 1] for i, line in enumerate(lines) if line.strip() == "python"]


def test_the_blocks_are_the_seeds_own():
    found = blocks_of_seed()
    assert [block.split() for block in found] == [block.split() for block in BLOCKS]


def test_the_copy_of_the_seed_is_whole():
    original = Path(__file__).parents[2] / "shared" / "seed.txt"
    if not original.exists():
        pytest.skip("the original lies outside the repository")
    assert SEED.read_bytes() == original.read_bytes()


def test_with_import_flambeau_as_torch(tmp_path):
    # `import torch.nn as nn` has no spelling through an alias; all else is the seed's own text
    program = PROGRAM.replace("import torch\n", "import flambeau as torch\n", 1)
    program = program.replace("import torch.nn as nn", "import flambeau.nn as nn")
    program = program.replace("from torch.utils", "from flambeau.utils")
    assert run(tmp_path, program, [sys.executable]) == "done\n"


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "flambeau", "run"],
        [sys.executable, "-c", ENTRY_POINT, "run"],
    ],
    ids=["python -m flambeau run", "flambeau run"],
)
def test_verbatim_under_flambeau_run(tmp_path, command):
    assert run(tmp_path, PROGRAM, command) == "done\n"


def run(folder: Path, program: str, command: list[str]) -> str:
    script = folder / "script.py"
    script.write_text(program, encoding="utf-8")
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [*command, str(script)], capture_output=True, text=True, env=environment, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
