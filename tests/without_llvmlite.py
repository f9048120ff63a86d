"""A pytest plugin that makes llvmlite look as if it were not installed.

python -m pytest -p tests.without_llvmlite
"""

from __future__ import annotations

import sys

assert not any(name.partition(".")[0] == "llvmlite" for name in sys.modules)
sys.modules["llvmlite"] = None  # type: ignore[assignment]  # what `import` takes for "not there"
