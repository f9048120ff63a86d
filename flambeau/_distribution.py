"""What `importlib.metadata` is told about `torch` while flambeau stands in for it."""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from typing import Any

_FOLLOWS = "2.13.0"
"""The version of PyTorch whose behaviour flambeau is checked against."""


class StandIn(Distribution):
    """A distribution called torch, of the version that flambeau follows."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: torch\nVersion: {_FOLLOWS}\n"

    def locate_file(self, path: Any) -> Any:
        return os.path.join(os.path.dirname(os.path.dirname(__file__)), path)
