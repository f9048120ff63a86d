"""Utilities: data loading, hooks."""

from . import data, dlpack, hooks

__all__ = ["data", "dlpack", "hooks"]
