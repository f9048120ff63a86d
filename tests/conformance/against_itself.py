"""Check the harness: run it with torch in flambeau's place, where everything has to pass.

    python -m tests.conformance.against_itself --only op,module,optimizer,scheduler,seed

What fails here is the harness's fault, or torch's own. Takes run.py's arguments; leaves its files
in a temporary folder, and writes no document.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
import torch.distributions
import torch.masked
import torch.optim.swa_utils
import torch.signal.windows  # noqa: F401 - all of torch is loaded before it is renamed

for _name in list(sys.modules):
    if _name == "torch" or _name.startswith("torch."):
        sys.modules["flambeau" + _name.removeprefix("torch")] = sys.modules[_name]

from . import report, run  # noqa: E402 - they import flambeau

if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp())
    report.CACHE, report.SUPPORTED = folder / "results.json", folder / "supported.md"
    sys.exit(run.main())
