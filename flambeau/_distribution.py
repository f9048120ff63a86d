"""What `importlib.metadata` is told about `torch` while flambeau stands in for it."""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from typing import Any

from . import __version__


class StandIn(Distribution):
    """A distribution called torch, of the version that flambeau's face follows."""

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        return f"Metadata-Version: 2.1\nName: torch\nVersion: {__version__}\n"

    def locate_file(self, path: Any) -> Any:
        return os.path.join(os.path.dirname(os.path.dirname(__file__)), path)
