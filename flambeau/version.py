"""The version of PyTorch that flambeau follows, as `torch.version` gives it."""

from __future__ import annotations

from .torch_version import TorchVersion

__version__ = TorchVersion("2.13.0+flambeau")
debug = False
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
git_version = "Unknown"
