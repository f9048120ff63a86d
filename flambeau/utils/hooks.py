"""Handles of hooks, under PyTorch's module path."""

from __future__ import annotations

from flambeau._engine.autograd.hooks import RemovableHandle

__all__ = ["RemovableHandle"]
