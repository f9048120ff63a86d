"""`torch.utils.dlpack`: sharing memory through DLPack capsules."""

from __future__ import annotations

from .._tensor.interop import from_dlpack, to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
